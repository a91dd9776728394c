"""What a purpose reads, and an audience is shown, of rows whatever occasion and version they came in under.

A grant reaches every row of a table, and a row keeps what it came with: under an earlier version perhaps what no clause
lets the purpose know now. The compiler refuses what one version would show so (P-T03); the row rule sees to the rest.
"""

from collections.abc import Collection, Iterator

from troth.policy import lasting
from troth.policy.catalog import Column, Table
from troth.policy.lasting import IN_PLACE, holds
from troth.policy.meaning import Precision, Whose, Window, WindowKind
from troth.policy.planned import Atom, Plan
from troth.policy.subjects import beside, only

#: How long others are shown a row that is still held.
WHILE_THERE = Window(WindowKind.ACCOUNT, 0)


def taken(plan: Plan, purpose: str, table: Table, *, counted: bool = False) -> frozenset[Atom]:
    """Return what a purpose may do with the rows of a table."""
    held = {column.category for column in table.columns}
    atoms = next(unit.atoms for unit in plan.units if unit.purpose == purpose)
    return frozenset(
        atom
        for atom in atoms
        if atom.category in held
        and atom.occasion in table.occasions
        and (atom.precision is Precision.COUNTED) is counted
    )


def whose(plan: Plan, purpose: str, table: Table, *, counted: bool = False) -> Iterator[str]:
    """Yield that rows are people's, of identifiers or visitors', for a purpose that has no part in some of them.

    The stamp cannot say so: everybody is in a unit with all of their rows, and visits keep the stamps of their time.
    """
    mine = {atom.occasion.whose for atom in taken(plan, purpose, table, counted=counted)}
    if mine:
        yield from only(mine, table.whose)


def known(plan: Plan, purpose: str, table: Table, read: Collection[str]) -> Iterator[str]:
    """Yield that no kind of rows holds, in what is read, what may be known of another kind alone."""
    atoms = taken(plan, purpose, table)
    for kind in (Whose.NOBODY, Whose.IDENTIFIER, Whose.PERSON):
        mine = {atom for atom in atoms if atom.occasion.whose is kind}
        parts = [part for column in table.columns for part in _known(table, column, mine, read)]
        if mine and parts:
            yield f"({beside(kind)} OR ({' AND '.join(parts)}))"


def shown(plan: Plan, table: Table, role: str) -> Iterator[str]:
    """Yield that rows hold, of what an audience is shown, nothing that this version does not store, and nothing finer.

    What others are shown has no precision and no window of its own: it is what rows hold, and rows of earlier versions,
    or such as the sweep has not come to, may hold more. Copies hold what the column holds that they copy.
    """
    seen = {each.column for each in plan.seen if (each.role, each.table) == (role, table.name) and each.category}
    stored = [plan.kept_on(occasion, table.name) for occasion in table.occasions if occasion.whose is Whose.PERSON]
    for column in table.columns:
        allowed = {kept[column.name] for kept in stored if column.name in kept}
        if column.name in seen and not column.derived and Precision.AS_IS not in allowed:
            yield from _holding(table, column, allowed)
    yield from lasting.coarse_by_now(plan, table, WHILE_THERE, seen)


def _known(table: Table, column: Column, mine: Collection[Atom], read: Collection[str]) -> Iterator[str]:
    if column.generated or column.category is None:
        return
    allowed = {atom.precision for atom in mine if atom.category == column.category}
    shown = [each for each in table.columns if each.category == column.category and each.name in read]
    if all(any(each.precision.within(precision) for precision in allowed) for each in shown):
        return
    yield from _holding(table, column, allowed)


def _holding(table: Table, column: Column, allowed: Collection[Precision]) -> Iterator[str]:
    coarse = [holds(column.name, precision) for precision in IN_PLACE if precision in allowed]
    if coarse:
        yield f"({' OR '.join(coarse)})" if len(coarse) > 1 else coarse[0]
    elif column.name not in table.key:  # when a row came, is known with it
        yield f"{column.name} IS NULL"
