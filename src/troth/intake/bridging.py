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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from troth.database import place
from troth.intake import sent
from troth.intake.answers import Answer, Outcome, Request
from troth.intake.decisions import Decisions
from troth.intake.kinds import KINDS
from troth.intake.sent import Known, Sender, Sent
from troth.intake.spool import Spool

LOG = logging.getLogger(__name__)
#: Seconds for which what the database said of somebody is believed while it is away.
LEASE = 15.0
#: People of whom that is remembered.
REMEMBERED = 20_000
#: Events that may lie in the spool, whose keys are remembered.
MOST = 100_000
LABEL = "what is kept while the database is away"

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


class Bridge:
    """The lease, and the spool. Without a spool, since another process has it, nothing is kept."""

    def __init__(self, secret: bytes) -> None:
        """Know nothing yet."""
        self.secret = secret
        self.known: dict[Asked, tuple[Known, float]] = {}
        self.decisions: tuple[Decisions, float] | None = None
        self.keys: dict[bytes, bytes] = {}
        #: By outcome and reason, what was acknowledged and is not stored: to be counted where the operator sees it.
        self.lost: Counter[tuple[str, str]] = Counter()
        self.spool: Spool | None = None

    async def start(self) -> None:
        """Take the spool, with what a process before this one left."""
        where = place.current()
        try:
            self.spool = Spool(where.data / "spool", place.secrets_of(where).derive(LABEL))
        except OSError as error:
            LOG.warning("nothing is kept while the database is away (%s)", type(error).__name__)
            return
        await asyncio.to_thread(self._recall, self.spool)

    def _recall(self, spool: Spool) -> None:
        for name in spool.names:
            for record in spool.read(name).records:
                self.keys.update((each.key, each.body) for each in READER.decode(record))

    def stop(self) -> None:
        """Let go of the spool; what it holds stays for the next process."""
        if self.spool is not None:
            self.spool.close()
            self.spool = None

    @property
    def holds(self) -> bool:
        """Whether something was kept that the database has not been told."""
        return self.spool is not None and bool(self.spool.names)

    def learn(self, known: Mapping[Asked, Known], asked: Sequence[Asked], decisions: Decisions, moment: float) -> None:
        """Remember what the database said of people, who was asked about at a moment of the monotonic clock."""
        self.decisions = decisions, moment
        for each in asked:
            self.known.pop(each, None)
            if each in known:
                self.known[each] = known[each], moment
        while len(self.known) > REMEMBERED:
            del self.known[next(iter(self.known))]

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
        if self.spool is None or self.decisions is None or now - self.decisions[1] > LEASE:
            return None
        found = []
        for event in request.events:
            known, moment = self.known.get((request.sender.digest, getattr(event, "person", "")), (None, 0.0))
            if not isinstance(event, Sent) or known is None or now - moment > LEASE:
                return None
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
        if not kept or self.spool is None:
            return not kept
        try:
            await asyncio.to_thread(self.spool.append, msgspec.msgpack.encode(kept), len(kept))
        except OSError as error:
            LOG.warning("%d events could not be kept (%s)", len(kept), type(error).__name__)
            return False
        return True

    async def drain(self, commit: Callable[[Sequence[Request]], Awaitable[None]]) -> None:
        """Hand what was kept to `commit`, in order; a segment goes once all of it was. Raises what `commit` raises."""
        spool = self.spool
        if spool is None:
            return
        await asyncio.to_thread(spool.finish)
        for name in list(spool.names):
            read = await asyncio.to_thread(spool.read, name)
            for record in read.records:
                requests = self._requests(READER.decode(record))
                await commit(requests)
                answers = [answer for request in requests for answer in request.done.result() or ()]
                if many := sum(answer.outcome is Outcome.CONFLICT for answer in answers):
                    self.lost["refused", "conflict"] += many
            if read.torn:
                LOG.warning("a kept segment was torn, and its end is set aside")
                self.lost["dropped", "spool-torn"] += 1
            await asyncio.to_thread(spool.forget, name, torn=read.torn)
        self.keys.clear()

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
        """Let go of what has lain in the spool too long, and count it."""
        if self.spool is None or not self.spool.names:
            return
        with contextlib.suppress(OSError):
            gone = await asyncio.to_thread(self.spool.expire)
            if gone:
                LOG.warning("%d events were kept until their time was over", gone)
                self.lost["dropped", "spool-expired"] += gone


def _kept(event: Sent, sender: Sender) -> Kept:
    return Kept(
        event.key, event.body, event.kind.table, event.at, event.person, sender.application, sender.digest,
        event.objects, event.id, event.values, dict(event.found),
    )  # fmt: skip
