"""Deliver what is due in the outbox: by SMTP, or to the terminal where no mail server is named."""

import logging
import smtplib
import ssl
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
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
PERMANENT = 500
#: Messages of one connection: servers end those that go on for ever.
MOST_CARRIED = 100


@dataclass(frozen=True, slots=True)
class Route:
    """How mail leaves: `url` smtp://user:password@host:port or smtps://..., empty for the terminal."""

    url: str
    sender: str
    keep: bool = False

    def send(self, message: EmailMessage) -> None:
        """Deliver one message over a connection of its own. Raises OSError or smtplib.SMTPException."""
        with self.line() as line:
            line.send(message)

    @contextmanager
    def line(self) -> Iterator["Line"]:
        """Yield what messages leave over, one after the other; it ends with the block."""
        line = Line(self)
        try:
            yield line
        finally:
            line.hang_up()

    def opened(self) -> smtplib.SMTP:
        """Open a connection, beyond this machine only an encrypted one (P34).

        Raises OSError or smtplib.SMTPException.
        """
        parts = urlsplit(self.url)
        secure = parts.scheme == "smtps"
        opener = smtplib.SMTP_SSL if secure else smtplib.SMTP
        host = parts.hostname or "localhost"
        told: dict[str, Any] = {"context": ssl.create_default_context()} if secure else {}
        server = opener(host, parts.port or (465 if secure else 25), timeout=PATIENCE, **told)
        try:
            if not secure and host not in LOOPBACK:
                server.starttls(context=ssl.create_default_context())
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
        except BaseException:
            server.close()
            raise
        return server


@dataclass(slots=True)
class Line:
    """A connection to the mail server, opened with the first message and kept for the next ones."""

    route: Route
    server: smtplib.SMTP | None = None
    carried: int = 0

    def send(self, message: EmailMessage) -> None:
        """Deliver one message. Raises OSError or smtplib.SMTPException; the next one then opens another connection."""
        if self.route.keep:
            SHOWN.appendleft(message)
        if not self.route.url:
            print(f"\n--- mail to {message['To']} ---\n{message['Subject']}\n\n{plain(message)}---", flush=True)  # noqa: T201
            return
        if self.carried >= MOST_CARRIED:
            self.hang_up()
        if self.server is None:
            self.server, self.carried = self.route.opened(), 0
        try:
            self.server.send_message(message)
        except BaseException:
            self.hang_up()
            raise
        self.carried += 1

    def hang_up(self) -> None:
        """End the connection; that it ended already is no matter."""
        server, self.server = self.server, None
        if server is not None:
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()


def refused_for_good(problem: Exception) -> bool:
    """Say whether a server refuses a message whoever asks again (RFC 5321, section 4.2.1: a reply of 5yz)."""
    match problem:
        case smtplib.SMTPRecipientsRefused():
            return all(code >= PERMANENT for code, _said in problem.recipients.values())
        case smtplib.SMTPDataError():
            return problem.smtp_code >= PERMANENT
        case _:
            return isinstance(problem, ValueError)


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


def compose(address: str, facts: Mapping[str, str], sender: str, notice: uuid.UUID | None = None) -> EmailMessage:
    """Make the message. The header API refuses line breaks, so no content can add a header.

    A notice has one Message-ID however often it is tried: who gets it twice can tell (RFC 5322, section 3.6.4).
    """
    message = EmailMessage()
    name, _, domain = address.rpartition("@")
    message["To"] = Address(username=name, domain=domain)
    message["From"] = sender
    message["Subject"] = " ".join(facts["subject"].split())
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{notice or uuid.uuid4()}@{sender.rpartition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(facts["text"])
    if facts.get("html"):
        message.add_alternative(facts["html"], subtype="html")
    return message


def deliver(route: Route) -> int:
    """Deliver what is due and return how many were; what fails is tried again, ever later, and then dropped.

    A notice goes when the server has taken it: who is killed between the two sends it again, rather than never.
    """
    done = 0
    with route.line() as line:
        while (sent := _next(line)) is not None:
            done += sent
    return done


def _next(line: Line) -> bool | None:
    """Try the notice that is due longest, alone in its transaction; return whether it left, None when none is due."""
    with connect.acting("door") as connection:
        row = connection.execute(SQL["due"].encode()).fetchone()
        if row is None:
            return None
        subject, notice, address, template, facts, tries = row
        key = {"subject": subject, "notice": notice}
        try:
            line.send(compose(address, written(template, facts), line.route.sender, notice))
        except (OSError, smtplib.SMTPException, ValueError) as problem:
            LOG.warning("a notice was not delivered (%s), try %d", type(problem).__name__, tries + 1)
            if tries + 1 < TRIES and not refused_for_good(problem):
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
