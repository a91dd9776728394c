"""Access logs of web servers, line by line into the intake, each line once."""

import asyncio
import contextlib
import gzip
import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import asyncpg

from troth.database import place, published
from troth.database.errors import DatabaseRefusal
from troth.intake.beating import beat
from troth.intake.decisions import Decisions
from troth.intake.event import Event, Refused, now
from troth.intake.health import PULSE
from troth.intake.lines import event_of, moment_of
from troth.intake.steps import through
from troth.intake.store import Store, count_found, count_refused, open_pool

BATCH = 1_000
LONGEST_LINE = 65_536
#: What rotation appends to a log's name: a number, a day, a packing.
ROTATED = re.compile(r"(\.\d+|-\d{8}|\.gz)+$")


@dataclass(slots=True)
class Tally:
    """What became of the lines: stored, refused by reason, already there and unread add up to `lines`.

    `malformed` says which could not be read, where they have numbers.
    """

    lines: int = 0
    stored: int = 0
    already: int = 0
    unread: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    malformed: list[tuple[str, int]] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add another file's."""
        self.lines += other.lines
        self.stored += other.stored
        self.already += other.already
        self.unread += other.unread
        self.refused += other.refused
        self.malformed += other.malformed

    def as_data(self) -> dict[str, Any]:
        """Return plain data."""
        malformed = [{"file": name, "line": number} for name, number in self.malformed]
        sums = {"lines": self.lines, "stored": self.stored, "already": self.already}
        return sums | {"refused": dict(self.refused), "malformed": malformed}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its key (what it is known by), and its event, or None when it is malformed."""

    number: int
    key: bytes
    event: Event | None


async def bring_in(
    file: Path, *, source: str, shift_to_now: bool = False, advance: Callable[[int], None] = lambda _done: None
) -> Tally:
    """Import one file and return what became of its lines; each batch is acknowledged after its commit.

    `advance` hears the bytes read so far. Raises OSError, EOFError or zlib.error for a file that cannot be read to its
    end, and DatabaseRefusal when the database does not take a batch.
    """
    shift = now() - last_time(file) if shift_to_now else timedelta(0)
    policy = await asyncio.to_thread(published.current, "intake")
    decisions = Decisions.of(policy.plan, policy.bits)
    tally, store = Tally(), Store()
    pool = await open_pool(size=1)
    try:
        batch: list[Line] = []
        for line, done in read(file, source):
            batch.append(line)
            if len(batch) >= BATCH:
                await commit(pool, batch, store, decisions, shift, tally, file.name)
                batch = []
                advance(done)
        await commit(pool, batch, store, decisions, shift, tally, file.name)
        advance(size_of(file))
    finally:
        await pool.close()
    return tally


async def commit(
    pool: "asyncpg.Pool[asyncpg.Record]",
    batch: list[Line],
    store: Store,
    decisions: Decisions,
    shift: timedelta,
    tally: Tally,
    name: str,
) -> None:
    """Judge lines, store those that are new, and add to the tally. Raises DatabaseRefusal; then none is stored."""
    judged: dict[bytes, Event] = {}
    refused: Counter[Refused] = Counter()
    tally.lines += len(batch)
    malformed = [(name, line.number) for line in batch if line.event is None]
    for line in batch:
        if line.event is None:
            continue
        line.event.at += shift if line.event.at <= now() else timedelta(0)
        outcome = through(line.event, decisions)
        if isinstance(outcome, Refused):
            refused[outcome] += 1
        else:
            judged[line.key] = outcome
    try:
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch("SELECT * FROM troth.import_keys($1)", list(judged))
            fresh = [judged[row[0]] for row in rows]
            await store.write(connection, fresh, decisions)
            await count_found(connection, fresh)
            # Each time it is tried: what is refused leaves no key by which it would be known again.
            await count_refused(connection, refused + Counter({Refused("malformed-line"): len(malformed)}))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseRefusal(
            f"the database did not take line {batch[0].number} of `{name}` and what follows ({type(error).__name__})",
            advice="what came before is stored; run the same import again, and nothing is stored twice",
        ) from error
    if fresh:
        PULSE.committed()
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await beat(pool)  # whoever looks at the figures looks at another process
    for why, many in refused.items():
        tally.refused[why.reason] += many
    tally.unread += len(malformed)
    tally.malformed += malformed
    tally.stored += len(fresh)
    tally.already += len(judged) - len(fresh)


def source_of(file: Path) -> str:
    """Return the name that a log's lines are known by: the same before it was rotated and after."""
    return ROTATED.sub("", file.name) or file.name


def read(file: Path, source: str) -> Iterator[tuple[Line, int]]:
    """Yield lines with the bytes of the file read so far. A line's key tells apart its occurrences in the file."""
    secret = place.secrets_of(place.current()).derive("imported access logs")
    seen: Counter[bytes] = Counter()
    with file.open("rb") as raw:
        stream = opened(raw)
        number = 0
        while text := stream.readline(LONGEST_LINE):
            number += 1
            bare = text.rstrip(b"\r\n")
            whole = bare + _rest(stream) if not text.endswith(b"\n") and len(text) >= LONGEST_LINE else bare
            mark = hmac.digest(secret, source.encode() + b"\0" + whole, "sha256")
            seen[mark] += 1
            key = hmac.digest(secret, mark + seen[mark].to_bytes(8), "sha256")
            yield Line(number, key, event_of(whole) if len(whole) < LONGEST_LINE else None), raw.tell()


def _rest(stream: IO[bytes]) -> bytes:
    """Read to the end of an overlong line, keeping nothing of it but a mark."""
    while (more := stream.readline(LONGEST_LINE)) and not more.endswith(b"\n"):
        pass
    return b"..."


def opened(raw: IO[bytes]) -> IO[bytes]:
    """Return the file's text, unpacked where it is gzipped."""
    magic = raw.read(2)
    raw.seek(0)
    return gzip.open(raw) if magic == b"\x1f\x8b" else raw  # type: ignore[return-value]


def size_of(file: Path) -> int:
    """Return the bytes of a file."""
    return file.stat().st_size


def last_time(file: Path) -> datetime:
    """Return the newest time in a log that is past; the present for one without any."""
    newest = None
    with file.open("rb") as raw:
        stream = opened(raw)
        while text := stream.readline(LONGEST_LINE):
            at = moment_of(text)
            if at is not None and at <= now():
                newest = max(newest, at) if newest else at
    return newest or now()
