"""What is kept of an event, and for how long at the most: by its occasion, and by the purposes its person is in."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from troth.database.catalog import load as load_catalog
from troth.intake.event import Event
from troth.intake.kinds import KINDS, Kind
from troth.policy.filling import REDUCIBLE
from troth.policy.meaning import Occasion, Precision, Whose, WindowKind
from troth.policy.planned import Plan, Unit

if TYPE_CHECKING:
    from troth.intake.sent import Sent

#: The clauses that say what becomes of metadata that was not declared, which are called as their duties are.
UNDECLARED = ("refuse-undeclared", "drop-undeclared")
Kept = Mapping[str, Precision]
#: On which occasions the service's own pages are asked for: by people, by identifiers, by visitors.
ACCESSES = (Occasion.ACCESS, Occasion.COOKIE, Occasion.VISIT)


@dataclass(frozen=True, slots=True)
class Share:
    """What somebody's purposes leave: column -> precision of an access and of a device, and the longest window."""

    access: Kept
    device: Kept
    oldest: timedelta | None


@dataclass(frozen=True, slots=True)
class Part:
    """The same of one kind of event that applications send, and the clause that collects it; empty where none does."""

    kept: Kept
    oldest: timedelta | None
    clause: str


@dataclass(frozen=True, slots=True)
class Counting:
    """For which purpose a column of events is counted, by its bit, and whether it knows of the time the day alone."""

    bit: int
    purpose: str
    daily: bool


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decision table, compiled from a plan and the bits of its units."""

    kept: Mapping[Occasion, Kept]
    devices: Kept
    oldest: timedelta | None  # of a visit
    exact: timedelta | None  # the age from which on an address is no longer exact
    units: Mapping[int, Unit]  # by the bit that says that somebody is in it
    signalled: frozenset[str]  # the purposes to which a browser's signal objects
    accessed: Mapping[Occasion, str]  # by occasion: the clause that collects accesses
    clauses: Mapping[tuple[str, Whose], str]  # by kind of event and whose it is: the clause that collects it
    collected: Mapping[str, Kept]  # by kind of event
    known: Mapping[str, Kept]  # the same of whoever is known by an anonymous identifier
    apart: Mapping[tuple[str, str], str]  # by table and column of something sensitive: the clause that keeps it apart
    anonymous: str  # the clause that keeps anything sensitive apart from whoever is not known; empty where none does
    undeclared: str  # the clause that says what becomes of metadata that was not declared; empty where none does
    drops: bool  # whether it is dropped, and the rest stored
    every: int  # the bits of all units, and those to which a browser's signal objects
    objected: int
    counting: Mapping[tuple[Occasion, str, str], Counting]  # by occasion, table and column; none: nothing may count it
    shares: dict[tuple[Occasion, int], Share] = field(default_factory=dict, compare=False)
    parts: dict[tuple[str, Whose, int], Part] = field(default_factory=dict, compare=False)
    shapes: dict[tuple[Occasion, str, int], Any] = field(default_factory=dict, compare=False)  # what `rolling` counts

    @classmethod
    def of(cls, plan: Plan, bits: Mapping[str, int]) -> "Decisions":
        """Compile; `bits` names the place of each purpose's bit."""
        ages = [timedelta(days=c.days) for c in plan.coarsenings if (c.table, c.column) == ("access", "ip")]
        units = {1 << bits[unit.purpose]: unit for unit in plan.units if unit.purpose in bits}
        return cls(
            kept={occasion: plan.kept_on(occasion, "access") for occasion in ACCESSES},
            devices=plan.kept_on(Occasion.SIGN_IN, "device"),
            oldest=_longest(plan.units, Occasion.VISIT),
            exact=min(ages, default=None),
            units=units,
            signalled=frozenset(plan.signalled),
            accessed={occasion: collecting(plan, occasion, "access") for occasion in ACCESSES},
            clauses={(kind.table, whose): clause_of(plan, kind, whose) for kind in KINDS.values() for whose in Whose},
            collected={kind.table: plan.kept_on(kind.occasion, kind.table) for kind in KINDS.values()},
            known={kind.table: plan.kept_on(Occasion.COOKIE, kind.table) for kind in KINDS.values()},
            anonymous="apart" if "apart" in plan.duties else "",
            undeclared=next((duty for duty in plan.duties if duty in UNDECLARED), ""),
            drops="drop-undeclared" in plan.duties,
            every=sum(units),
            objected=sum(bit for bit, unit in units.items() if unit.purpose in plan.signalled),
            apart={(each.table, each.column): each.clause for each in plan.apart},
            counting=dict(countings(plan, bits)),
        )

    def share(self, event: Event) -> Share:
        """Return what is kept of an event: of a visit what the policy says, of an access what its person allows.

        To what a browser's signal objects, nothing of it is kept.
        """
        if event.occasion is Occasion.VISIT and not (event.objects and self.signalled):
            return Share(self.kept[Occasion.VISIT], {}, self.oldest)
        mask = self._inside(-1 if event.occasion is Occasion.VISIT else event.uses, objects=event.objects)
        if (event.occasion, mask) not in self.shares:
            units = [unit for bit, unit in self.units.items() if mask & bit]
            self.shares[event.occasion, mask] = self._share(units, event.occasion)
        return self.shares[event.occasion, mask]

    def part(self, kind: Kind, uses: int, *, objects: bool, whose: Whose = Whose.PERSON) -> Part:
        """Return what is kept of a kind of event about somebody who is in the units of these bits."""
        mask = self._inside(uses, objects=objects)
        key = kind.table, whose, mask
        if key not in self.parts:
            units = [unit for bit, unit in self.units.items() if mask & bit]
            occasion, stored = kind.occasion_of(whose), self.stored(kind, whose)
            kept = narrowed(stored, units, occasion, kind.table)
            self.parts[key] = Part(kept, _longest(units, occasion), self.clauses[kind.table, whose])
        return self.parts[key]

    def stored(self, kind: Kind, whose: Whose) -> Kept:
        """Return what is stored of a kind of event about a person, or about an identifier."""
        return self.known[kind.table] if whose is Whose.IDENTIFIER else self.collected[kind.table]

    def inside(self, event: "Event | Sent") -> int:
        """Return the bits of the units that may use an event."""
        visit = isinstance(event, Event) and event.occasion is Occasion.VISIT
        return self._inside(-1 if visit else event.uses, objects=event.objects)

    def uses(self, purpose: str, uses: int, *, objects: bool) -> bool:
        """Whether somebody who is in the units of these bits is in a purpose."""
        inside = self._inside(uses, objects=objects)
        return any(inside & bit for bit, unit in self.units.items() if unit.purpose == purpose)

    def _share(self, units: list[Unit], occasion: Occasion) -> Share:
        access = narrowed(self.kept[occasion], units, occasion, "access")
        device = {} if occasion is not Occasion.ACCESS else narrowed(self.devices, units, Occasion.SIGN_IN, "device")
        return Share(access, device, _longest(units, occasion))

    def _inside(self, uses: int, *, objects: bool) -> int:
        return uses & self.every & ~(self.objected if objects else 0)


