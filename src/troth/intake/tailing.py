"""Follow a web server's log line by line: across rotation and truncation, from where it was left, each line once.

A line is taken when it ends. Its key is made of the file's stay at this name and of where the line stands in it, and
the place is written behind the commit: what a kill leaves between the two is read and known again, and stored once.
"""

import asyncio
import contextlib
import gzip
import hmac
import logging
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
    """How far one file was read; `stay` names the time that it stands at its name. Nothing of a line stands here."""

    stay: str
    inode: int = 0
    offset: int = 0
    headed: int = 0
    head: str = ""


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
                for reading, at in self._parts():
                    moved |= await self._read(pool, reading, at)
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
        """Yield what is to be read: the rest of the file that was left, those between, and the one that is there."""
        left = self._remembered()
        found = self._found(left) if left else None
        if left and not found:
            LOG.warning("what `%s` was is gone; whatever of it was not read yet is lost", self.file.name)
        if left and found:
            ends = found.path != self.file and not self._grows(found)
            yield found, left
            if not ends:
                return  # renamed meanwhile, it is found under its new name
            for path in self._since(found.path):
                reading, at = self._begun(path)
                ends = not self._grows(reading)
                yield reading, at
                if not ends:
                    return
        if self.file.exists():
            yield self._begun(self.file)

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
                    return reading
                reading.close()
        return None

    def _holds(self, reading: Reading, at: Place) -> bool:
        if at.headed == 0:
            return reading.inode == at.inode
        try:
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

    def _since(self, path: Path) -> list[Path]:
        """Return those that came after one and before the one that is there now, the oldest first."""
        newer = [each for each in self._siblings() if each.stat().st_mtime > path.stat().st_mtime]
        return newer[::-1]

    def _begun(self, path: Path) -> tuple[Reading, Place]:
        """Begin a file. It is remembered before any line of it is stored, so that its lines keep their keys."""
        reading = _open(path)
        at = Place(uuid.uuid4().hex, reading.inode)
        self._remember(at)
        return reading, at

    async def _read(self, pool: "asyncpg.Pool[asyncpg.Record]", reading: Reading, at: Place) -> bool:
        """Store what is new in a file; return whether anything was."""
        moved = False
        try:
            while lines := self._lines(reading, at):
                await self._keep(pool, [line for line, _ in lines])
                at = self._advanced(reading, at, lines[-1][1])
                self._remember(at)
                moved = True
        finally:
            reading.close()
        return moved

    def _lines(self, reading: Reading, at: Place) -> list[tuple[Line, int]]:
        """Return whole lines from a place on, each with where it ends; the last of a file that is left needs no end."""
        left = reading.path != self.file and not self._grows(reading)
        reading.stream.seek(at.offset)
        found, offset = list[tuple[Line, int]](), at.offset
        while len(found) < BATCH and (text := reading.stream.readline(LONGEST_LINE)):
            whole = text
            while not text.endswith(b"\n") and len(text) >= LONGEST_LINE:
                text = reading.stream.readline(LONGEST_LINE)
                offset += len(text)
            if not text.endswith(b"\n") and not left:
                break
            offset += len(whole)
            key = self._mark(at.stay.encode(), offset.to_bytes(8), whole.rstrip(b"\r\n"))
            event = event_of(whole.rstrip(b"\r\n")) if len(whole) < LONGEST_LINE else None
            found.append((Line(offset, key, event), offset))
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
                tally.malformed.clear()
                self.tally.add(tally)
                return

    def _advanced(self, reading: Reading, at: Place, offset: int) -> Place:
        headed, head = at.headed, at.head
        if headed < HEAD:
            headed = min(HEAD, offset)
            reading.stream.seek(0)
            head = self._mark(reading.stream.read(headed)).hex()
        return Place(at.stay, reading.inode, offset, headed, head)

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
