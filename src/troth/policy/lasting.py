"""How long rows and exact values last, as expressions: one source for row rules, the intake's check and the sweep."""

from collections.abc import Collection, Iterable, Iterator

from troth.policy.catalog import Table
from troth.policy.meaning import Precision, Window, WindowKind
from troth.policy.planned import Coarsening, Plan, Retention

#: What a value can become where it stands.
IN_PLACE = (Precision.NETWORK, Precision.HOUR, Precision.DAY, Precision.CITY, Precision.REGION)


def hours(days: int) -> str:
    """Write days as hours: taking days from a time goes through the calendar, row by row, at ten times the cost."""
    return f"interval '{days * 24} hours'"


def alive(retention: Retention, consenting: str = "") -> str:
    """Return whether some use of a row still lasts; `consenting` says otherwise than by the stamp who consents."""
    parts = []
    if retention.days is not None:
        parts.append(f"at > statement_timestamp() - {hours(retention.days)}")
    if retention.after_end is not None:
        parts.append(f"ended_at IS NULL OR ended_at > statement_timestamp() - {hours(retention.after_end)}")
    if retention.consented:
        stamped = consenting or f"uses & {_bits(retention.consented)} <> 0"
        parts.append(f"ended_at IS NULL AND {stamped}")
    return " OR ".join(f"({part})" for part in parts) or "false"


def ends(retention: Retention) -> str:
    """Return when a row's last use ends, as far as is known: 'infinity' while an account or a consent lasts."""
    parts = []
    if retention.days is not None:
        parts.append(f"at + {hours(retention.days)}")
    if retention.after_end is not None:
        parts.append(f"coalesce(ended_at, 'infinity') + {hours(retention.after_end)}")
    if retention.consented:
        lasts = f"ended_at IS NULL AND uses & {_bits(retention.consented)} <> 0"
        parts.append(f"CASE WHEN {lasts} THEN 'infinity'::timestamptz ELSE '-infinity' END")
    return f"greatest({', '.join(parts)})" if parts else "statement_timestamp()"


def _bits(purposes: Iterable[str]) -> str:
    names = ", ".join(f"'{purpose}'" for purpose in purposes)
    return (
        "(SELECT coalesce(bit_or(1::bigint << u.bit), 0) FROM troth.unit AS u"
        f" WHERE u.retired_at IS NULL AND u.purpose IN ({names}))"
    )


def made(name: str, precision: Precision) -> str:
    """Return the expression of a column's value at a precision that a table can make in place."""
    match precision:
        case Precision.NETWORK:
            return f"network(set_masklen({name}, CASE family({name}) WHEN 4 THEN 24 ELSE 48 END))::inet"
        case Precision.HOUR | Precision.DAY:
            return f"date_trunc('{precision.value}', {name}, 'UTC')"
        case Precision.CITY:
            return f"(floor({name} * 10) / 10)"
        case Precision.REGION:
            return f"floor({name})"
        case _:
            raise AssertionError(f"P-T06 refuses what would become {precision} in place")


def holds(name: str, precision: Precision) -> str:
    """Return the predicate that a column holds nothing finer than a precision."""
    return f"({name} IS NULL OR {name} = {made(name, precision)})"


def in_time(coarsening: Coarsening) -> str:
    """Return the predicate that a row's value is not finer than it may be at the row's age."""
    young = f"at > statement_timestamp() - {hours(coarsening.days)}"
    return f"({young} OR {holds(coarsening.column, coarsening.precision)})"


def coarsened(plan: Plan, table: str) -> list[Coarsening]:
    """Return what becomes coarse in a table."""
    return [each for each in plan.coarsenings if each.table == table]


def emptied(plan: Plan, table: str) -> list[str]:
    """Return the columns of a table whose values nothing collects any more."""
    return [each.column for each in plan.emptied if each.table == table]


def changed(plan: Plan, table: str) -> set[str]:
    """Return the columns of a table in which values are made coarser, or emptied."""
    coarse = {each.column for each in coarsened(plan, table)}
    deleted = {own.column for own in plan.own if (own.table, own.privilege) == (table, "delete")}
    return coarse | deleted | {*emptied(plan, table)}


def coarse_by_now(plan: Plan, table: Table, window: Window, read: Collection[str]) -> Iterator[str]:
    """Yield, for what of a table is read finer than it may become within a window, that it has become so by then."""
    for each in coarsened(plan, table.name):
        over = window.kind is WindowKind.DAYS and window.days <= each.days
        same = [column for column in table.columns if column.category == each.category]
        finer = {column.name for column in same if not column.precision.within(each.precision)}
        if finer.intersection(read) and not over:
            yield in_time(each)


def new_enough(plan: Plan, table: Table) -> Iterator[str]:
    """Yield what a row must satisfy to come in now: not past every window, and not finer than its age allows."""
    if "at" in table.key:
        yield "at < statement_timestamp() + interval '1 day'"
        retention = plan.longest(table.name)
        if retention.days and retention.after_end is None and not retention.consented:
            yield f"at > statement_timestamp() - {hours(retention.days)}"
    yield from (in_time(each) for each in coarsened(plan, table.name))
