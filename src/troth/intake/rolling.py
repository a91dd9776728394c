"""Rollups: counts of what was stored, by hour and by words of bounded vocabularies, added to as events arrive.

An event is counted for one purpose, as its person permitted when it happened; what that purpose may not use has no
part in it. Of who it was there is one bit of 64 for the day, made with a salt that is gone once the day is over: at
least as many people as there are bits had to do with what is counted. `docs/decisions/0037` says why.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b
from typing import Any

from troth.intake.decisions import Decisions
from troth.intake.event import NOBODY, Event, now
from troth.intake.folding import DIMENSIONS, EVERYTHING, Fold
from troth.intake.sent import Sent
from troth.intake.steps import coarse_address, coarse_time
from troth.policy.meaning import Occasion, Precision

ROLL = "SELECT troth.roll($1, $2, $3, $4, $5, $6, $7)"
BITS = 64
#: All of them, their sign as a number, and how far a product is shifted to be the place of one.
WHOLE, SIGN, SHIFT = (1 << BITS) - 1, 1 << (BITS - 1), BITS - 6

#: What is counted of an event: dimension, the fold that makes its word, whether by day.
type Shape = tuple[tuple[str, Fold | None, bool], ...]
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
    found: dict[Group, Sketch] = {}
    people: dict[bytes, int] = {}
    hours: dict[int, datetime] = {}
    for event in events:
        hour = int(event.at.timestamp()) // 3600
        at = hours.get(hour) or hours.setdefault(hour, coarse_time(event.at, Precision.HOUR))
        who = _who(event) if at.date() == salt.day else b""
        number = people.get(who) or people.setdefault(who, _number(salt, who)) if who else 0
        for group in _groups(event, at, decisions):
            sketch = found.get(group) or found.setdefault(group, Sketch(_number(salt, "\0".join(group[1:]).encode())))
            sketch.add(number)
    return {group: (sketch.count, sketch.bits) for group, sketch in found.items()}


@dataclass(slots=True)
class Sketch:
    """How often, and by whom as bits: `mark` is the number of what is counted, so that each has bits of its own."""

    mark: int
    count: int = 0
    bits: int = 0

    def add(self, number: int) -> None:
        """Count once more, by somebody who has this number, or by somebody who has none (zero)."""
        self.count += 1
        if number:
            self.bits |= 1 << ((number * self.mark & WHOLE) >> SHIFT)


def _number(salt: Salt, what: bytes) -> int:
    """Return an odd number of 64 bits that only the day's salt can make of something."""
    return int.from_bytes(blake2b(what, key=salt.value, digest_size=8).digest()) | 1


def _groups(event: Event | Sent, hour: datetime, decisions: Decisions) -> Iterator[Group]:
    """Yield where an event is counted: once as such, and once for each word that its columns fold into."""
    if isinstance(event, Sent):
        occasion, kind, table, application = event.kind.occasion, event.kind.table, event.kind.table, event.application
    else:
        occasion, table, application = event.occasion, "access", ""
        kind = occasion.value
    for dimension, fold, daily in _shape(decisions, occasion, table, decisions.inside(event)):
        word = fold(event) if fold else ""
        if word is not None:
            yield hour.replace(hour=0) if daily else hour, kind, application, dimension, word


def _shape(decisions: Decisions, occasion: Occasion, table: str, inside: int) -> Shape:
    """Return what is counted of events of somebody who is in these units: the dimension, its fold, whether by day."""
    key = (occasion, table, inside)
    shape: Shape | None = decisions.shapes.get(key)
    if shape is None:
        told = ((d, fold, decisions.counting.get((occasion, table, column))) for d, column, fold in _all(table))
        shape = tuple((d, fold, each.daily) for d, fold, each in told if each and inside & each.bit)
        decisions.shapes[key] = shape
    return shape


def _all(table: str) -> tuple[tuple[str, str, Fold | None], ...]:
    return (EVERYTHING, "at", None), *DIMENSIONS[table]


def _who(event: Event | Sent) -> bytes:
    """Return whose an event is: a person, or of visitors, who are nobody, the network from which one came."""
    if event.subject != NOBODY:
        return event.subject.bytes
    network = coarse_address(event.ip) if isinstance(event, Event) and event.ip else None
    return network.encode() if network else b""


def signed(bits: int) -> int:
    """Return 64 bits as PostgreSQL's number, which has a sign."""
    return bits - 2 * SIGN if bits & SIGN else bits
