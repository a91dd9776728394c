"""A mail server for the tests that answers as it is told to, and what stands in the outbox."""

import asyncio
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from psycopg import Connection
from psycopg.types.json import Jsonb

ALICE = "alice@harbor.example"
SENDER = "troth@harbor.example"
NOBODY = uuid.UUID(int=0)


@dataclass(slots=True)
class Sink:
    """A mail server that keeps what it is given, and answers what the tests want to see answered."""

    url: str = ""
    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    refusing: bool = False
    unknown: set[str] = field(default_factory=set)
    #: Connections that end without a word at the next mail, and seconds that each mail takes.
    dropping: int = 0
    slowness: float = 0
    greeted: int = 0

    async def handle_EHLO(  # noqa: N802 - the library's name
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.greeted += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802 - the library's
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if address in self.unknown:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 yes"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        await asyncio.sleep(self.slowness)
        if self.dropping:
            self.dropping -= 1
            server.transport.abort()
            return "421 gone"
        if self.refusing:
            return "451 come back later"
        self.senders.append(envelope.mail_from)
        self.raw.append(envelope.content)
        self.taken.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 taken"

    @property
    def named(self) -> list[str]:
        """The Message-ID of each mail, in the order in which they came."""
        return [str(message["Message-ID"]) for _, message in self.taken]


@contextmanager
def listening() -> Iterator[Sink]:
    """Run one on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    handler = Sink(url=f"smtp://127.0.0.1:{port}")
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()


def post(
    address: str = ALICE, subject: str = "A word", text: str = "Hello.\n", *, whose: uuid.UUID = NOBODY, **facts: Any
) -> uuid.UUID:
    """Put a notice into the outbox as an action does."""
    from troth.database import connect

    with connect.acting("door") as door:
        told = Jsonb({"subject": subject, "text": text} | facts)
        row = door.execute("SELECT troth.post(%s, %s, 'mail', %s)", (whose, address, told)).fetchone()
    assert row is not None
    return uuid.UUID(str(row[0]))


def left(owner: Connection[Any]) -> int:
    row = owner.execute("SELECT count(*) FROM troth.notice").fetchone()
    assert row is not None
    return int(row[0])


def tally(owner: Connection[Any]) -> dict[str, int]:
    return dict(owner.execute("SELECT outcome, many FROM troth.notice_tally").fetchall())


def due_now(owner: Connection[Any]) -> None:
    """Let time pass until everything is due again."""
    owner.execute("UPDATE troth.notice SET next_try_at = statement_timestamp()")
