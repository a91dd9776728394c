"""What the gate does while the database is away: judge by what it said a moment ago, and keep what passes, sealed.

Whoever was not asked about within the lease is not judged, and nothing of theirs is kept. What was kept is judged again
by the database when it is back, before anything newer, and stored once by its key.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from troth.intake import sent, shelf
from troth.intake.answers import Answer, Outcome, Request
from troth.intake.decisions import Decisions
from troth.intake.event import ordered_uuid
from troth.intake.kinds import KINDS
from troth.intake.sent import Known, Sender, Sent
from troth.intake.shelf import Lot, Shelf

LOG = logging.getLogger(__name__)
#: Seconds for which what the database said of somebody is believed while it is away.
LEASE = 15.0
#: People of whom that is remembered at the most, each in some 400 bytes: nobody is for longer than the lease.
REMEMBERED = 1_000_000
#: Events that may lie in the spool, whose keys are remembered.
MOST = 100_000
#: Bytes of events that are sealed in one record: a server takes no more than a million in one message.
LONGEST_PART = 256 * 1024

type Asked = tuple[bytes, str]


class Kept(msgspec.Struct, array_like=True):
    """An event as it is kept: judged and reduced, with whose key brought it."""

    key: bytes
    body: bytes
    kind: str
    at: datetime
    person: str
    application: str
    digest: bytes
    objects: bool
    id: uuid.UUID
    values: dict[str, Any]
    found: dict[str, int] = {}


READER = msgspec.msgpack.Decoder(list[Kept])


class Bridge(shelf.Holder):
    """The lease, and the shelf. Without one, since another process has the folder, nothing is kept."""

    def __init__(self, secret: bytes) -> None:
        """Know nothing yet."""
        self.secret = secret
        self.known: dict[Asked, tuple[Known, float]] = {}
        self.decisions: tuple[Decisions, float] | None = None
        self.keys: dict[bytes, bytes] = {}
        #: By outcome and reason, what was acknowledged and is not stored: to be counted where the operator sees it.
        self.lost: Counter[tuple[str, str]] = Counter()
        self.shelf: Shelf | None = None

    async def start(self) -> None:
        """Take the shelf, with what a process before this one left there."""
        try:
            self.shelf = shelf.opened()
        except OSError as error:
            LOG.warning("nothing is kept while the database is away (%s)", type(error).__name__)
            return
        for record in await self.shelf.left():
            self.keys.update((each.key, each.body) for each in READER.decode(record))

    def learn(self, known: Mapping[Asked, Known], asked: Sequence[Asked], decisions: Decisions, moment: float) -> None:
        """Remember what the database said of people, who was asked about at a moment of the monotonic clock.

        What was said longer ago than the lease is forgotten: nothing goes by it any more.
        """
        self.decisions = decisions, moment
        for each in asked:
            self.known.pop(each, None)
            if each in known:
                self.known[each] = known[each], moment
        while self.known:
            oldest = next(iter(self.known))
            if len(self.known) <= REMEMBERED and moment - self.known[oldest][1] <= LEASE:
                break
            del self.known[oldest]

    def recent(self, asked: Sequence[Asked], seconds: float) -> dict[Asked, Known]:
        """Return what the database said of people within so many seconds."""
        since = time.monotonic() - seconds
        found = ((each, self.known.get(each)) for each in asked)
        return {each: said[0] for each, said in found if said is not None and said[1] > since}

    async def keep(self, batch: Sequence[Request]) -> None:
        """Keep each request whose events all pass, and answer it; the others are to be sent again."""
        answers: list[tuple[Request, list[Answer]]] = []
        kept: list[Kept] = []
        for request in batch:
            events = self._passing(request)
            if events is None or len(self.keys) + len(events) > MOST:
                request.tell(None)
            else:
                answers.append((request, self._named(events, kept)))
        sealed = await self._sealed(kept)
        for each in () if sealed else kept:
            del self.keys[each.key]
        for request, told in answers:
            request.tell(told if sealed else None)

    def _passing(self, request: Request) -> list[Kept] | None:
        """Return what of a request would be stored; None where any event is not, or cannot be judged now."""
        now = time.monotonic()
        if self.shelf is None or self.decisions is None or now - self.decisions[1] > LEASE:
            return None
        found = []
        for event in request.events:
            known, moment = self.known.get((request.sender.digest, getattr(event, "person", "")), (None, 0.0))
            if not isinstance(event, Sent) or known is None or now - moment > LEASE or event.metadata is not None:
                return None  # what an application declared is known to the database alone
            judged = sent.judge(event, known, self.decisions[0])
            if not isinstance(judged, Sent):
                return None
            found.append(_kept(sent.reduce(judged, self.decisions[0]), request.sender))
        return found

    def _named(self, events: Sequence[Kept], kept: list[Kept]) -> list[Answer]:
        """Answer each event by its key, and add those that are new to what is kept."""
        answers = []
        for event in events:
            if event.key in self.keys:
                same = self.keys[event.key] == event.body
                answers.append(Answer(Outcome.REPEATED if same else Outcome.CONFLICT))
            else:
                self.keys[event.key] = event.body
                kept.append(event)
                answers.append(Answer(Outcome.KEPT))
        return answers

    async def _sealed(self, kept: Sequence[Kept]) -> bool:
        if not kept or self.shelf is None:
            return not kept
        try:
            for part in parts(kept):
                await self.shelf.put(msgspec.msgpack.encode(part), len(part))
        except OSError as error:
            LOG.warning("%d events could not be kept (%s)", len(kept), type(error).__name__)
            return False
        return True

    async def drain(self, commit: Callable[[Sequence[Request]], Awaitable[None]]) -> None:
        """Hand what was kept to `commit`, in order; a lot goes once all of it was. Raises what `commit` raises."""
        if self.shelf is None:
            return
        async with contextlib.aclosing(self.shelf.lots()) as lots:
            async for lot in lots:
                await self._handed(lot, commit)
        self.keys.clear()

    async def _handed(self, lot: Lot, commit: Callable[[Sequence[Request]], Awaitable[None]]) -> None:
        for record in lot.records:
            requests = self._requests(READER.decode(record))
            await commit(requests)
            answers = [answer for request in requests for answer in request.done.result() or ()]
            if many := sum(answer.outcome is Outcome.CONFLICT for answer in answers):
                self.lost["refused", "conflict"] += many
        if lot.torn:
            LOG.warning("what was kept was torn, and its end is set aside")
            self.lost["dropped", "spool-torn"] += 1
        await lot.done()

    def _requests(self, kept: Sequence[Kept]) -> list[Request]:
        by: dict[tuple[str, bytes], list[Sent]] = {}
        for each in kept:
            event = Sent(
                each.key, each.body, KINDS[each.kind], each.at, each.person, None, each.application, each.objects
            )
            event.id, event.values, event.found = each.id, each.values, dict(each.found)
            by.setdefault((each.application, each.digest), []).append(event)
        loop = asyncio.get_running_loop()
        return [
            Request(Sender(application, digest, self.secret), events, loop.create_future())
            for (application, digest), events in by.items()
        ]

    async def expire(self) -> None:
        """Let go of what has lain there too long, and count it."""
        if self.shelf is None:
            return
        with contextlib.suppress(OSError):
            gone = await self.shelf.expire()
            if gone:
                LOG.warning("%d events were kept until their time was over", gone)
                self.lost["dropped", "spool-expired"] += gone


def parts[T](kept: Sequence[T]) -> Iterator[list[T]]:
    """Yield events in parts that are no longer, packed, than `LONGEST_PART`, or hold one."""
    part, size = list[T](), 0
    for each in kept:
        size += len(msgspec.msgpack.encode(each))
        if part and size > LONGEST_PART:
            yield part
            part, size = [], len(msgspec.msgpack.encode(each))
        part.append(each)
    if part:
        yield part


def _kept(event: Sent, sender: Sender) -> Kept:
    return Kept(
        event.key, event.body, event.kind.table, event.at, event.person, sender.application, sender.digest,
        event.objects, event.id or ordered_uuid(), event.values, dict(event.found),
    )  # fmt: skip
