"""Deliver what is due in the outbox: by SMTP, or to the terminal where no mail server is named.

Two threads with a connection each: what somebody waits for, and what is sent to many, at a rate.
"""

import logging
import smtplib
import ssl
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from psycopg import Connection, Error
from psycopg_pool import PoolTimeout

from troth.database import connect
from troth.database.statements import load
from troth.notices import tokens
from troth.notices.letters import compose, plain

SQL = load("troth.notices")
LOG = logging.getLogger(__name__)
#: The last mails shown, for the page that only `--dev` has.
SHOWN: deque[EmailMessage] = deque(maxlen=50)
PATIENCE = 10
type Told = Mapping[str, Any]
#: What a template makes of its facts: the subject and the text of a mail. Rooms above add theirs, and no action hands
#: out words of its own.
WRITERS: dict[str, Callable[[Told], Told]] = {"mail": lambda facts: facts}
#: Of a template that is not owed for ever: the address it may go to at the moment of sending, or None where it may not
#: any more; the facts name the notice's own.
GATES: dict[str, Callable[[uuid.UUID, Told], str | None]] = {}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
#: A code is of no use any more after some hours; what is owed to many outlasts a mail server that is down for two days.
TRIES, TRIES_OF_MANY = 12, 60
PERMANENT, CODES = 500, range(200, 600)
#: Messages of one connection: servers end those that go on for ever.
MOST_CARRIED = 100
#: Seconds between two looks at an empty outbox, and at a server that does not answer.
LOOK, REST = 0.5, 5.0
#: What a server says of one message, over a connection that goes on.
ABOUT_IT = (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)


@dataclass(frozen=True, slots=True)
class Route:
    """How mail leaves: `url` smtp://user:password@host:port or smtps://..., empty for the terminal.

    With `returns` each notice has a return address of its own, and what comes back there is read.
    """

    url: str
    sender: str
    keep: bool = False
    returns: bool = False

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

    def returned_to(self, notice: uuid.UUID) -> str | None:
        """Return the address that a notice comes back to, which names it (VERP); None for the sender's own."""
        return tokens.address(tokens.Kind.RETURNED, notice, self.sender) if self.returns else None


@dataclass(slots=True)
class Line:
    """A connection to the mail server, opened with the first message and kept for the next ones."""

    route: Route
    server: smtplib.SMTP | None = None
    carried: int = 0

    def send(self, message: EmailMessage, returned_to: str | None = None) -> None:
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
            self.server.send_message(message, from_addr=returned_to)
        except ABOUT_IT:
            if self.server.sock is None:  # with a reply of 421 it ended the connection, too
                self.hang_up()
            raise
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


@dataclass(slots=True)
class Pace:
    """At most so many a second, evenly; 0 is as many as the server takes. A pause is not made up for afterwards."""

    rate: float = 0
    due: float = field(default_factory=time.monotonic)

    def wait(self, stopped: threading.Event) -> bool:
        """Wait until the next may leave; return whether there is still somebody who wants it sent."""
        if not self.rate:
            return not stopped.is_set()
        self.due = max(self.due, time.monotonic() - 1 / self.rate) + 1 / self.rate
        return not stopped.wait(max(0.0, self.due - time.monotonic()))


def answered(problem: Exception) -> int | None:
    """Return the reply code of a mail server that took a message for nobody; None where it gave no such answer."""
    match problem:
        case smtplib.SMTPRecipientsRefused():
            code = min(code for code, _said in problem.recipients.values())
        case smtplib.SMTPResponseException():
            code = int(problem.smtp_code)
        case _:
            return None
    return code if code in CODES else None


def refused_for_good(problem: Exception) -> bool:
    """Say whether a server refuses a message whoever asks again (RFC 5321, section 4.2.1: a reply of 5yz).

    What it says of the whole connection, such as a wrong password, is said of no message.
    """
    if isinstance(problem, ValueError | LookupError):
        return True
    return isinstance(problem, ABOUT_IT) and (answered(problem) or 0) >= PERMANENT


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


def deliver(
    route: Route, *, many: bool = False, pace: Pace | None = None, stopped: threading.Event | None = None
) -> int:
    """Deliver what is due and return how many were; what fails is tried again, ever later, and then given up.

    With `many` what is sent to many, at a pace; without it everything else. A notice goes when the server has taken it:
    who is killed between the two sends it again, rather than never.
    """
    done, pace, stopped = 0, pace or Pace(), stopped or threading.Event()
    with route.line() as line:
        while pace.wait(stopped):
            with connect.acting("door") as connection:
                row = connection.execute(SQL["due_of_many" if many else "due"].encode()).fetchone()
                how = "none" if row is None else _try(connection, line, Due(*row), TRIES_OF_MANY if many else TRIES)
            done += how == "sent"
            if how == "none" or (many and how == "unreached"):
                break
    return done


@dataclass(frozen=True, slots=True)
class Due:
    """A notice that is due."""

    subject: uuid.UUID
    notice: uuid.UUID
    address: str
    template: str
    facts: dict[str, Any]
    tries: int


def _try(connection: Connection[Any], line: Line, due: Due, most: int) -> str:
    """Try a notice, alone in its transaction, and return what became of it.

    sent, withdrawn, failed, deferred, or unreached: deferred, since no server took any.
    """
    try:
        gate, facts = GATES.get(due.template), due.facts | {"address": due.address}
        to = gate(due.subject, facts) if gate is not None else due.address
        if to is None:
            return _settled(connection, due, "withdrawn", None)
        told = written(due.template, due.facts | {"to": str(due.subject)})
        line.send(compose(to, told, line.route.sender, due.notice), line.route.returned_to(due.notice))
    except (OSError, smtplib.SMTPException, ValueError, LookupError) as problem:
        LOG.warning("a notice was not delivered (%s), try %d", type(problem).__name__, due.tries + 1)
        if due.tries + 1 >= most or refused_for_good(problem):
            return _settled(connection, due, "failed", answered(problem))
        wait = timedelta(seconds=min(5 * 2**due.tries, 3600))
        told = {"subject": due.subject, "notice": due.notice, "wait": wait}
        connection.execute(SQL["defer"].encode(), told)
        return "deferred" if isinstance(problem, ABOUT_IT) else "unreached"
    return _settled(connection, due, "sent", None)


def _settled(connection: Connection[Any], due: Due, how: str, reply: int | None) -> str:
    told = {"subject": due.subject, "notice": due.notice, "how": how, "reply": None if reply is None else str(reply)}
    connection.execute(SQL["settle"].encode(), told)
    return how


def run(route: Route, stopped: threading.Event, *, many: bool = False, rate: float = 0) -> None:
    """Deliver until told to stop: what somebody waits for, or what is sent to many, at so many a second."""
    pace = Pace(rate)
    while not stopped.wait(REST if many else LOOK):
        try:
            deliver(route, many=many, pace=pace, stopped=stopped)
        except (Error, PoolTimeout) as problem:
            LOG.warning("the outbox cannot be read (%s)", type(problem).__name__)
            stopped.wait(2)
