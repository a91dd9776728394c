"""Which purposes and audiences reach further in a new version: nobody is in those until they agree to it."""

from collections.abc import Iterable

from troth.policy.catalog import Catalog
from troth.policy.errors import PolicyErrors
from troth.policy.filling import kept
from troth.policy.meaning import Policy, Precision, Whose, WindowKind
from troth.policy.plan import plan
from troth.policy.planned import Atom, Coarsening, Plan, Retention


def opened(old: Policy, new: Policy, catalog: Catalog) -> frozenset[str]:
    """Name what `widened` names of two versions; nothing where these tables cannot hold to one of them."""
    try:
        return widened(plan(old, catalog), plan(new, catalog))
    except PolicyErrors:
        return frozenset()


def widened(old: Plan, new: Plan) -> frozenset[str]:
    """Name the purposes and audiences that may do or see more than before, or that are new.

    Nobody is in them until they agree again.
    """
    before = {unit.purpose: unit for unit in old.units}
    audiences = (role for role in new.audiences if _shows_more(old, new, role))
    return frozenset(audiences) | frozenset(
        unit.purpose
        for unit in new.units
        if unit.purpose not in before
        or before[unit.purpose].basis is not unit.basis
        or (unit.purpose in old.signalled and unit.purpose not in new.signalled)
        or any(not _covered(atom, before[unit.purpose].atoms) for atom in unit.atoms)
        or any(_finer_for_longer(old, new, atom) for atom in unit.atoms)
    )


def _as_coarse(now: Coarsening, before: Coarsening) -> bool:
    return now.category == before.category and now.days <= before.days and now.precision.within(before.precision)


def _covered(atom: Atom, allowed: Iterable[Atom]) -> bool:
    return any(
        other.category == atom.category
        and other.occasion is atom.occasion
        and atom.precision.within(other.precision)
        and atom.window.within(other.window)
        for other in allowed
    )


def _finer_for_longer(old: Plan, new: Plan, atom: Atom) -> bool:
    """Return whether a value that is used so became coarse while it was used, and now does so later, less, or never."""
    window = atom.window
    return any(
        before.category == atom.category
        and not kept(atom.precision).within(before.precision)
        and not (window.kind is WindowKind.DAYS and window.days <= before.days)
        and not any(_as_coarse(now, before) for now in new.coarsenings)
        for before in old.coarsenings
    )


def _shows_more(old: Plan, new: Plan, role: str) -> bool:
    """Return whether an audience is shown a category more, or what it was shown more exactly or for longer."""
    shown = {(each.table, each.column) for each in new.seen if each.role == role and each.category}
    return (
        not _told(new, role) <= _told(old, role)
        or any(_stored_finer(old, new, *each) for each in shown)
        or any(_longer(old.longest(table), new.longest(table)) for table, _column in shown)
    )


def _told(plan: Plan, role: str) -> set[tuple[str, bool]]:
    """Return what an audience is shown: of those alone who posted something to it, or of anybody, which is both."""
    authored = {(each.role, each.table) for each in plan.authored}
    seen = (each for each in plan.seen if each.role == role and each.category)
    shown = {(each.category, (role, each.table) in authored) for each in seen}
    return shown | {(category, True) for category, _ in shown}


def _stored_finer(old: Plan, new: Plan, table: str, column: str) -> bool:
    before, now = _stored(old, table, column), _stored(new, table, column)
    if any(not any(each.within(other) for other in before) for each in now):
        return True
    was, will = (
        [each for each in plan.coarsenings if (each.table, each.column) == (table, column)] for plan in (old, new)
    )
    left = (each for each in was if not any(_as_coarse(other, each) for other in will))
    return any(not all(precision.within(each.precision) for precision in now) for each in left)


def _stored(plan: Plan, table: str, column: str) -> set[Precision]:
    """Return how exactly a column is stored of people; visitors are nobody who could be shown."""
    found = (each for each in plan.collected if (each.table, each.column) == (table, column))
    return {each.precision for each in found if each.occasion.whose is Whose.PERSON}


def _longer(before: Retention, now: Retention) -> bool:
    """Return whether rows of people who are here may stay longer than they did."""
    if before.after_end is not None:
        return False
    return (
        now.after_end is not None
        or (now.days or 0) > (before.days or 0)
        or not set(now.consented) <= set(before.consented)
    )
