"""Where what may not be lost lies while the database is away: a folder of this node's, or a stream that all share."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from troth.database import place
from troth.intake.spool import Spool

LABEL = "what is kept while the database is away"
#: Names the server of the stream that nodes share, `nats://...`.
VARIABLE = "TROTH_INTAKE"


@dataclass(frozen=True, slots=True)
class Lot:
    """Records that lie together, in order; `torn` where more lay there and cannot be read. `done` lets go of them."""

    records: Sequence[bytes]
    torn: bool
    done: Callable[[], Awaitable[None]]


class Shelf(Protocol):
    """What keeps records, sealed, until somebody takes them."""

    @property
    def holds(self) -> bool:
        """Whether something lies there, as far as this node knows."""

    @property
    def shared(self) -> bool:
        """Whether other nodes put something there, too."""

    async def left(self) -> Sequence[bytes]:
        """Return the records that this node left before it ended."""

    async def put(self, content: bytes, many: int) -> None:
        """Keep one record of so many events: it outlives any end of this process then. Raises OSError: it may not."""

    def lots(self) -> AsyncGenerator[Lot]:
        """Yield what lies there, the oldest first. What is not let go of stays."""

    async def expire(self) -> int:
        """Let go of what has lain there too long; return how many events that was."""

    async def close(self) -> None:
        """End; what lies there stays."""


class Holder:
    """Whoever keeps something on a shelf; without one nothing is kept."""

    shelf: Shelf | None

    async def stop(self) -> None:
        """Let go of the shelf; what it holds stays for the next process."""
        if self.shelf is not None:
            await self.shelf.close()
            self.shelf = None

    @property
    def holds(self) -> bool:
        """Whether something was kept that the database has not been told."""
        return self.shelf is not None and self.shelf.holds

    @property
    def shared(self) -> bool:
        """Whether something may come to lie there that this process did not keep."""
        return self.shelf is not None and self.shelf.shared


class Folder:
    """The shelf that is a spool."""

    shared = False

    def __init__(self, spool: Spool) -> None:
        """Keep what that spool keeps."""
        self.spool = spool

    @property
    def holds(self) -> bool:
        """Whether a segment lies there."""
        return bool(self.spool.names)

    async def left(self) -> Sequence[bytes]:
        """Return every record."""
        return await asyncio.to_thread(
            lambda: [record for name in self.spool.names for record in self.spool.read(name).records]
        )

    async def put(self, content: bytes, many: int) -> None:
        """Append a record."""
        await asyncio.to_thread(self.spool.append, content, many)

    async def lots(self) -> AsyncGenerator[Lot]:
        """Yield segment by segment."""
        await asyncio.to_thread(self.spool.finish)
        for name in list(self.spool.names):
            read = await asyncio.to_thread(self.spool.read, name)
            gone = partial(asyncio.to_thread, self.spool.forget, name, torn=read.torn)
            yield Lot(read.records, read.torn, gone)

    async def expire(self) -> int:
        """Remove segments that are too old."""
        return await asyncio.to_thread(self.spool.expire) if self.spool.names else 0

    async def close(self) -> None:
        """Let go of the folder."""
        self.spool.close()


def opened(what: str = "") -> Shelf:
    """Return where is kept what may be kept: in the stream that was named, or in this node's own folder.

    `what` is kept apart: it takes no room from anything else. Raises OSError.
    """
    where = place.current()
    secret = place.secrets_of(where).derive(f"{LABEL}: {what}" if what else LABEL)
    address = os.environ.get(VARIABLE, "")
    if address:
        from troth.intake.stream import Stream  # noqa: PLC0415 - who has no stream does not load its client

        return Stream(address, f"{where.database}-{what}" if what else where.database, secret)
    (where.data / "spool").mkdir(mode=0o700, exist_ok=True)
    return Folder(Spool(where.data / "spool" / what, secret))
