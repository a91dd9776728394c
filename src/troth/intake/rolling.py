"""Rollups: counts of what was stored, by hour and by words of bounded vocabularies, added to as events arrive.

An event is counted for one purpose, as its person permitted when it happened; what that purpose may not use has no
part in it. Of who it was there is one bit of 64, made with a salt of the day on which it is counted that is gone once
that is over: at least as many people as there are bits had to do with what is counted. `docs/decisions/0037` says why.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Any

from troth.intake.decisions import Decisions
from troth.intake.event import NOBODY, Event, now
from troth.intake.folding import DIMENSIONS, EVERYTHING, Fold
from troth.intake.sent import Sent
from troth.intake.steps import coarse_address
from troth.policy.meaning import Occasion

ROLL = "SELECT troth.roll($1, $2, $3, $4, $5, $6, $7, $8)"
BITS = 64
#: All of them, their sign as a number, and how far a product is shifted to be the place of one.
WHOLE, SIGN, SHIFT = (1 << BITS) - 1, 1 << (BITS - 1), BITS - 6

#: What is counted of an event: dimension, the fold that makes its word, whether by day.
type Shape = tuple[tuple[str, Fold | None, bool], ...]
#: hour, kind, application, dimension, word.
type Group = tuple[datetime, str, str, str, str]
#: What events have in common that are counted in the same way: occasion, kind, table, application, the units that may
#: use them, and hours since 1970.
type Alike = tuple[Occasion, str, str, str, int, int]

#: The same as it is told by a look: whose, the table, the application, the stamp, and hours since 1970.
type Seen = tuple[str, str, str, int, bool, int]


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
        told = rolled(events, decisions, await self._salt(connection))
        if told[0]:
            await connection.execute(ROLL, *told)

    def known(self) -> Salt | None:
        """Return the salt of today, if it is known without asking."""
        return self.salt if self.salt is not None and self.salt.day == now().date() else None

    async def _salt(self, connection: Any) -> Salt:  # noqa: ANN401 - asyncpg's proxy
        if known := self.known():
            return known
        day, value, fresh = await connection.fetchrow("SELECT day, salt, fresh FROM troth.roll_salt()")
        salt = Salt(day, value.bytes)
        if not fresh:  # one that this very transaction made goes with it where it fails
            self.salt = salt
        return salt


def rolled(events: Iterable[Event | Sent], decisions: Decisions, salt: Salt) -> list[Any]:
    """Return what `troth.roll` takes: a list for each of its columns, of as many groups, and the day of the salt."""
    counts = counted(events, decisions, salt)
    groups = sorted(counts)
    columns = list(map(list, zip(*groups, strict=True))) or [[] for _ in range(5)]
    told = [counts[group] for group in groups]
    return [*columns, [many for many, _ in told], [signed(bits) for _, bits in told], salt.day]


def counted(events: Iterable[Event | Sent], decisions: Decisions, salt: Salt) -> dict[Group, tuple[int, int]]:
    """Return how many events each group has, and the bits of who they were of."""
    found: dict[Group, Sketch] = {}
    together: dict[Seen, list[Event | Sent]] = {}
    for event in events:
        together.setdefault(_seen(event), []).append(event)
    people: dict[bytes, int] = {b"": 0}
    for same, some in together.items():
        whose = [_who(event) for event in some]
        people |= {who: _number(salt, who) for who in {*whose} - people.keys()}
        numbers = [people[who] for who in whose]
        for of, fold in _tallies(_alike(some[0], decisions, same[-1]), decisions):
            for word, those in _by_word(some, numbers, fold).items():
                _sketch(of, word, salt, found).add(those)
    return {group: (sketch.count, sketch.bits) for group, sketch in found.items()}


def _by_word(events: Sequence[Event | Sent], numbers: Sequence[int], fold: Fold | None) -> Mapping[str, Sequence[int]]:
    """Return the numbers of whose events have each word, one for each event."""
    if fold is None:
        return {"": numbers}
    words: dict[str, list[int]] = {}
    for event, number in zip(events, numbers, strict=True):
        word = fold(event)
        if word is not None:
            words.setdefault(word, []).append(number)
    return words


def _seen(event: Event | Sent) -> Seen:
    """Return what two events have in common that are counted in the same way, as far as it is told by a look."""
    hour = int(event.at.timestamp()) // 3600
    if isinstance(event, Sent):
        return event.whose, event.kind.table, event.application, event.uses, event.objects, hour
    return event.occasion, "", "", event.uses, event.objects, hour


def _alike(event: Event | Sent, decisions: Decisions, hour: int) -> Alike:
    inside = decisions.inside(event)
    if isinstance(event, Sent):
        occasion, table = event.kind.occasion_of(event.whose), event.kind.table
        return occasion, table, table, event.application, inside, hour
    return event.occasion, event.occasion.value, "access", "", inside, hour


def _tallies(of: Alike, decisions: Decisions) -> Iterator[tuple[tuple[datetime, str, str, str], Fold | None]]:
    """Yield where such events are counted, once as such and once for each word that a column of theirs folds into.

    Each is a group without its word, and the fold.
    """
    occasion, kind, table, application, inside, number = of
    hour = datetime.fromtimestamp(number * 3600, UTC)
    for dimension, fold, daily in _shape(decisions, occasion, table, inside):
        yield (hour.replace(hour=0) if daily else hour, kind, application, dimension), fold


def _sketch(of: tuple[datetime, str, str, str], word: str, salt: Salt, found: "dict[Group, Sketch]") -> "Sketch":
    """Return what counts a word: others of its hour, or of a day that is counted whole, may have begun it."""
    group = (*of, word)
    return found.get(group) or found.setdefault(group, Sketch(_number(salt, _mark(group))))


@dataclass(slots=True)
class Sketch:
    """How often, and by whom as bits: `mark` is the number of what is counted, so that each has bits of its own."""

    mark: int
    count: int = 0
    bits: int = 0

    def add(self, numbers: Sequence[int]) -> None:
        """Count once more for each, by somebody who has this number, or by somebody who has none (zero)."""
        self.count += len(numbers)
        mark = self.mark
        for place in {(number * mark & WHOLE) >> SHIFT for number in {*numbers} if number}:
            self.bits |= 1 << place


def _mark(group: Group) -> bytes:
    """Return what is counted on a day, in whichever of its hours."""
    return "\0".join((str(group[0].date()), *group[1:])).encode()


def _number(salt: Salt, what: bytes) -> int:
    """Return an odd number of 64 bits that only the day's salt can make of something."""
    return int.from_bytes(blake2b(what, key=salt.value, digest_size=8).digest()) | 1


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
