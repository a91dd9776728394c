"""Each process's word of how its intake does, in the database, where the word of all of them is read together."""

import asyncio
import logging
from typing import Any

import asyncpg

from troth.intake.health import PULSE
from troth.intake.store import arguments

LOG = logging.getLogger(__name__)
#: Seconds between two words of a process.
EVERY = 3.0


async def beat(connection: Any) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Say how this process does, and learn how much was stored by any."""
    told = PULSE.node, PULSE.started, PULSE.latest, PULSE.commits, PULSE.figures()
    PULSE.everywhere = await connection.fetchval("SELECT troth.beat($1, $2, $3, $4, $5)", *told)


class Beating:
    """Says it again and again, over a connection of its own: what stores waits for nothing here."""

    def __init__(self) -> None:
        """Say nothing yet."""
        self.connection: asyncpg.Connection[asyncpg.Record] | None = None
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self.task = asyncio.create_task(self._run(), name="beating")

    async def stop(self) -> None:
        """End."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        self._leave()

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(EVERY):
                    if self.connection is None:
                        self.connection = await asyncpg.connect(**arguments("intake"))
                    await beat(self.connection)
            except Exception as error:  # noqa: BLE001 - it is tried again, and the intake says what is wrong
                LOG.debug("nothing was said of the intake (%s)", type(error).__name__)
                self._leave()
            await asyncio.sleep(EVERY)

    def _leave(self) -> None:
        if self.connection is not None:
            self.connection.terminate()
            self.connection = None
