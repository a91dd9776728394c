"""Follow a web server's log line by line: across rotation and truncation, from where it was left, each line once.

A line is taken when it ends. Its key is made of the file's stay at this name and of where the line stands in it, and
the place is written behind the commit: what a kill leaves between the two is read and known again, and stored once.
"""

import asyncio
import contextlib
import gzip
import hmac
import logging
import math
import os
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

import asyncpg
import msgspec

from troth.database import place, published
from troth.database.errors import DatabaseRefusal
from troth.intake.accesslog import BATCH, LONGEST_LINE, Line, Tally, commit, opened, source_of
from troth.intake.decisions import Decisions
from troth.intake.lines import event_of
from troth.intake.recorder import AWAY
from troth.intake.store import Store, open_pool

LOG = logging.getLogger(__name__)
#: How long nothing new is waited for; how long a file that was renamed may still be written to.
PAUSE, GRACE = 0.5, 5.0
PAUSES = (0.5, 1, 2, 5, 10)
#: By how much of its beginning a file is known again under another name.
HEAD = 4096


class Place(msgspec.Struct, frozen=True):
    """How far one file was read; `stay` names the time that it stands at its name. Nothing of a line stands here.

    `offset` and `headed` are bytes; `since` is when this was written down, in seconds since the epoch.
    """

    stay: str
    inode: int = 0
    offset: int = 0
    headed: int = 0
    head: str = ""
    since: float = math.inf


class _Changed(Exception):
    """The files were rotated or cut while they were being looked at: they are looked at again."""


@dataclass(slots=True)
class Reading:
    """A file that is being read, unpacked where it is gzipped."""

    path: Path
    raw: IO[bytes]
    stream: IO[bytes]
    inode: int

    def close(self) -> None:
        """Let it go."""
        self.stream.close()
        self.raw.close()  # which what unpacks leaves open


