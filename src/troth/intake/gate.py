"""The gate for what applications send: a bounded queue, one commit for many requests, an answer only after it.

What waits here was never acknowledged: on a kill its senders send it again, under the same keys. What is acknowledged
while the database is away lies in the bridge's spool.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

import asyncpg

from troth.database import place, published
from troth.database.published import Published
from troth.intake import batches, sent, store
from troth.intake.ahead import AHEAD, KNOWN, Judging, Laid, lay_out
from troth.intake.answers import Answer, Outcome, Part, Request
from troth.intake.beating import Beating
from troth.intake.bridging import LEASE, Asked, Bridge
from troth.intake.decisions import Decisions
from troth.intake.described import Manifests
from troth.intake.event import Refused
from troth.intake.health import PULSE
from troth.intake.permitting import Permitted, permitted
from troth.intake.recorder import ANSWERED, ASTRAY, AWAY, DECIDED
from troth.intake.rolling import Roller, Salt, rolled
from troth.intake.sent import Known, Sender
from troth.policy.meaning import Stored
from troth.policy.refusing import DECLINED, UNUSED

__all__ = ["Answer", "Away", "Full", "Gate", "Outcome"]

LOG = logging.getLogger(__name__)
#: Events that may wait, of one application at most a part of them; events of one commit.
ROOM, SHARE, BATCH = 20_000, 5_000, 2_000
#: Keys that are known without looking again. Each commit asks whether its keys are open, the trigger refuses what a
#: person does not permit any more, and nothing is refused by what was remembered.
MOST_KNOWN = 1_000
#: Seconds for which it is judged ahead by what was decided; it is judged anew if something else is, by the commit.
LATELY = 2 * DECIDED
LABEL = "what applications send"
#: Seconds after which a database that was away is tried again; after which it is looked for what another node kept.
PAUSE, WATCHED = 1.0, 5.0
#: SQLSTATEs of a statement that does not fit the tables: another version of troth made them, and this one is to end.
MISFIT = ("42703", "42804", "42883", "42P01")
#: How often others have their turn before a commit begins: what arrived at the same time comes into it too.
TURNS = 4
#: Events of which half are committed while the other half is read and judged; fewer are worth no commit of their own.
HALVED = 48


class Full(Exception):
    """No room: to be sent again later."""


class Away(Exception):
    """The database is away: nothing was stored that was not acknowledged before, to be sent again later."""


class Gate:
    """Judges and stores what applications send. No timers: a batch is what came while the last one was committed.

    Of many events half are committed at once, so that server and database work at the same time, not in turn.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.waiting: deque[Request] = deque()
        self.held, self.queued, self.many = 0, 0, Counter[str]()
        self.wake = asyncio.Event()
        self.opening = asyncio.Lock()
        self.pool: asyncpg.Pool[asyncpg.Record] | None = None
        self.task: asyncio.Task[None] | None = None
        self.decisions: Decisions | None = None
        self.stored: Sequence[Stored] = ()
        self.published: Published | None = None
        self.decided = 0.0
        self.ahead = Judging(self._remembered, self._lay_out)
        self.committing = False
        self.laid: Laid | None = None
        self.senders: dict[bytes, tuple[Sender | None, float]] = {}
        self.secret = b""
        self.bridge = Bridge(b"")
        self.away_until = 0.0
        self.roller = Roller()
        self.manifests = Manifests()
        self.beating = Beating()

    async def start(self) -> None:
        """Begin to store, first of all what a process before this one had kept while the database was away."""
        self.secret = place.secrets_of(place.current()).derive(LABEL)
        self.bridge = Bridge(self.secret)
        await self.bridge.start()
        PULSE.watch("events", lambda: self.held)
        PULSE.watch("kept", lambda: len(self.bridge.keys))
        self.task = asyncio.create_task(self._run(), name="gate")
        self.beating.start()

    async def stop(self) -> None:
        """Let the batch that is being written end, tell those who wait that theirs was not, and end."""
        await self.beating.stop()
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        for request in (*(self.laid.batch if self.laid else ()), *self.waiting):
            request.tell(None)
        self.waiting.clear()
        await self.bridge.stop()
        if self.pool is not None:
            self.pool.terminate()
            self.pool = None

    def remembered(self, digest: bytes) -> Sender | None:
        """Return whose key has this digest, where the database said so a moment ago."""
        known = self.senders.get(digest)
        return known[0] if known is not None and time.monotonic() < known[1] else None

    async def sender(self, digest: bytes) -> Sender | None:
        """Return whose key has this digest; None where it opens nothing. Raises Away."""
        known = self.senders.get(digest)
        if known is None or time.monotonic() >= known[1]:
            try:
                async with asyncio.timeout(ANSWERED):
                    application = await (await self._pool()).fetchval("SELECT troth.sender($1)", digest)
            except AWAY as error:
                if known is None or known[0] is None or time.monotonic() >= known[1] - KNOWN + LEASE:
                    raise Away from error
            else:
                if len(self.senders) >= MOST_KNOWN:
                    self.senders.clear()
                found = Sender(application, digest, self.secret) if application else None
                known = self.senders[digest] = found, time.monotonic() + KNOWN
        return known[0]

    async def permitted(self, sender: Sender, person: str) -> Permitted:
        """Return what would be kept now of somebody's events, and in their browser. Raises Away."""
        asked = sender.digest, person
        try:
            async with asyncio.timeout(ANSWERED):
                decisions, known = await self._decide(), await batches.known(await self._pool(), [asked])
        except AWAY as error:
            raise Away from error
        return permitted(known.get(asked), decisions, self.stored, objects=sender.objects)

    async def take(self, sender: Sender, events: Sequence[Part]) -> list[Answer]:
        """Return what became of each event once that is committed. Raises Full at once, and Away."""
        request = self.put(sender, events)
        try:
            answers = await request.done
        finally:
            self.over(request)
        if answers is None:
            raise Away
        return answers

    def put(self, sender: Sender, events: Sequence[Part]) -> Request:
        """Let events wait for a commit, until somebody says that it is over. Raises Full at once."""
        many = len(events)
        if self.held + many > ROOM or self.many[sender.application] + many > SHARE:
            PULSE.shed += many
            raise Full
        request = Request(sender, events, asyncio.get_running_loop().create_future())
        self.held += many
        self.many[sender.application] += many
        self.waiting.append(request)
        self.queued += many
        self.ahead.add(request, soon=2 * self.queued >= self.held)
        self.wake.set()
        return request

    def over(self, request: Request) -> None:
        """Make room: nobody waits any longer for what becomes of a request."""
        self.held -= len(request.events)
        self.many[request.sender.application] -= len(request.events)

    async def _run(self) -> None:
        while True:
            await self._woken()
            await self._drained()
            while self.waiting or self.laid:
                if self.laid is None:
                    await self._gathered()
                laid, self.laid = self.laid, None
                self.committing = True
                await self._keep(laid.batch if laid else self._taken(), laid)
                self.committing = False
                await self._drained()

    async def _gathered(self) -> None:
        """Let others have their turn, unless half of what is held waits: the answers to the other half can wait."""
        if self.queued < self._half():
            for _ in range(TURNS):
                await asyncio.sleep(0)

    def _half(self) -> int:
        """Return how many events of those that are held are worth a commit while the others are read and judged."""
        return self.held // 2 if self.held >= HALVED else BATCH

    async def _woken(self) -> None:
        """Wait for a request; while something is kept, or lost and not told, no longer than until the next try."""
        if self.bridge.holds or self.bridge.lost or self.bridge.shared:
            pause = PAUSE if self.bridge.holds or self.bridge.lost else WATCHED
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), pause)
        else:
            await self.wake.wait()
        self.wake.clear()

    async def _drained(self) -> None:
        """Store what was kept, if the database is back: nothing goes past it."""
        await self.bridge.expire()
        if time.monotonic() < self.away_until or not (self.bridge.holds or self.bridge.lost):
            return
        try:
            await self.bridge.drain(self._commit)
            await self._count_lost()
        except AWAY as error:
            self._went_away(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the intake
            LOG.warning("what was kept could not be stored (%s)", type(error).__name__)
            self.away_until = time.monotonic() + PAUSE

    async def _count_lost(self) -> None:
        async with asyncio.timeout(ANSWERED), (await self._pool()).acquire() as connection:
            while self.bridge.lost:
                (outcome, reason), many = next(iter(self.bridge.lost.items()))
                await store.count(connection, outcome, reason, many)
                del self.bridge.lost[outcome, reason]

    def _went_away(self, error: BaseException) -> None:
        LOG.info("the database is away (%s)", type(error).__name__)
        self.away_until = time.monotonic() + PAUSE

    def _taken(self) -> list[Request]:
        batch = [self.waiting.popleft()]
        many, most = len(batch[0].events), min(self._half(), BATCH)
        while self.waiting and many + len(self.waiting[0].events) <= most:
            batch.append(self.waiting.popleft())
            many += len(batch[-1].events)
        for request in batch:
            request.ahead.over = True
        self.queued -= many
        self.ahead.leave()
        return batch

    def _lay_out(self) -> None:
        """Lay out the half of what is held that is committed next, once it waits, while the other half is committed."""
        by, salt = self._remembered(), self.roller.known()
        if not self.committing or self.laid is not None or by is None or salt is None:
            return
        if self.queued >= self._half():
            self.laid = lay_out(self._taken(), *by, salt)

    def _remembered(self) -> tuple[Bridge, Decisions] | None:
        """Return by what is judged ahead; None while the database is away, or nothing was decided lately."""
        moment = time.monotonic()
        if moment < self.away_until or self.bridge.holds or moment - self.decided > LATELY or self.decisions is None:
            return None
        return self.bridge, self.decisions

    async def _keep(self, batch: Sequence[Request], laid: Laid | None) -> None:
        """Write a batch; while the database is away, or behind what was kept then, keep what may be kept."""
        try:
            if not await self._committed(batch, laid):
                await self.bridge.keep([request for request in batch if not request.done.done()])
        except asyncio.CancelledError:
            for request in batch:
                request.tell(None)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the intake
            LOG.warning("%d requests could not be stored (%s)", len(batch), type(error).__name__)
            for request in batch:
                request.tell(None)

    async def _committed(self, batch: Sequence[Request], laid: Laid | None) -> bool:
        if time.monotonic() < self.away_until or self.bridge.holds:
            return False
        try:
            await self._commit(batch, laid)
        except AWAY as error:
            self._went_away(error)
            return False
        return True

    async def _commit(self, batch: Sequence[Request], laid: Laid | None = None) -> None:
        """Write a batch. One that the database refuses is judged anew, and then request by request."""
        if not await self._attempt(batch, laid) and not await self._attempt(batch, anew=True):
            for request in batch:
                if not await self._attempt([request], anew=True):
                    LOG.warning("%d events were refused by the database", len(request.events))
                    await self._turned_away(request)

    async def _turned_away(self, request: Request) -> None:
        """Count and answer what the database refused though everything before it had let it pass."""
        why = Refused("refused-by-the-database")
        async with (await self._pool()).acquire() as connection:
            await store.count(connection, "refused", why.reason, len(request.events))
        request.tell([batches.refused(why)] * len(request.events))

    async def _attempt(self, batch: Sequence[Request], laid: Laid | None = None, *, anew: bool = False) -> bool:
        """Judge and commit a batch and answer; False when the database refuses it as a whole.

        With `anew` nothing that was said of a person before counts.
        """
        try:
            async with asyncio.timeout(ANSWERED), (await self._pool()).acquire() as connection:
                if anew or not await self._written_new(connection, batch, laid):
                    async with connection.transaction():
                        # Behind the beginning, which a database that is away refuses at once.
                        await self._write(connection, batch, await self._decide(), KNOWN if not anew else 0.0)
        except asyncpg.PostgresError as error:
            if isinstance(error, AWAY) or error.sqlstate in MISFIT:
                raise
            if error.sqlstate not in (DECLINED, UNUSED):
                LOG.warning("the database refuses a batch (%s)", error.sqlstate)
            self.decisions = None
            return False
        except ASTRAY:
            if self.pool is not None:
                self.pool.terminate()
                self.pool = None
            raise
        PULSE.committed()
        for request in batch:
            request.tell([request.answers[nth] for nth in range(len(request.events))])
        return True

    async def _written_new(self, connection: Any, batch: Sequence[Request], laid: Laid | None) -> bool:  # noqa: ANN401 - asyncpg's proxy
        """Write a batch as nearly all are: of keys that are open, and all new; False where it is to be looked at again.

        Nothing is asked that was said lately, and what is stored is in one statement. Raises asyncpg.PostgresError.
        """
        salt = self.roller.known()
        if salt is None:
            return False
        if self._undecided():
            await connection.execute("SELECT")  # a database that is away refuses it at once
        decisions = await self._decide()
        try:
            if laid is not None and (statement := laid.holds(decisions, salt)):
                for request in batch:
                    request.answers = dict.fromkeys(range(len(request.events)), batches.ANSWERS[Outcome.STORED])
                return await store.write_new(connection, statement)
            return await self._write_new(connection, batch, decisions, salt)
        except asyncpg.PostgresError as error:
            if error.sqlstate != store.BEFORE:
                raise
            return False

    async def _write_new(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg's proxy
        batch: Sequence[Request],
        decisions: Decisions,
        salt: Salt,
    ) -> bool:
        known, judged = await self._judge(connection, batch, decisions, KNOWN)
        events = [event for _, _, event in judged]
        fresh = [event for request, nth, event in judged if nth not in request.ahead.passed]
        senders = {request.sender.digest: request.sender.application for request in batch}
        if not events or any((digest, "") not in known for digest in senders) or batches.alike(events):
            return False
        sent.reduced(fresh, decisions)
        for request, nth, _ in judged:
            request.answers[nth] = batches.ANSWERS[Outcome.STORED]
        apart = len(events) < sum(len(request.events) for request in batch) or any(each.found for each in events)
        statement = store.laid_out(senders, events, rolled(events, decisions, salt), decisions)
        async with connection.transaction() if apart else contextlib.nullcontext():
            new = await store.write_new(connection, statement)
            if new and apart:
                await batches.count(connection, batch, known, events)
        return new

    async def _write(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg's proxy
        batch: Sequence[Request],
        decisions: Decisions,
        known_for: float,
    ) -> None:
        known, judged = await self._judge(connection, batch, decisions, known_for, ask=True)
        fresh = await batches.fresh(connection, judged)
        reduced = sent.reduced(fresh, decisions)
        await store.write_sent(connection, reduced, decisions)
        await self.roller.roll(connection, reduced, decisions)
        await batches.count(connection, batch, known, reduced)

    async def _judge(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg's proxy
        batch: Sequence[Request],
        decisions: Decisions,
        known_for: float,
        *,
        ask: bool = False,
    ) -> tuple[dict[Asked, Known], Sequence[batches.Judged]]:
        """Return what is known of whom a batch is about, and what of it passes; all else is answered.

        With `ask` it is asked whether the keys are open, and nothing was judged ahead.
        """
        for request in batch:
            request.answers.clear()
            request.ahead.hold(decisions, since=math.inf if ask else time.monotonic() - AHEAD)
        asked = batches.asked(batch)
        recent = self.bridge.recent([each for each in asked if each[1] or not ask], known_for)
        missing = [each for each in asked if each not in recent]
        known = await self._learnt(connection, missing, decisions) if missing else {}
        known |= {each: said for each, said in recent.items() if not ask or (each[0], "") in known}
        declared = await self.manifests.of(connection, batch)
        judged = list(batches.judged(batch, known, decisions, declared))
        if doubted := batches.doubted(batch, recent):
            known |= await self._learnt(connection, doubted, decisions)
            judged = list(batches.judged(batch, known, decisions, declared))
        return known, judged

    async def _learnt(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg's proxy
        asked: Sequence[Asked],
        decisions: Decisions,
    ) -> dict[Asked, Known]:
        """Ask the database, and remember what it says."""
        moment = time.monotonic()
        known = await batches.known(connection, asked)
        self.bridge.learn(known, asked, decisions, min(moment, self.decided))
        return known

    def _undecided(self) -> bool:
        return self.decisions is None or time.monotonic() - self.decided > DECIDED

    async def _decide(self) -> Decisions:
        if self.decisions is None or self._undecided():
            now = await asyncio.to_thread(published.current, "intake")
            if self.decisions is None or now != self.published:
                self.decisions, self.stored = Decisions.of(now.plan, now.bits), now.policy.stored
            self.published = now
            self.manifests.under(now.policy, now.catalog)
            self.decided = time.monotonic()
        return self.decisions

    async def _pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        async with self.opening:
            if self.pool is None:
                self.pool = await store.open_pool()
            return self.pool
