"""Erasing a person: what no window keeps goes at once, in one transaction, and is looked for again before it commits.

A preview is the erasure itself, taken back: what it counts cannot differ from what an erasure removes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from troth.database.errors import RequestRefusal
from troth.database.retention import windows
from troth.policy.bound import goes, stays
from troth.policy.catalog import Table
from troth.policy.meaning import Window, WindowKind
from troth.policy.planned import Retention
from troth.rights.exporting import Source
from troth.rights.persons import Person, composed, conditions, held_tables, numbers, outwards


@dataclass(frozen=True, slots=True)
class Keeping:
    """A window that keeps rows: whose use it is, by which clauses, how many rows, until when the last of them."""

    purpose: str
    window: Window
    clauses: tuple[str, ...]
    rows: int
    until: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a person's rows of a table. `until` is None where nothing stays."""

    table: Table
    rows: int
    stays: int
    until: str | None
    because: tuple[Keeping, ...]

    @property
    def at_once(self) -> int:
        """How many go now. What the entry of the end itself adds to the ledger's salts was not there before."""
        return max(self.rows - self.stays, 0)


def leaves(table: Table) -> bool:
    """Whether a table's rows go with the account: they hold what is personal, and no window of the policy is theirs.

    Rows that only tie others together stay until the last of those has gone.
    """
    return not table.stamped and (table.personal or bool(table.owners))


def carry_out(connection: Connection[Any], source: Source, person: Person) -> list[Fate]:
    """End a person's account and remove what nothing keeps; return what became of each table's rows.

    The connection must be in a transaction of the owner's. Of an account that has ended before, only what has outlasted
    every window goes. Raises RequestRefusal when anything is left that should have gone.
    """
    whose = conditions(connection, source.catalog, person)
    before = numbers(connection, whose)
    for table in outwards(source.catalog):
        if leaves(table):
            connection.execute(composed("remove_rows", table=sql.Identifier(table.name), condition=whose[table.name]))
    if person.ended_at is None:
        _end(connection, person)
    _remove_outlasted(connection, source, whose)
    connection.execute(composed("check_now"))
    after = numbers(connection, whose)
    fates = _fates(connection, source, whose, before, after)
    _refuse_remains(fates)
    return fates


def _end(connection: Connection[Any], person: Person) -> None:
    subject = sql.Literal(person.subject)
    row = connection.execute(composed("agreed_version", subject=subject)).fetchone()
    # Who never agreed to anything is forgotten entirely, as when they decline on the page.
    connection.execute(composed("end" if row and row[0] else "forget", subject=subject))
    for identifier in person.tied:
        connection.execute(composed("end", subject=sql.Literal(identifier)))


def _remove_outlasted(connection: Connection[Any], source: Source, whose: Mapping[str, sql.Composable]) -> None:
    for kept in source.now.plan.retention:
        parts = {"table": sql.Identifier(kept.table), "condition": whose[kept.table], "alive": sql.SQL(stays(kept))}
        connection.execute(composed("remove_outlasted", **parts))


def _fates(
    connection: Connection[Any],
    source: Source,
    whose: Mapping[str, sql.Composable],
    before: Mapping[str, int],
    after: Mapping[str, int],
) -> list[Fate]:
    because = {
        table.name: tuple(_keeping(connection, source, table, whose[table.name])) if after[table.name] else ()
        for table in held_tables(source.catalog)
    }
    last = max((each.until for found in because.values() for each in found), default=None)
    return [
        Fate(
            table,
            before[table.name],
            after[table.name],
            max((each.until for each in because[table.name]), default=last if after[table.name] else None),
            because[table.name],
        )
        for table in held_tables(source.catalog)
    ]


def _keeping(connection: Connection[Any], source: Source, table: Table, condition: sql.Composable) -> Iterator[Keeping]:
    for each in windows(source.now.policy, table):
        kept = _alone(table, each.purpose, each.window)
        parts = {"ends": sql.SQL(goes(kept)), "alive": sql.SQL(stays(kept)), "condition": condition}
        row = connection.execute(composed("kept_how_long", table=sql.Identifier(table.name), **parts)).fetchone()
        if row and row[0]:
            yield Keeping(each.purpose, each.window, each.clauses, int(row[0]), str(row[1]))


def _alone(table: Table, purpose: str, window: Window) -> Retention:
    """Return what would keep a table's rows were there no window but one."""
    match window.kind:
        case WindowKind.DAYS:
            return Retention(table.name, window.days, None, ())
        case WindowKind.ACCOUNT:
            return Retention(table.name, None, window.days, ())
        case WindowKind.CONSENTED:
            return Retention(table.name, None, None, (purpose,))


def _refuse_remains(fates: list[Fate]) -> None:
    left = [fate.table.name for fate in fates if fate.stays and (leaves(fate.table) or _unkept(fate))]
    if left:
        raise RequestRefusal(
            f"rows of `{', '.join(left)}` would be left that nothing keeps; nothing was erased",
            advice="see `troth policy drift`, and report this",
        )


def _unkept(fate: Fate) -> bool:
    return fate.table.stamped and not fate.because