class Tail:
    """Follows one file and remembers the place."""

    def __init__(self, file: Path, source: str) -> None:
        """`source` is the name that the place is remembered by."""
        here = place.current()
        self.file = file
        self.secret = place.secrets_of(here).derive("followed access logs")
        folder = here.data / "tail"
        folder.mkdir(mode=0o700, exist_ok=True)
        self.memory = folder / f"{self._mark(source.encode()).hex()[:32]}.json"
        self.store = Store()
        self.tally = Tally()
        self.waits = False

    async def follow(self, *, once: bool = False, told: Callable[[Tally], None] = lambda _tally: None) -> None:
        """Read and store for ever, or to the end of what is there. Raises OSError for a file that may not be read."""
        pool = await self._opened()
        try:
            while True:
                moved, self.waits = False, False
                try:
                    for reading, at in self._parts():
                        moved |= await self._read(pool, reading, at)
                except (_Changed, FileNotFoundError):
                    self.waits = True
                if moved:
                    told(self.tally)
                elif once and not self.waits:
                    return
                else:
                    await asyncio.sleep(PAUSE)
        finally:
            await pool.close()

    async def _opened(self) -> "asyncpg.Pool[asyncpg.Record]":
        pauses = iter(PAUSES)
        while True:
            try:
                return await open_pool(size=1)
            except AWAY as error:
                LOG.info("the database is away (%s)", type(error).__name__)
                await asyncio.sleep(next(pauses, PAUSES[-1]))

    def _parts(self) -> Iterator[tuple[Reading, Place]]:
        """Yield what is to be read: the rest of the file that was left and, where that has ended, the next one.

        One at a time, and what comes next is looked for when the last has ended: rotation goes on meanwhile.
        """
        left = self._remembered()
        found = self._found(left) if left else None
        if left and found:
            ends = found.path != self.file and not self._grows(found)
            yield found, left
            if ends:
                yield from self._next(lambda: self._after(found))
            return
        if left:
            LOG.warning("what `%s` was is gone; whatever of it was not read yet is lost", self.file.name)
        yield from self._next(lambda: self._newer(left.since) if left else [])

    def _next(self, newer: Callable[[], list[Path]]) -> Iterator[tuple[Reading, Place]]:
        """Begin the oldest of the rotated files that were not read yet, else the one that is there now."""
        path = next(iter(newer()), self.file)
        if path == self.file and not path.exists():
            return
        reading, at = self._begun(path)
        with contextlib.ExitStack() as unless:
            unless.callback(reading.close)
            if next(iter(newer()), self.file) != path or path.stat().st_ino != reading.inode:
                raise _Changed  # what was opened is not what was looked for
            unless.pop_all()
        # It is remembered before any line of it is stored, so that its lines keep their keys.
        self._remember(at)
        self.waits |= path != self.file
        yield reading, at

    def _grows(self, reading: Reading) -> bool:
        """Whether a file that has another name now may still be written to by whoever had it open."""
        if reading.path == self.file:
            return False
        found = os.fstat(reading.raw.fileno())
        waits = time.time() - max(found.st_mtime, found.st_ctime) < GRACE  # a new name changes the latter
        self.waits |= waits
        return waits

    def _found(self, at: Place) -> Reading | None:
        """Return the file that a place is in: under its name, or under one that rotation gave it, packed or not."""
        for path in (self.file, *self._siblings()):
            with contextlib.suppress(FileNotFoundError):
                reading = _open(path)
                if self._holds(reading, at):
                    # An emptied file keeps its number, by which alone it is known while nothing stands in it: what
                    # it held meanwhile is in a copy that was made since.
                    copies = self._newer(at.since) if at.headed == 0 and path == self.file else []
                    if not copies:
                        return reading
                    reading.close()
                    return _open(copies[0])
                reading.close()
        return None

    def _holds(self, reading: Reading, at: Place) -> bool:
        if at.headed == 0:
            return reading.inode == at.inode
        try:
            reading.stream.seek(0)
            begins = reading.stream.read(at.headed)
            return self._mark(begins).hex() == at.head and reading.stream.seek(0, os.SEEK_END) >= at.offset
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return False  # it is being packed

    def _siblings(self) -> list[Path]:
        """Return the files that rotation made of this one, the newest first."""
        name = source_of(self.file)
        every = [path for path in self.file.parent.iterdir() if path != self.file and source_of(path) == name]
        found = [
            path for path in every if path.is_file() and not (path.suffix == ".gz" and path.with_suffix("") in every)
        ]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)

    def _after(self, left: Reading) -> list[Path]:
        """Return those that came after one that has ended and before the one that is there now, the oldest first."""
        every = self._siblings()
        ended = [path.stat().st_mtime_ns for path in every if path.stat().st_ino == left.inode]
        if not ended:
            raise _Changed
        return [path for path in every[::-1] if path.stat().st_mtime_ns > ended[0]]

    def _newer(self, moment: float) -> list[Path]:
        """Return the rotated files that were written to after a moment, the oldest first."""
        return [path for path in self._siblings()[::-1] if path.stat().st_mtime > moment]

    def _begun(self, path: Path) -> tuple[Reading, Place]:
        """Open a file that was not read yet."""
        reading = _open(path)
        at = Place(uuid.uuid4().hex, reading.inode, since=time.time() - GRACE / 2)
        return reading, self._headed(reading, at)

    async def _read(self, pool: "asyncpg.Pool[asyncpg.Record]", reading: Reading, at: Place) -> bool:
        """Store what is new in a file; return whether anything was."""
        moved = False
        try:
            while True:
                at = self._headed(reading, at)
                lines = self._lines(reading, at)
                if not lines or not at.headed:
                    break
                if reading.path == self.file and not self._holds(reading, at):
                    raise _Changed  # it was cut before or while the lines were read: they are not of this stay
                await self._keep(pool, lines)
                at = msgspec.structs.replace(at, offset=lines[-1].number, since=time.time())
                self._remember(at)
                moved = True
        finally:
            reading.close()
        return moved

    def _lines(self, reading: Reading, at: Place) -> list[Line]:
        """Return whole lines from a place on, numbered by where they end; a file that was left needs no last end."""
        left = reading.path != self.file and not self._grows(reading)
        reading.stream.seek(at.offset)
        found, offset = list[Line](), at.offset
        while len(found) < BATCH and (text := reading.stream.readline(LONGEST_LINE)):
            whole = text
            while not text.endswith(b"\n") and len(text) >= LONGEST_LINE:
                text = reading.stream.readline(LONGEST_LINE)
                offset += len(text)
            if not text.endswith(b"\n") and not left:
                break
            offset += len(whole)
            key = self._mark(at.stay.encode(), offset.to_bytes(8), whole.rstrip(b"\r\n"))
            found.append(Line(offset, key, event_of(whole.rstrip(b"\r\n")) if len(whole) < LONGEST_LINE else None))
        return found

    async def _keep(self, pool: "asyncpg.Pool[asyncpg.Record]", lines: list[Line]) -> None:
        """Commit a batch. While the database is away the file is what waits."""
        pauses = iter(PAUSES)
        while True:
            tally = Tally()
            try:
                policy = await asyncio.to_thread(published.current, "intake")
                decisions = Decisions.of(policy.plan, policy.bits)
                await commit(pool, lines, self.store, decisions, timedelta(0), tally, self.file.name)
            except AWAY as error:
                LOG.info("lines wait while the database is away (%s)", type(error).__name__)
                await asyncio.sleep(next(pauses, PAUSES[-1]))
            else:
                tally.malformed.clear()  # a log that is followed has places, and no end
                self.tally.add(tally)
                return

    def _headed(self, reading: Reading, at: Place) -> Place:
        """Know a file by as much of its beginning as there is: by whole lines, as another may begin like a part of one.

        Raises _Changed where it begins differently by now.
        """
        if at.headed == HEAD:
            return at
        reading.stream.seek(0)
        begins = reading.stream.read(HEAD)
        if at.headed and self._mark(begins[: at.headed]).hex() != at.head:
            raise _Changed
        ended = len(begins) == HEAD or reading.path != self.file
        headed = len(begins) if ended else begins.rfind(b"\n") + 1
        return msgspec.structs.replace(at, headed=headed, head=self._mark(begins[:headed]).hex())

    def _mark(self, *parts: bytes) -> bytes:
        return hmac.digest(self.secret, b"".join(len(part).to_bytes(8) + part for part in parts), "sha256")

    def _remembered(self) -> Place | None:
        try:
            return msgspec.json.decode(self.memory.read_bytes(), type=Place)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise DatabaseRefusal(
                f"`{self.memory}` does not say how far `{self.file}` was read",
                advice="remove it, and the file is read from its beginning",
            ) from error

    def _remember(self, at: Place) -> None:
        fresh = self.memory.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(at))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.memory)
        folder = os.open(self.memory.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _open(path: Path) -> Reading:
    raw = path.open("rb")
    return Reading(path, raw, opened(raw), os.fstat(raw.fileno()).st_ino)
