"""Rollups: counts of what was stored, by hour and by words of bounded vocabularies, added to as events arrive.

An event is counted for one purpose, as its person permitted when it happened; what that purpose may not use has no
part in it. Of who it was there is one bit of 64 for the day, made with a salt that is gone once the day is over: at
least as many people as there are bits had to do with what is counted. `docs/decisions/0039` says why.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Any

from troth.intake.decisions import Counting, Decisions
from troth.intake.event import NOBODY, Event, now
from troth.intake.folding import DIMENSIONS, EVERYTHING
from troth.intake.sent import Sent
from troth.intake.steps import coarse_address, coarse_time
from troth.policy.meaning import Occasion, Precision

ROLL = "SELECT troth.roll($1, $2, $3, $4, $5, $6, $7)"
BITS = 64
#: The sign of a number of 64 bits.
SIGN = 1 << (BITS - 1)

#: hour, kind, application, dimension, word.
type Group = tuple[datetime, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Salt:
    """What turns a person into a bit, on one day."""

    day: date
    value: bytes


class Roller:
    """Adds a batch to the counts, in the batch's own transaction; knows the salt of the day."""

    def __init__(self) -> None:
        """Know none yet."""
        self.salt: Salt | None = None

    async def roll(self, connection: Any, events: Sequence[Event | Sent], decisions: Decisions) -> None:  # noqa: ANN401 - asyncpg's proxy
        """Count them. Raises asyncpg.PostgresError; then none is counted."""
        if not events:
            return
        counts = counted(events, decisions, await self._salt(connection))
        if counts:
            groups = sorted(counts)
            columns = list(map(list, zip(*groups, strict=True)))
            told = [counts[group] for group in groups]
            await connection.execute(ROLL, *columns, [many for many, _ in told], [signed(bits) for _, bits in told])

    async def _salt(self, connection: Any) -> Salt:  # noqa: ANN401 - asyncpg's proxy
        if self.salt is not None and self.salt.day == now().date():
            return self.salt
        day, value, fresh = await connection.fetchrow("SELECT day, salt, fresh FROM troth.roll_salt()")
        salt = Salt(day, value.bytes)
        if not fresh:  # one that this very transaction made goes with it where it fails
            self.salt = salt
        return salt


def counted(events: Iterable[Event | Sent], decisions: Decisions, salt: Salt) -> dict[Group, tuple[int, int]]:
    """Return how many events each group has, and the bits of who they were of."""
    counts: dict[Group, tuple[int, int]] = {}
    for event in events:
        who = _who(event) if event.at.astimezone(UTC).date() == salt.day else b""
        for group in groups(event, decisions):
            many, bits = counts.get(group, (0, 0))
            counts[group] = many + 1, bits | (bit(salt, group, who) if who else 0)
    return counts


def groups(event: Event | Sent, decisions: Decisions) -> Iterator[Group]:
    """Yield where an event is counted: once as such, and once for each word that its columns fold into."""
    occasion, table, application = _kind(event)
    kind = occasion.value if table == "access" else table
    inside = decisions.inside(event)
    for dimension, column, fold in ((EVERYTHING, "at", None), *DIMENSIONS[table]):
        counting = decisions.counting.get((occasion, table, column))
        if counting is None or not inside & counting.bit:
            continue
        word = fold(event) if fold else ""
        if word is not None:
            yield _hour(event, counting), kind, application, dimension, word


def _kind(event: Event | Sent) -> tuple[Occasion, str, str]:
    if isinstance(event, Sent):
        return event.kind.occasion, event.kind.table, event.application
    return event.occasion, "access", ""


def _hour(event: Event | Sent, counting: Counting) -> datetime:
    return coarse_time(event.at, Precision.DAY if counting.daily else Precision.HOUR)


def _who(event: Event | Sent) -> bytes:
    """Return whose an event is: a person, or of visitors, who are nobody, the network from which one came."""
    if event.subject != NOBODY:
        return event.subject.bytes
    network = coarse_address(event.ip) if isinstance(event, Event) and event.ip else None
    return network.encode() if network else b""


def bit(salt: Salt, group: Group, who: bytes) -> int:
    """Return the one bit that somebody sets in a group's sketch on the salt's day, in each group another."""
    _, *words = group
    made = blake2b("\0".join(words).encode(), key=salt.value, digest_size=1)
    made.update(who)
    return 1 << made.digest()[0] % BITS


def signed(bits: int) -> int:
    """Return 64 bits as PostgreSQL's number, which has a sign."""
    return bits - 2 * SIGN if bits & SIGN else bits
