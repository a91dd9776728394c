"""Accesses while the database is away: judged by what it said a moment ago, sealed, judged again when it is back.

What nobody can judge now is not kept: whom nobody asked about within the lease, and who may be somebody of whom
nobody could say who. It waits in memory alone.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec

from troth.intake import shelf
from troth.intake.bridging import LEASE, parts
from troth.intake.decisions import Decisions
from troth.intake.event import NOBODY, Device, Event
from troth.intake.steps import understood
from troth.intake.store import TYPES

LOG = logging.getLogger(__name__)
#: People of whom it is remembered what was said.
REMEMBERED = 20_000
#: Accesses after which others have a turn.
TURN = 100


class Kept(msgspec.Struct, array_like=True):
    """An access as it is kept: judged and reduced; of what it may be used for is asked again."""

    id: uuid.UUID
    at: datetime
    subject: uuid.UUID
    uses: int
    objects: bool
    values: dict[str, Any]
    device: dict[str, str | None] | None
    identified: uuid.UUID | None
    found: dict[str, int]


READER = msgspec.msgpack.Decoder(list[Kept])


class Shelved(shelf.Holder):
    """The shelf for accesses, and what was said of people. Without one nothing is kept."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.said: dict[uuid.UUID, tuple[int, float]] = {}
        self.shelf: shelf.Shelf | None = None
        self.many = 0

    async def start(self) -> None:
        """Take the shelf, with what a process before this one left there."""
        try:
            self.shelf = shelf.opened("accesses")
        except OSError as error:
            LOG.warning("no access is kept while the database is away (%s)", type(error).__name__)
            return
        with contextlib.suppress(msgspec.DecodeError):
            self.many = sum(len(READER.decode(record)) for record in await self.shelf.left())

    def hear(self, event: Event) -> None:
        """Remember what was said of whose access it is, where nothing newer was."""
        if event.subject == NOBODY or event.asked < self.said.get(event.subject, (0, event.asked))[1]:
            return
        self.said.pop(event.subject, None)
        self.said[event.subject] = event.uses, event.asked
        if len(self.said) > REMEMBERED:
            del self.said[next(iter(self.said))]

    async def keep(self, events: Sequence[Event], decisions: Decisions | None, decided: float) -> Sequence[Event]:
        """Keep what may be kept; return what was not. `decided` is when the decisions were known to hold."""
        now = time.monotonic()
        if self.shelf is None or decisions is None or now - decided > LEASE:
            return events
        passing = {}
        for nth, event in enumerate(events):
            if self._passes(event, decisions, now):
                passing[event.id] = _kept(event)
            if nth % TURN == 0:
                await asyncio.sleep(0)  # answers are given meanwhile
        try:
            for part in parts(list(passing.values())):
                await self.shelf.put(msgspec.msgpack.encode(part), len(part))
                self.many += len(part)
        except (OSError, UnicodeError, msgspec.MsgspecError) as error:
            LOG.warning("%d accesses could not be kept (%s)", len(passing), type(error).__name__)
            return events
        return [event for event in events if event.id not in passing]

    def _passes(self, event: Event, decisions: Decisions, now: float) -> bool:
        """Whether an access would be stored now, which reduces it to what would be."""
        if event.unsaid:
            return False
        if event.subject != NOBODY:
            uses, asked = self.said.get(event.subject, (0, event.asked))
            if now - min(event.asked, asked) > LEASE:
                return False
            event.uses &= uses
        return isinstance(understood(event, decisions), Event)

    async def drain(self, store: Callable[[list[Event]], Awaitable[None]]) -> Counter[tuple[str, str]]:
        """Hand what was kept to `store`, in order; a lot goes once all of it was. Raises what `store` does.

        Return what is lost.
        """
        lost: Counter[tuple[str, str]] = Counter()
        if self.shelf is None:
            return lost
        async with contextlib.aclosing(self.shelf.lots()) as lots:
            async for lot in lots:
                for record in lot.records:
                    events = [_event(each) for each in READER.decode(record)]
                    await store(events)
                    self.many = max(0, self.many - len(events))
                if lot.torn:
                    LOG.warning("accesses that were kept were torn, and their end is set aside")
                    lost["dropped", "spool-torn"] += 1
                await lot.done()
        self.many = 0
        return lost

    async def expire(self) -> int:
        """Let go of what has lain there too long; return how many that was."""
        try:
            return await self.shelf.expire() if self.shelf is not None else 0
        except OSError:
            return 0


def _kept(event: Event) -> Kept:
    values = {name: told for name in TYPES if (told := getattr(event, name)) is not None}
    device, identified = (asdict(event.device), event.identified) if event.device else (None, None)
    return Kept(event.id, event.at, event.subject, event.uses, event.objects, values, device, identified, event.found)


def _event(kept: Kept) -> Event:
    device = Device(**kept.device) if kept.device else None
    return Event(
        id=kept.id, at=kept.at, subject=kept.subject, uses=kept.uses, objects=kept.objects, device=device,
        identified=kept.identified, found=kept.found, **kept.values,
    )  # fmt: skip
