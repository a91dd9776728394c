"""Accesses on their way into the database: a bounded queue, and a flusher that takes whatever came meanwhile."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import asyncpg
import psycopg

from troth.database import place, published
from troth.database.errors import DatabaseRefusal
from troth.intake.decisions import Decisions
from troth.intake.event import Event, Refused
from troth.intake.health import FIGURES, PULSE
from troth.intake.remainder import Remainder
from troth.intake.steps import shorten, through
from troth.intake.store import Store, ask_again, count, count_found, count_refused, note_refused, open_pool
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
        self.decided = 0.0
        self.taken = 0
        self.remainder: Remainder | None = None

    def record(self, event: Event) -> None:
        """Take an event; when there is no room, count it as dropped."""
        if len(self.waiting) >= ROOM:
            self.counts["dropped", "queue-full"] += 1
            return
        shorten(event)
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
        PULSE.watch("accesses", lambda: len(self.waiting) + self.taken)
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
        if self.remainder is not None:
            self.remainder.close()
            self.remainder = None

    async def _run(self) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.waiting or self.counts:
                await self._keep(self._take())

    async def _keep(self, batch: list[Event]) -> None:
        """Store a batch. One that the database refuses is halved until what it refuses stands alone, and is counted."""
        parts = [batch]
        try:
            while parts:
                part = parts[-1]
                refused = await self._attempt(part)
                parts.pop()
                if refused and len(part) > 1:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
                elif refused:
                    self._drop(refused, part)
        except asyncio.CancelledError:
            for part in parts:
                self.waiting.extendleft(reversed(part))
            raise
        self.taken = 0
        self._tell()

    def _drop(self, reason: str, part: Sequence[Event]) -> None:
        LOG.warning("%d accesses were dropped (%s)", len(part), reason)
        if part:
            self.counts["dropped", reason] += len(part)
        else:
            self.counts.clear()  # not even the counts were taken; trying them for ever would be a busy loop

    async def _attempt(self, part: Sequence[Event]) -> str:
        """Store a part, waiting for a database that is away; return why it was refused, or nothing."""
        refused, anew = "", False
        for pause in PAUSES:
            try:
                await self._flush(part, anew=anew)
            except AWAY as error:
                anew = True
                LOG.info("the intake waits for the database (%s)", type(error).__name__)
                await asyncio.sleep(pause)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the intake
                again, refused = not refused, f"database-{getattr(error, 'sqlstate', None) or type(error).__name__}"
                if not again:
                    return refused
                self.decisions, anew = None, True  # the policy, or what people permit, changed under the batch
            else:
                return ""
        self._drop("database-away", part)
        return ""

    def _take(self) -> list[Event]:
        self.taken = min(BATCH, len(self.waiting))
        return [self.waiting.popleft() for _ in range(self.taken)]

    def _tell(self) -> None:
        if self.remainder is not None:
            self.remainder.keep(len(self.waiting) + self.taken)

    async def _flush(self, batch: Sequence[Event], *, anew: bool) -> None:
        decisions = await self._decide()
        counted, self.counts = self.counts, Counter()
        try:
            async with asyncio.timeout(ANSWERED):
                await self._write(batch, decisions, counted, anew=anew)
        except BaseException as error:
            self.counts += counted
            if isinstance(error, ASTRAY) and self.pool is not None:
                self.pool.terminate()
                self.pool = None
            raise

    async def _write(
        self, batch: Sequence[Event], decisions: Decisions, counted: Counter[tuple[str, str]], *, anew: bool
    ) -> None:
        """Judge a batch and store what is left of it; with `anew` nobody permits more than they do by now."""
        if self.pool is None:
            self.pool = await open_pool()
        async with self.pool.acquire() as connection, connection.transaction():
            if anew:
                await ask_again(connection, batch)
            # A batch that is tried again is judged again, by the policy then in force: the steps may be taken twice.
            judged = [understood(event, decisions) for event in batch]
            kept = [event for event in judged if isinstance(event, Event)]
            await self.store.write(connection, kept, decisions)
            for (outcome, reason), many in counted.items():
                await count(connection, outcome, reason, many)
            await count_refused(connection, Counter(why for why in judged if isinstance(why, Refused)))
            await note_refused(connection, Counter(about(batch, judged)))
            await count_found(connection, kept)
        self.store.committed()
        PULSE.committed(other=any(not (event.url or "").startswith(FIGURES) for event in kept))

    async def _decide(self) -> Decisions:
        if self.decisions is None or time.monotonic() - self.decided > DECIDED:
            now = await asyncio.to_thread(published.current, "intake")
            self.decisions, self.decided = Decisions.of(now.plan, now.bits), time.monotonic()
        return self.decisions


def about(batch: Iterable[Event], judged: Iterable[Event | Refused]) -> Iterator[tuple[uuid.UUID, Refused]]:
    """Yield of which people something was refused that the policy collects, and why: they are told how often."""
    for event, why in zip(batch, judged, strict=True):
        if isinstance(why, Refused) and why.clause and subjects.whose(event.subject) is Whose.PERSON:
            yield event.subject, why


def understood(event: Event, decisions: Decisions) -> Event | Refused:
    """Take an event through the steps; one that a step stumbles over is refused, and takes no other with it."""
    try:
        return through(event, decisions)
    except Exception as error:  # noqa: BLE001 - whatever a client sent must not end the intake
        LOG.warning("an access was not understood (%s)", type(error).__name__)
        return Refused("not-understood")


def seen(told: dict[str, Any]) -> dict[str, Any]:
    """Return what a face told of who is asking: `subject`, `uses`, `identified`, or nothing for a visitor."""
    return {name: told[name] for name in ("subject", "uses", "identified") if name in told}
