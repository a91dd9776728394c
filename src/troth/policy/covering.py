"""What may come in: which columns a built-in role may write, and what the rows must satisfy, by the collections."""

from collections.abc import Collection, Iterator, Mapping

from troth.policy import lasting
from troth.policy.audiences import (
    ADMINISTERED,
    DIRECTORY,
    LOOKED,
    MIRROR,
    OPEN,
    SHARED,
    SUPPLIED,
    SUPPLIED_PERSON,
    of_persons,
)
from troth.policy.catalog import Access, Rows, Table
from troth.policy.meaning import Precision
from troth.policy.planned import Plan
from troth.policy.quoting import literal
from troth.policy.subjects import of

REACHED = {
    Rows.ALL: "true",
    Rows.COLLECTED: "true",
    Rows.COVERED: "true",
    Rows.OWN: "subject = troth.viewer()",
    Rows.SHARED: SHARED,
    Rows.ADMINISTERED: ADMINISTERED,
    Rows.SUPPLIED: SUPPLIED,
}


def privileges(plan: Plan, table: Table, access: Access) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each privilege of a role with its columns (none: the whole table), less what no clause collects."""
    if access.rows is not Rows.COLLECTED:
        yield from access.privileges
        return
    kept = {collected.column for collected in plan.collected if collected.table == table.name}
    for privilege, told in access.privileges:
        columns = [name for name in told if name in kept or name in table.key or table.column(name).category is None]
        more = sorted(kept.difference(told)) if privilege == "insert" else ()
        if columns or more or privilege == "delete":
            yield privilege, (*columns, *more)


def reached(plan: Plan, table: Table, rows: Rows, privilege: str, columns: Collection[str]) -> tuple[str, str]:
    """Return USING and WITH CHECK of a privilege on columns; empty where the command has no such part."""
    match rows, privilege:
        case Rows.COLLECTED | Rows.COVERED, "insert":
            using, check = "", covered(plan, table)
        case Rows.COLLECTED, "update":
            # What else the row holds was collected when it came in, perhaps under an earlier version.
            using, check = "true", covered(plan, table, only=columns)
        case Rows.COVERED, "update":
            using, check = "true", covered(plan, table)
        case _:
            using = check = table.of("troth.viewer()") if rows is Rows.OWN else REACHED[rows]
            if rows is Rows.ADMINISTERED and table.stamped:
                using = check = LOOKED
            if rows is Rows.SUPPLIED and table.stamped:
                using = check = f"{using} AND {OPEN}"
    return "" if privilege == "insert" else using, check if privilege in ("insert", "update") else ""


def alike(table: Table) -> Iterator[tuple[str, str]]:
    """Yield who else sees what administrators are shown of a table, and which rows of it."""
    yield MIRROR, REACHED[Rows.OWN]
    if table.directed:
        yield DIRECTORY, SUPPLIED_PERSON if of_persons(table) else REACHED[Rows.SUPPLIED]


def covered(plan: Plan, table: Table, only: Collection[str] | None = None) -> str:
    """Return what a row must satisfy: only columns that are collected on its occasion, as coarse as is said."""
    branches = []
    for occasion in table.occasions:
        kept = plan.kept_on(occasion, table.name)
        if kept:
            parts = [of(occasion.whose), *_reduced(table, kept, only), *lasting.new_enough(plan, table)]
            parts += [_addressed(plan, table)] if table.posted else []
            branches.append("(" + " AND ".join(parts) + ")")
    return " OR ".join(branches) or "false"


def _addressed(plan: Plan, table: Table) -> str:
    """Return that a row is for an audience to which the policy lets people post."""
    allowed = ", ".join(literal(audience) for audience in plan.postable(table.name))
    return f"audience IN ({allowed})" if allowed else "false"


def _reduced(table: Table, kept: Mapping[str, Precision], only: Collection[str] | None) -> Iterator[str]:
    for column in table.columns:
        if column.category is None or column.derived or (only is not None and column.name not in only):
            continue
        name = f'"{column.name}"'
        match kept.get(column.name):
            case None if column.name not in table.key:
                yield f"{name} IS NULL"
            case None | Precision.AS_IS:
                pass
            case precision:
                yield lasting.holds(name, precision)