def countings(plan: Plan, bits: Mapping[str, int]) -> Iterator[tuple[tuple[Occasion, str, str], Counting]]:
    """Yield for which purpose each column of events is counted.

    One to which browsers' signals object comes first, and otherwise the first of the policy that may use the column. A
    count tells a time: a purpose that may not know that counts nothing.
    """
    known = [unit for unit in plan.units if unit.purpose in bits]
    units = sorted(known, key=lambda unit: unit.purpose not in plan.signalled)
    for occasion, table in {*((each, "access") for each in ACCESSES), *_kinds()}:
        columns = load_catalog().table(table)
        for column in columns.columns:
            found = (_counting(unit, occasion, (columns.column("at").category, column.category)) for unit in units)
            first = next((each for each in found if each), None) if column.category else None
            if first:
                purpose, daily = first
                yield (occasion, table, column.name), Counting(1 << bits[purpose], purpose, daily)


def _kinds() -> Iterator[tuple[Occasion, str]]:
    return (
        (kind.occasion_of(whose), kind.table) for kind in KINDS.values() for whose in (Whose.PERSON, Whose.IDENTIFIER)
    )


def _counting(unit: Unit, occasion: Occasion, categories: tuple[str | None, ...]) -> tuple[str, bool] | None:
    """Return a purpose that may use both the time and a value on an occasion, and whether it counts by day alone."""
    known = [{a.precision for a in unit.atoms if a.occasion is occasion and a.category == each} for each in categories]
    if not all(known):
        return None
    hourly = not known[0].isdisjoint({Precision.AS_IS, Precision.HOUR}) and known[1] != {Precision.COUNTED}
    return unit.purpose, not hourly


def clause_of(plan: Plan, kind: Kind, whose: Whose = Whose.PERSON) -> str:
    """Return the clause that collects a kind of event that applications send; empty where none does."""
    return collecting(plan, kind.occasion_of(whose), kind.table)


def collecting(plan: Plan, occasion: Occasion, table: str) -> str:
    """Return the clause that collects into a table on an occasion; empty where none does."""
    return min((c.clause for c in plan.collected if (c.table, c.occasion) == (table, occasion)), default="")


def narrowed(kept: Kept, units: Iterable[Unit], occasion: Occasion, table: str) -> Kept:
    """Return the columns that some of the units may use on an occasion, each as finely as the finest of them may."""
    needed: dict[str, set[Precision]] = {}
    for atom in (atom for unit in units for atom in unit.atoms if atom.occasion is occasion):
        needed.setdefault(atom.category, set()).add(
            Precision.AS_IS if atom.precision is Precision.COUNTED else atom.precision
        )
    categories = {column.name: column.category or "" for column in load_catalog().table(table).columns}
    return {
        column: _finest(needed[categories[column]], precision)
        for column, precision in kept.items()
        if categories[column] in needed
    }


def _finest(wanted: set[Precision], collected: Precision) -> Precision:
    """Return the finest precision that is wanted; where none is, or no column can hold it, that of the policy."""
    finest = next((one for one in wanted if all(other.within(one) for other in wanted)), collected)
    return finest if finest in REDUCIBLE else collected


def _longest(units: Iterable[Unit], occasion: Occasion) -> timedelta | None:
    """Return the longest window of an occasion's uses; None when one does not end with age."""
    windows = [atom.window for unit in units for atom in unit.atoms if atom.occasion is occasion]
    if not windows or any(window.kind is not WindowKind.DAYS for window in windows):
        return None
    return timedelta(days=max(window.days for window in windows))
