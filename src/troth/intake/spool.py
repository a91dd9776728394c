"""What is acknowledged while the database is away: sealed, synced, in order, for a day at the most.

A segment holds what came within one hour, sealed with AES-256-GCM under a key of its own, which is sealed under this
place's secret and is removed first: whoever has the folder alone, or a segment without its key, has nothing. The tag
of a record is its checksum, and its number stands in its nonce, so that none can be left out, repeated or moved.
After any failure a segment is written no further.
"""

import contextlib
import fcntl
import os
import struct
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from troth.database.place import replace_file

MAGIC = b"troth spool 1\n"
#: How long a record's sealed content is, and how many events it holds.
FRAME = struct.Struct(">II")
SEGMENT, KEY, TORN = ".spool", ".key", ".torn"
#: Seconds that one key seals, and that a segment lies here: what nobody fetched then is gone.
HOUR, LONGEST = 3_600.0, 86_400.0
#: Bytes that may lie here.
ROOM = 64 << 20
NONCE, TAG = 12, 16


class SpoolFull(OSError):
    """No more may lie here."""


@dataclass(frozen=True, slots=True)
class Read:
    """The records of a segment that are whole, from the first on, and whether anything else stood behind them."""

    records: Sequence[bytes]
    torn: bool


@dataclass(slots=True)
class _Open:
    name: str
    file: IO[bytes]
    cipher: AESGCM
    until: float
    records: int
    size: int


class Spool:
    """One folder's segments, in the order in which they were begun. Not for two threads at once."""

    def __init__(self, folder: Path, secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        """Take the folder for this process, until `close`. Raises OSError, also when another has it."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self.folder, self.secret, self.clock = folder, AESGCM(secret), clock
        self.lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.lock.close()
            raise
        self.open: _Open | None = None
        self.names = sorted(file.stem for file in folder.glob(f"*{SEGMENT}"))

    def append(self, content: bytes, many: int) -> None:
        """Keep one record of so many events: it is on the disk then. Raises OSError, and it is not kept."""
        if self._size() + FRAME.size + len(content) + TAG > ROOM:
            raise SpoolFull("the spool is full")
        now = self._segment()
        head = FRAME.pack(len(content) + TAG, many)
        frame = head + now.cipher.encrypt(_nonce(now.records), content, now.name.encode() + head)
        try:
            _write(now.file.fileno(), frame)
            os.fsync(now.file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                now.file.truncate(now.size)
            self.finish()
            raise
        now.records, now.size = now.records + 1, now.size + len(frame)

    def finish(self) -> None:
        """Write no further into the segment that is open."""
        if self.open is not None:
            with contextlib.suppress(OSError):
                self.open.file.close()
            self.open = None

    def read(self, name: str) -> Read:
        """Return what of a segment is whole."""
        try:
            body, cipher = (self.folder / f"{name}{SEGMENT}").read_bytes(), self._cipher(name)
        except (OSError, InvalidTag):
            return Read((), torn=True)
        if not body.startswith(MAGIC):
            return Read((), torn=bool(body))
        records, at = list[bytes](), len(MAGIC)
        while at < len(body):
            head = body[at : at + FRAME.size]
            end = at + FRAME.size + (FRAME.unpack(head)[0] if len(head) == FRAME.size else len(body))
            if end > len(body):
                return Read(records, torn=True)
            try:
                told = cipher.decrypt(_nonce(len(records)), body[at + FRAME.size : end], name.encode() + head)
            except InvalidTag:
                return Read(records, torn=True)
            records.append(told)
            at = end
        return Read(records, torn=False)

    def forget(self, name: str, *, torn: bool = False) -> None:
        """Let go of a segment, its key first; what is torn is set aside with its key until its time is over."""
        segment = self.folder / f"{name}{SEGMENT}"
        if torn:
            with contextlib.suppress(FileNotFoundError):
                segment.rename(segment.with_suffix(TORN))
        else:
            (self.folder / f"{name}{KEY}").unlink(missing_ok=True)
            segment.unlink(missing_ok=True)
        self._sync()
        self.names.remove(name)

    def expire(self) -> int:
        """Remove what has lain here too long, its key first; return how many events that were whole went with it."""
        gone, oldest = 0, int((self.clock() - LONGEST) * 1_000)
        for file in sorted(self.folder.glob(f"*{KEY}")):
            if _begun(file.stem) >= oldest:
                continue
            if file.stem in self.names:
                gone += self._many(file.stem)
                self.names.remove(file.stem)
            for suffix in (KEY, SEGMENT, TORN):
                file.with_suffix(suffix).unlink(missing_ok=True)
        return gone

    def close(self) -> None:
        """Let go of the folder; what it holds stays."""
        self.finish()
        self.lock.close()

    def _segment(self) -> _Open:
        now = self.clock()
        if self.open is not None and now >= self.open.until:
            self.finish()
        if self.open is None:
            # In the order in which they were begun, whatever the clock does.
            begun = max((int(now * 1_000), *(_begun(each) + 1 for each in self.names)))
            name, key = f"{begun:015d}-{uuid.uuid4().hex}", AESGCM.generate_key(256)
            nonce = os.urandom(NONCE)
            replace_file(self.folder / f"{name}{KEY}", nonce + self.secret.encrypt(nonce, key, name.encode()), 0o600)
            descriptor = os.open(self.folder / f"{name}{SEGMENT}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            file = os.fdopen(descriptor, "wb", buffering=0)
            self.names.append(name)
            try:
                _write(descriptor, MAGIC)
                self._sync()
            except OSError:
                file.close()
                raise
            self.open = _Open(name, file, AESGCM(key), now + HOUR, 0, len(MAGIC))
        return self.open

    def _cipher(self, name: str) -> AESGCM:
        held = (self.folder / f"{name}{KEY}").read_bytes()
        return AESGCM(self.secret.decrypt(held[:NONCE], held[NONCE:], name.encode()))

    def _many(self, name: str) -> int:
        """Count the events of a segment by what its frames say."""
        many, at = 0, len(MAGIC)
        with contextlib.suppress(OSError):
            body = (self.folder / f"{name}{SEGMENT}").read_bytes()
            while at + FRAME.size <= len(body):
                length, events = FRAME.unpack_from(body, at)
                at += FRAME.size + length
                many += events if at <= len(body) else 0
        return many

    def _size(self) -> int:
        return sum(file.stat().st_size for file in self.folder.iterdir())

    def _sync(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _begun(name: str) -> int:
    """Return when a segment was begun, in milliseconds."""
    begun = name.partition("-")[0]
    return int(begun) if begun.isdecimal() else 0


def _nonce(number: int) -> bytes:
    return number.to_bytes(NONCE)


def _write(descriptor: int, content: bytes) -> None:
    """Write all of it, however little a call takes. Raises OSError."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
