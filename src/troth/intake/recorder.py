"""Accesses on their way into the database: a bounded queue, and a flusher that takes whatever came meanwhile.

While the database is away what may be kept is shelved, sealed; when it is back, that is judged again and stored first.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import asyncpg
import psycopg

from troth.database import place, published
from troth.database.errors import DatabaseRefusal
from troth.intake.decisions import Decisions
from troth.intake.event import Event, Refused
from troth.intake.health import FIGURES, PULSE
from troth.intake.remainder import Remainder
from troth.intake.shelving import Shelved
from troth.intake.steps import shorten, understood
from troth.intake.store import (
    Store,
    StoredBefore,
    ask_again,
    count,
    count_found,
    count_refused,
    note_refused,
    open_pool,
)
from troth.policy import subjects
from troth.policy.meaning import Whose

LOG = logging.getLogger(__name__)
ROOM = 20_000
BATCH = 2_000
DECIDED = 1.0
CLOSING = 5.0
#: A connection that ended while it was opened may be waited for without end; after so long another one is tried.
ANSWERED = 30.0
PAUSES = (0.1, 0.5, 1, 2, 5, 5, 5, 10, 10, 20)
#: Seconds after which what came meanwhile is shelved, or a database that was away tried again; after which it is
#: looked for what another node shelved.
PAUSE, WATCHED = 1.0, 5.0
#: Why a part is halved of which some rows were stored before: what is counted of them is counted once.
TWICE = "stored-before"
#: The database is away, full, or too busy: the same batch may be taken in a moment.
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InternalClientError,
    psycopg.Error,
    DatabaseRefusal,
)
#: The client lost count of where a connection stands (one that ended while it was opened or handed over).
ASTRAY = (TimeoutError, asyncpg.InternalClientError)


class Recorder:
    """Judges and stores accesses behind the answers.

    What waits in memory is lost on a kill: at most ROOM and one BATCH, counted at the next start as `dropped: killed`.
    While the database is away, that is what may not be shelved, and what came within the last second.

    No timers: a batch is what queued while the last one was written.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.waiting: deque[Event] = deque()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.wake = asyncio.Event()
        self.store = Store()
        self.pool: asyncpg.Pool[asyncpg.Record] | None = None
        self.task: asyncio.Task[None] | None = None
        self.decisions: Decisions | None = None
        #: What was decided last, and when: what is shelved is judged by it for a while.
        self.held: Decisions | None = None
        self.decided = 0.0
        self.taken = 0
        self.remainder: Remainder | None = None
        self.shelved = Shelved()

    def record(self, event: Event) -> None:
        """Take an event; when there is no room, count it as dropped."""
        if len(self.waiting) >= ROOM:
            self.counts["dropped", "queue-full"] += 1
            return
        shorten(event)
        self.shelved.hear(event)
        self.waiting.append(event)
        self._tell()
        self.wake.set()

    async def start(self) -> None:
        """Begin to store, and count what a killed process before this one had not stored yet."""
        with contextlib.suppress(OSError):
            self.remainder = Remainder(place.current().data / "log" / "intake.waiting")
        if self.remainder is not None and self.remainder.lost:
            self.counts["dropped", "killed"] += self.remainder.lost
            self.wake.set()
        await self.shelved.start()
        PULSE.watch("accesses", lambda: len(self.waiting) + self.taken)
        PULSE.watch("shelved", lambda: self.shelved.many)
        self.task = asyncio.create_task(self._run(), name="intake")

    async def stop(self) -> None:
        """Store what waits, for at most a few seconds, and end."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        try:
            async with asyncio.timeout(CLOSING):
                while self.waiting or self.counts:
                    await self._keep(self._take())
                if self.pool is not None:
                    await self.pool.close()
        except TimeoutError:
            LOG.warning("%d accesses were lost on the way out", len(self.waiting))
            if self.pool is not None:
                self.pool.terminate()
        await self.shelved.stop()
        if self.remainder is not None:
            self.remainder.close()
            self.remainder = None

    async def _run(self) -> None:
        while True:
            await self._woken()
            await self._drained()
            while self.waiting or self.counts:
                await self._keep(self._take())
                await self._drained()

    async def _woken(self) -> None:
        """Wait for an access; while something is shelved, no longer than until the next try."""
        if self.shelved.holds or self.shelved.shared:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), PAUSE if self.shelved.holds else WATCHED)
        else:
            await self.wake.wait()
        self.wake.clear()

    async def _drained(self) -> None:
        """Store what was shelved, if the database is back."""
        if expired := await self.shelved.expire():
            LOG.warning("%d accesses were kept until their time was over", expired)
            self.counts["dropped", "spool-expired"] += expired
        if not self.shelved.holds:
            return
        try:
            self.counts += await self.shelved.drain(self._restore)
        except AWAY as error:
            LOG.info("what was kept waits for the database (%s)", type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the intake
            LOG.warning("what was kept could not be stored (%s)", type(error).__name__)
            await asyncio.sleep(PAUSE)

    async def _restore(self, kept: list[Event]) -> None:
        """Store what was shelved, as it is judged now. Raises what says that the database is away."""
        await self._settle([kept], partial(self._once, anew=True))

    async def _keep(self, batch: list[Event]) -> None:
        """Store a batch, or shelve what of it may be."""
        parts = [batch]
        try:
            await self._settle(parts, self._attempt)
        except asyncio.CancelledError:
            for part in parts:
                self.waiting.extendleft(reversed(part))
            raise
        self.taken = 0
        self._tell()

    async def _settle(self, parts: list[list[Event]], attempt: Callable[[list[Event]], Awaitable[str]]) -> None:
        """Store parts. One that the database refuses is halved until what it refuses stands alone, and is counted."""
        while parts:
            part = parts[-1]
            refused = await attempt(part)
            parts.pop()
            if refused and len(part) > 1:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
            elif refused:
                self._drop(refused, part)

    def _drop(self, reason: str, part: Sequence[Event]) -> None:
        LOG.warning("%d accesses were dropped (%s)", len(part), reason)
        if part:
            self.counts["dropped", reason] += len(part)
        else:
            self.counts.clear()  # not even the counts were taken; trying them for ever would be a busy loop

    async def _attempt(self, part: list[Event]) -> str:
        """Store a part, or shelve what may be while the database is away; return why it was refused, or nothing."""
        for tried, pause in enumerate(PAUSES):
            try:
                return await self._once(part, anew=tried > 0)
            except AWAY as error:
                LOG.info("the intake waits for the database (%s)", type(error).__name__)
                await self._shelve(part)
                await self._pause(pause)
        if part:
            self._drop("database-away", part)
        return ""

    async def _once(self, part: Sequence[Event], *, anew: bool) -> str:
        """Store a part, or return why the database refuses it. Raises what says that it is away."""
        refused = ""
        for _ in range(2):
            try:
                await self._flush(part, anew=anew)
            except AWAY:
                raise
            except StoredBefore:
                return TWICE
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the intake
                refused = f"database-{getattr(error, 'sqlstate', None) or type(error).__name__}"
                # The policy, or what people permit, changed under the batch.
                self.decisions, self.held, anew = None, None, True
            else:
                return ""
        return refused

    async def _shelve(self, part: list[Event]) -> None:
        """Keep what may be kept of a part, which loses it."""
        part[:] = await self.shelved.keep(part, self.held, self.decided)
        self.taken = len(part)
        self._tell()

    async def _pause(self, seconds: float) -> None:
        """Wait, and shelve what comes meanwhile, before it is too long ago that anything was said of it."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, PAUSE))
            came, held = list(self.waiting), self.taken
            self.waiting.clear()
            self.taken += len(came)
            try:
                came[:] = await self.shelved.keep(came, self.held, self.decided)
            finally:
                self.waiting.extendleft(reversed(came))
                self.taken = held
                self._tell()

    def _take(self) -> list[Event]:
        self.taken = min(BATCH, len(self.waiting))
        return [self.waiting.popleft() for _ in range(self.taken)]

    def _tell(self) -> None:
        if self.remainder is not None:
            self.remainder.keep(len(self.waiting) + self.taken)

    async def _flush(self, batch: Sequence[Event], *, anew: bool) -> None:
        counted, self.counts = self.counts, Counter()
        try:
            async with asyncio.timeout(ANSWERED):
                pool = await self._pool()
                async with pool.acquire() as connection, connection.transaction():
                    # Behind the beginning, which a database that is away refuses at once.
                    await self._write(connection, batch, counted, anew=anew)
        except BaseException as error:
            self.counts += counted
            if isinstance(error, ASTRAY) and self.pool is not None:
                self.pool.terminate()
                self.pool = None
            raise
        self.store.committed()
        PULSE.committed(other=any(not (event.url or "").startswith(FIGURES) for event in batch))

    async def _write(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg's proxy
        batch: Sequence[Event],
        counted: Counter[tuple[str, str]],
        *,
        anew: bool,
    ) -> None:
        """Judge a batch and store what is left of it; with `anew` nobody permits more than they do by now."""
        decisions = await self._decide()
        if anew:
            await ask_again(connection, batch)
        # A batch that is tried again is judged again, by the policy then in force: the steps may be taken twice.
        judged = [understood(event, decisions) for event in batch]
        kept = [event for event in judged if isinstance(event, Event)]
        fresh = await self.store.write(connection, kept, decisions)
        for (outcome, reason), many in counted.items():
            await count(connection, outcome, reason, many)
        await count_refused(connection, Counter(why for why in judged if isinstance(why, Refused)))
        await note_refused(connection, Counter(about(batch, judged)))
        if fresh:
            await count_found(connection, kept)

    async def _pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        if self.pool is None:
            self.pool = await open_pool()
        return self.pool

    async def _decide(self) -> Decisions:
        if self.decisions is None or time.monotonic() - self.decided > DECIDED:
            moment = time.monotonic()
            now = await asyncio.to_thread(published.current, "intake")
            self.decisions = self.held = Decisions.of(now.plan, now.bits)
            self.decided = moment
        return self.decisions


def about(batch: Iterable[Event], judged: Iterable[Event | Refused]) -> Iterator[tuple[uuid.UUID, Refused]]:
    """Yield of which people something was refused that the policy collects, and why: they are told how often."""
    for event, why in zip(batch, judged, strict=True):
        if isinstance(why, Refused) and why.clause and subjects.whose(event.subject) is Whose.PERSON:
            yield event.subject, why


def seen(told: dict[str, Any]) -> dict[str, Any]:
    """Return what a face told of who is asking: `subject`, `uses`, `identified`, or nothing for a visitor."""
    return {name: told[name] for name in ("subject", "uses", "identified") if name in told}
