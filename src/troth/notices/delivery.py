"""Deliver what is due in the outbox: by SMTP, or to the terminal where no mail server is named."""

import logging
import smtplib
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any
from urllib.parse import unquote, urlsplit

from psycopg import Error

from troth.database import connect
from troth.database.statements import load

SQL = load("troth.notices")
LOG = logging.getLogger(__name__)
#: The last mails shown, for the page that only `--dev` has.
SHOWN: deque[EmailMessage] = deque(maxlen=50)
PATIENCE = 10
type Told = Mapping[str, Any]
#: What a template makes of its facts: the subject and the text of a mail. Rooms above add theirs, and no action hands
#: out words of its own.
WRITERS: dict[str, Callable[[Told], Told]] = {"mail": lambda facts: facts}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
TRIES = 12


@dataclass(frozen=True, slots=True)
class Route:
    """How mail leaves: `url` smtp://user:password@host:port or smtps://..., empty for the terminal."""

    url: str
    sender: str
    keep: bool = False

    def send(self, message: EmailMessage) -> None:
        """Deliver one message; beyond this machine only encrypted (P34). Raises OSError or smtplib.SMTPException."""
        if self.keep:
            SHOWN.appendleft(message)
        if not self.url:
            print(f"\n--- mail to {message['To']} ---\n{message['Subject']}\n\n{plain(message)}---", flush=True)  # noqa: T201
            return
        parts = urlsplit(self.url)
        secure = parts.scheme == "smtps"
        opener = smtplib.SMTP_SSL if secure else smtplib.SMTP
        host = parts.hostname or "localhost"
        told: dict[str, Any] = {"context": ssl.create_default_context()} if secure else {}
        with opener(host, parts.port or (465 if secure else 25), timeout=PATIENCE, **told) as server:
            if not secure and host not in LOOPBACK:
                server.starttls(context=ssl.create_default_context())
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)


def leads_somewhere(url: str) -> bool:
    """Say whether mail could leave by `url`: smtp:// or smtps://, a host, and a port that is one."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def written(template: str, facts: Told) -> Told:
    """Return what a template makes of its facts. Raises ValueError where no room writes it."""
    if template not in WRITERS:
        raise ValueError(template)
    return WRITERS[template](facts)


def plain(message: EmailMessage) -> str:
    """Return the text part."""
    body = message.get_body(("plain",))
    return body.get_content() if body else ""


def compose(address: str, facts: Mapping[str, str], sender: str) -> EmailMessage:
    """Make the message. The header API refuses line breaks, so no content can add a header."""
    message = EmailMessage()
    name, _, domain = address.rpartition("@")
    message["To"] = Address(username=name, domain=domain)
    message["From"] = sender
    message["Subject"] = " ".join(facts["subject"].split())
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2] or "localhost")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(facts["text"])
    if facts.get("html"):
        message.add_alternative(facts["html"], subtype="html")
    return message


def deliver(route: Route) -> int:
    """Deliver what is due and return how many were; what fails is tried again, ever later, and then dropped."""
    done = 0
    while (sent := _next(route)) is not None:
        done += sent
    return done


def _next(route: Route) -> bool | None:
    """Try the notice that is due longest, alone in its transaction; return whether it left, None when none is due."""
    with connect.acting("door") as connection:
        row = connection.execute(SQL["due"].encode()).fetchone()
        if row is None:
            return None
        subject, notice, address, template, facts, tries = row
        key = {"subject": subject, "notice": notice}
        try:
            route.send(compose(address, written(template, facts), route.sender))
        except (OSError, smtplib.SMTPException, ValueError) as problem:
            LOG.warning("a notice was not delivered (%s), try %d", type(problem).__name__, tries + 1)
            if tries + 1 < TRIES:
                wait = timedelta(seconds=min(5 * 2**tries, 3600))
                connection.execute(SQL["failed"].encode(), key | {"wait": wait})
                return False
            connection.execute(SQL["delivered"].encode(), key)
            return False
        connection.execute(SQL["delivered"].encode(), key)
        return True


def run(route: Route, stopped: threading.Event) -> None:
    """Deliver until told to stop."""
    while not stopped.wait(0.5):
        try:
            deliver(route)
        except Error as problem:
            LOG.warning("the outbox cannot be read (%s)", type(problem).__name__)
            stopped.wait(2)
