"""Clients that others wrote, by their own protocols: one way in for all, and answers that each knows.

Pages of any origin may send: no cookie is looked at.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from troth.api.answering import Receive, Scope, Send, deliver, header
from troth.api.intake import Intake, unpacked
from troth.api.refusals import Refusal
from troth.intake.answers import Part
from troth.intake.gate import Answer
from troth.intake.permitting import Permitted
from troth.intake.sent import Sender

MOST = 1_000
ANY_ORIGIN = (b"access-control-allow-origin", b"*")


@dataclass(frozen=True, slots=True)
class Brought:
    """What was in a body: what is to be judged or counted or was refused, and what the body calls itself.

    `about` names whom it asks what is permitted of, and `permitted` is what is: None where it asks nothing.
    """

    events: Sequence[Part]
    name: str = ""
    about: str | None = None
    objects: bool = False
    permitted: Permitted | None = None

    def __post_init__(self) -> None:
        """Take no more than is taken at once. Raises Refusal."""
        if len(self.events) > MOST:
            raise Refusal("too-much")


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int
    content: bytes
    kind: str = "application/json"
    more: Sequence[tuple[bytes, bytes]] = ()


class Clients(Protocol):
    """How one family of clients speaks."""

    @property
    def path(self) -> re.Pattern[str]:
        """Where they send to."""

    @property
    def carried(self) -> bytes:
        """The headers that a page's request may carry."""

    def key(self, scope: Scope) -> bytes:
        """Return the key that a request carries."""

    def read(self, scope: Scope, body: bytes, sender: Sender, received: datetime) -> Brought:
        """Decode an unpacked body. Raises Refusal."""

    def told(self, scope: Scope, brought: Brought, found: Sequence[Answer]) -> Reply:
        """Return what is answered once everything is committed."""

    def turned_away(self, scope: Scope, refusal: Refusal) -> Reply:
        """Return what is answered to a request that was refused whole."""


async def serve(clients: Clients, intake: Intake, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request: receive, authenticate, decode; the gate judges and stores."""
    if scope["method"] == "OPTIONS":
        await deliver(send, 204, b"", more=_preflight(clients))
        return
    allowed, retry = "", 0
    try:
        reply = await _taken(clients, intake, scope, receive)
    except Refusal as refusal:
        reply, allowed, retry = clients.turned_away(scope, refusal), refusal.allowed, refusal.retry
    more = (ANY_ORIGIN, *reply.more)
    await deliver(send, reply.status, reply.content, kind=reply.kind, allowed=allowed, retry=retry, more=more)


async def _taken(clients: Clients, intake: Intake, scope: Scope, receive: Receive) -> Reply:
    if scope["method"] != "POST":
        raise Refusal("method", allowed="OPTIONS, POST")
    async with intake.opened(clients.key(scope), scope) as sender:
        body = await unpacked(scope, receive)
        brought = clients.read(scope, body, sender, datetime.now(UTC))
        found = await intake.gate.take(sender, brought.events) if brought.events or brought.about is None else []
        if brought.about is not None:
            asks = replace(sender, objects=sender.objects or brought.objects)
            brought = replace(brought, permitted=await intake.gate.permitted(asks, brought.about))
    return clients.told(scope, brought, found)


def _preflight(clients: Clients) -> Sequence[tuple[bytes, bytes]]:
    return (
        ANY_ORIGIN,
        (b"access-control-allow-methods", b"POST"),
        (b"access-control-allow-headers", clients.carried),
        (b"access-control-max-age", b"86400"),
    )


def kind_of(scope: Scope) -> bytes:
    """Return of which kind a body says that it is."""
    return header(scope, b"content-type").split(b";")[0].strip().lower()
