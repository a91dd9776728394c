"""Tables and columns that are declared at run time: their types, and the facts that make and keep them what they are.

A column comes to be empty and without a default, and its check is not held against the rows that are there, which are
all empty in it: neither rewrites a table nor reads it, so that no reader waits longer than for the switch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from troth.policy.catalog import Catalog, Column, Table
from troth.policy.facts import Fact, Kind, fingerprint
from troth.policy.quoting import literal, quoted


class Type(StrEnum):
    """What a declared column holds."""

    TEXT = "text"
    LONG = "long text"
    NUMBER = "whole number"
    DATE = "date"
    CHOICE = "choice"
    YES_NO = "yes or no"
    WEB = "web address"
    PHONE = "phone"
    IDENTIFIER = "identifier"


STORED = {Type.NUMBER: "bigint", Type.DATE: "date", Type.YES_NO: "boolean", Type.IDENTIFIER: "uuid"}
#: The most characters that a column of a type may be declared to hold, and how many it holds when nothing is said.
LONGEST = {Type.TEXT: (500, 200), Type.LONG: (20_000, 2_000), Type.WEB: (2_000, 2_000), Type.PHONE: (40, 40)}
#: What a terminal obeys, and what turns the direction of the text around it; a long text has lines.
CONTROL = r"\u0001-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069"
LINES = r"\u0001-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069"
PATTERNS = {
    Type.TEXT: rf"^[^{CONTROL}]+$",
    Type.LONG: rf"^[^{LINES}]+$",
    Type.WEB: rf"^https?://[^\s<>{CONTROL}]+$",
    Type.PHONE: r"^\+?[0-9][0-9 ()./-]{1,37}[0-9]$",
}
#: Numbers that every language of a browser can hold, and days that every calendar here can.
LARGEST = 999_999_999_999_999
DAYS = ("0001-01-01", "9999-12-31")


@dataclass(frozen=True, slots=True)
class Shape:
    """A declared column's type, the most characters it holds, and the words of a choice."""

    type: Type
    longest: int = 0
    choices: tuple[str, ...] = ()

    @property
    def stored(self) -> str:
        """The type as PostgreSQL names it."""
        return STORED.get(self.type, "text")


def shape(column: Column) -> Shape:
    """Return what a declared column is like. Raises TypeError for one that no declaration made."""
    if not column.type:
        raise TypeError(f"`{column.name}` is no declared column")
    kind = Type(column.type)
    return Shape(kind, column.longest or LONGEST.get(kind, (0, 0))[1], column.choices)


def facts(catalog: Catalog) -> Iterator[Fact]:
    """Yield that every declared table and column is there, and held to what is declared of it."""
    for table in catalog:
        if table.declared:
            yield _table(table)
        for column in table.columns:
            if column.type:
                if not table.declared or column.name not in table.key:
                    yield _column(table, column)
                yield from _check(table, column)


def name_of(table: str, column: str) -> str:
    """Return how facts name a column."""
    return f"troth.{table}.{column}"


def _table(table: Table) -> Fact:
    # What stamping and row rules read stands first, of fixed width and never null.
    keys = "".join(f", {quoted(name)} {_key(table.column(name))}" for name in table.key if name != "subject")
    key = ", ".join(map(quoted, table.key))
    made = (
        f"CREATE TABLE troth.{quoted(table.name)} (subject uuid NOT NULL REFERENCES troth.subject (subject),"
        " at timestamptz NOT NULL DEFAULT statement_timestamp(), uses bigint NOT NULL DEFAULT 0"
        f"{keys}, ended_at timestamptz, PRIMARY KEY ({key})) WITH (fillfactor = 85)"
    )
    return Fact(Kind.TABLE, table.name, "declared", make=made)


def _key(column: Column) -> str:
    kind = shape(column).stored
    return f"{kind} NOT NULL{' DEFAULT uuidv7()' if kind == 'uuid' else ''}"


def _column(table: Table, column: Column) -> Fact:
    on = f"troth.{quoted(table.name)}"
    return Fact(
        Kind.COLUMN,
        name_of(table.name, column.name),
        shape(column).stored,
        make=f"ALTER TABLE {on} ADD COLUMN {quoted(column.name)} {shape(column).stored}",
        locks=f"troth.{table.name}",
    )


def _check(table: Table, column: Column) -> Iterator[Fact]:
    held = condition(column)
    if held:
        on, name = f"troth.{quoted(table.name)}", constraint(column.name)
        made = f"ALTER TABLE {on} ADD CONSTRAINT {quoted(name)} CHECK ({held}) NOT VALID"
        yield Fact(
            Kind.CHECK,
            f"{table.name}.{name}",
            fingerprint(made),
            make=made,
            locks=f"troth.{table.name}",
        )


def constraint(column: str) -> str:
    """Return the name of a declared column's check."""
    return f"declared_{column}"


def condition(column: Column) -> str:
    """Return what a declared column's values satisfy; empty where the type alone says it."""
    name, told = quoted(column.name), shape(column)
    match told.type:
        case Type.NUMBER:
            return f"{name} BETWEEN -{LARGEST} AND {LARGEST}"
        case Type.DATE:
            return f"{name} BETWEEN {literal(DAYS[0])} AND {literal(DAYS[1])}"
        case Type.CHOICE:
            return f"{name} IN ({', '.join(map(literal, told.choices))})"
        case Type.YES_NO | Type.IDENTIFIER:
            return ""
        case kind:
            return f"length({name}) <= {told.longest} AND {name} ~ {literal(PATTERNS[kind])}"


def drop(table: Table, column: Column | None) -> str:
    """Drop a declared column with its values, or with None the whole declared table."""
    on = f"TABLE troth.{quoted(table.name)}"
    return f"DROP {on}" if column is None else f"ALTER {on} DROP COLUMN {quoted(column.name)}"


def count_unfit(table: Table, column: Column) -> str:
    """Count the rows whose value a declared column could not hold any more."""
    return f"SELECT count(*) FROM troth.{quoted(table.name)} WHERE NOT ({condition(column) or 'true'})"


def count_filled(table: Table, column: Column) -> str:
    """Count the people of whom a column holds something."""
    return f"SELECT count(DISTINCT subject) FROM troth.{quoted(table.name)} WHERE {quoted(column.name)} IS NOT NULL"


def joined(static: Table, declared: Table) -> Table:
    """Return a table of the house with the columns that were declared for it."""
    return replace(static, columns=(*static.columns, *declared.columns))
