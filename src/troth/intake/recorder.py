"""Accesses on their way into the database: a bounded queue, and a flusher that takes whatever came meanwhile."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

import asyncpg

from troth.database import published
from troth.intake.event import Event, Refused
from troth.intake.steps import Decisions, through
from troth.intake.store import Store, count, open_pool

LOG = logging.getLogger(__name__)
ROOM = 20_000
BATCH = 2_000
DECIDED = 1.0
CLOSING = 5.0


class Recorder:
    """Judges and stores accesses behind the answers. What waits in memory is lost on a kill: at most ROOM, and counted.

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

    def record(self, event: Event) -> None:
        """Take an event; when there is no room, count it as dropped."""
        if len(self.waiting) >= ROOM:
            self.counts["dropped", "queue-full"] += 1
            return
        self.waiting.append(event)
        self.wake.set()

    async def start(self) -> None:
        """Begin to store."""
        self.task = asyncio.create_task(self._run(), name="intake")

    async def stop(self) -> None:
        """Store what waits, for at most a few seconds, and end."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        try:
            async with asyncio.timeout(CLOSING):
                while self.waiting or self.counts:
                    await self._flush(self._take())
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            LOG.warning("%d accesses were lost on the way out (%s)", len(self.waiting), type(error).__name__)
        if self.pool is not None:
            await self.pool.close()

    async def _run(self) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.waiting or self.counts:
                await self._keep_trying(self._take())

    async def _keep_trying(self, batch: Sequence[Event]) -> None:
        """Store a batch, waiting for a database that is away; a batch that it refuses is counted, not tried again."""
        try:
            for pause in (0.1, 0.5, 1, 2, 5, 5, 5, 10, 10, 20):
                try:
                    await self._flush(batch)
                except (
                    OSError,
                    TimeoutError,
                    asyncpg.PostgresConnectionError,
                    asyncpg.InterfaceError,
                    asyncpg.CannotConnectNowError,
                ):
                    await asyncio.sleep(pause)
                except asyncpg.PostgresError as error:
                    LOG.warning("a batch of %d was refused (%s)", len(batch), error.sqlstate)
                    self.counts["dropped", f"database-{error.sqlstate}"] += len(batch)
                    return
                else:
                    return
        except asyncio.CancelledError:
            self.waiting.extendleft(reversed(batch))
            raise
        self.counts["dropped", "database-away"] += len(batch)

    def _take(self) -> list[Event]:
        return [self.waiting.popleft() for _ in range(min(BATCH, len(self.waiting)))]

    async def _flush(self, batch: Sequence[Event]) -> None:
        decisions = await self._decide()
        judged = [through(event, decisions) for event in batch]
        kept = [event for event in judged if isinstance(event, Event)]
        refused = Counter(("refused", str(event)) for event in judged if isinstance(event, Refused))
        counted, self.counts = self.counts + refused, Counter()
        if self.pool is None:
            self.pool = await open_pool()
        try:
            async with self.pool.acquire() as connection, connection.transaction():
                await self.store.write(connection, kept, decisions)
                for (outcome, reason), many in counted.items():
                    await count(connection, outcome, reason, many)
        except BaseException:
            self.counts += counted - refused
            raise

    async def _decide(self) -> Decisions:
        if self.decisions is None or time.monotonic() - self.decided > DECIDED:
            now = await asyncio.to_thread(published.current, "intake")
            self.decisions, self.decided = Decisions.of(now.plan), time.monotonic()
        return self.decisions


def seen(told: dict[str, Any]) -> dict[str, Any]:
    """Return what a face told of who is asking: `subject` and `uses`, or nothing for a visitor."""
    return {name: told[name] for name in ("subject", "uses") if name in told}
