"""By which clauses what an item says was collected, for which purposes each did, and until when these use it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from troth.database.published import Published
from troth.intake.event import now
from troth.policy import meaning
from troth.policy.meaning import Basis, Whose, Window, WindowKind
from troth.policy.planned import Unit


@dataclass(frozen=True, slots=True)
class Use:
    """A purpose that may use an item: until a moment, which may be past, or as long as its window says."""

    purpose: str
    window: Window
    until: datetime | None

    @property
    def lasts(self) -> bool:
        """Whether it still may."""
        return self.until is None or self.until > now()


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause that let something of an item be collected, and the purposes of it that may use the item."""

    name: str
    uses: Sequence[Use]


def inside(stamp: int, policy: Published) -> list[Unit]:
    """Return the units that may use a row which is stamped so."""
    return [unit for unit in policy.plan.units if _uses(stamp, unit.purpose, policy)]


def clauses(
    table: str, columns: Collection[str], at: datetime, units: Collection[Unit], *, policy: Published, whose: Whose
) -> list[Clause]:
    """Return the clauses by which columns of a row were collected, in the policy's order.

    These are what is for a purpose that its person is in, or was before saying no; and of a column that none of them
    collects, all that may have.
    """
    purposes = {unit.purpose for unit in units}
    known = purposes | {each.name for each in policy.policy.purposes if each.basis is not Basis.CONSENT}
    held = {column.category for column in policy.catalog.table(table).columns if column.name in columns}
    able = [each for each in _collecting(table, policy, whose) if held.intersection(each.categories)]
    named = [each for each in able if any(use.purpose in known for use in each.uses)]
    left = held.difference(*(each.categories for each in named))
    found = {each.clause.name: each for each in able if each in named or left.intersection(each.categories)}
    return [Clause(name, list(_using(each, at, purposes))) for name, each in found.items()]


def _collecting(table: str, policy: Published, whose: Whose) -> Iterator[meaning.Collection]:
    occasions = policy.catalog.table(table).occasions
    every = (each for each in policy.policy.collections if each.occasion in occasions)
    return (each for each in every if each.occasion.whose is whose)


def _using(collection: meaning.Collection, at: datetime, purposes: Collection[str]) -> Iterator[Use]:
    for use in collection.uses:
        if use.purpose in purposes:
            days = use.window.kind is WindowKind.DAYS
            yield Use(use.purpose, use.window, at + timedelta(days=use.window.days) if days else None)


def _uses(stamp: int, purpose: str, policy: Published) -> bool:
    bit = policy.bits.get(purpose)
    return bit is not None and bool(stamp >> bit & 1) and not (stamp < 0 and purpose in policy.plan.signalled)
