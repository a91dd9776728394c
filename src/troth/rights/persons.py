"""Whose a row is: for each table of the catalog the condition that its rows belong to one person, and who that is."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from troth.database.errors import RequestRefusal
from troth.database.statements import load
from troth.policy.catalog import Catalog, Column, Owner, Table
from troth.policy.meaning import Precision
from troth.rights.signed import values_at

#: By what a person can be named beside their subject.
ADDRESS = "person.email"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whose rows are asked for: the subject, and when the account ended.

    `tied` are the anonymous identifiers that they tied to it: what these left is theirs, and goes with them.
    """

    subject: uuid.UUID
    ended_at: datetime | None
    tied: tuple[uuid.UUID, ...] = ()


def composed(name: str, **parts: sql.Composable) -> sql.Composed:
    """Return a named statement with identifiers, literals and conditions in its places."""
    return sql.SQL(load("troth.rights")[name]).format(**parts)


def find(connection: Connection[Any], catalog: Catalog, told: str) -> Person:
    """Return who is meant by a subject or an e-mail address. Raises RequestRefusal for nobody, and for several."""
    found = sorted({Person(*row) for row in _candidates(connection, catalog, told)}, key=lambda who: who.subject)
    if not found:
        raise RequestRefusal(
            f"nobody here is `{told}`", advice="name a person by the address they sign in with, or by their subject"
        )
    if len(found) > 1:
        listed = ", ".join(f"{who.subject} ({'ended' if who.ended_at else 'open'})" for who in found)
        raise RequestRefusal(f"`{told}` is more than one: {listed}", advice="name one by the subject")
    tied = connection.execute(composed("tied_to", subject=sql.Literal(found[0].subject))).fetchall()
    return replace(found[0], tied=tuple(identifier for (identifier,) in tied))


def _candidates(connection: Connection[Any], catalog: Catalog, told: str) -> list[tuple[Any, ...]]:
    try:
        subject = sql.Literal(uuid.UUID(told))
    except ValueError:
        columns = ((t.name, c.name) for t in catalog if t.by_subject for c in t.columns if _addresses(c))
        parts = [
            composed(
                "subjects_with", table=sql.Identifier(table), column=sql.Identifier(column), text=sql.Literal(told)
            )
            for table, column in columns
        ]
        return connection.execute(sql.SQL(" UNION ").join(parts)).fetchall()
    return connection.execute(composed("subject_named", subject=subject)).fetchall()


def _addresses(column: Column) -> bool:
    return column.category == ADDRESS and column.precision is Precision.AS_IS and not column.credential


def held_tables(catalog: Catalog) -> tuple[Table, ...]:
    """Return the tables whose rows are somebody's."""
    return tuple(table for table in catalog if table.by_subject or table.owners)


def conditions(connection: Connection[Any], catalog: Catalog, person: Person) -> dict[str, sql.Composable]:
    """Return for each table that can hold rows of a person which of them are theirs.

    What leads to rows over other tables is read now: the condition still holds when those are gone.
    """
    found: dict[str, sql.Composable] = {}
    for table in inwards(catalog):
        if table.by_subject:
            found[table.name] = _of_subject(table, person)
        else:
            ways = [_over(connection, table, owner, found[owner.table]) for owner in table.owners]
            found[table.name] = sql.SQL("({})").format(sql.SQL(" OR ").join(ways))
    return found


def _of_subject(table: Table, person: Person) -> sql.Composable:
    named = {"table": sql.Identifier(table.name)}
    subjects = sql.SQL(", ").join(map(sql.Literal, (person.subject, *person.tied)))
    columns = ("subject", *table.parties)
    ways = [composed("of_subject", column=sql.Identifier(column), subjects=subjects, **named) for column in columns]
    return sql.SQL("({})").format(sql.SQL(" OR ").join(ways)) if table.parties else ways[0]


def inwards(catalog: Catalog) -> Iterator[Table]:
    """Yield the tables whose rows are somebody's, each behind those over which it is reached."""
    seen: set[str] = set()
    waiting = list(held_tables(catalog))
    while waiting:
        ready = [table for table in waiting if table.by_subject or seen.issuperset(o.table for o in table.owners)]
        if not ready:
            names = ", ".join(table.name for table in waiting)
            raise RequestRefusal(f"nothing leads from `{names}` to a person", advice="mend `owners` in governed.toml")
        yield from ready
        seen |= {table.name for table in ready}
        waiting = [table for table in waiting if table.name not in seen]


def _over(connection: Connection[Any], table: Table, owner: Owner, condition: sql.Composable) -> sql.Composable:
    parts = {"column": sql.Identifier(owner.key), "table": sql.Identifier(owner.table), "condition": condition}
    values = [value for (value,) in connection.execute(composed("values_in", **parts)) if value is not None]
    if owner.field:
        values = list(_holding(connection, table, owner, values)) if values else []
    if not values:
        return composed("of_nobody")
    named = {"table": sql.Identifier(table.name), "column": sql.Identifier(owner.column)}
    return composed("of_values", **named, values=sql.Literal(values))


def _holding(connection: Connection[Any], table: Table, owner: Owner, wanted: Iterable[Any]) -> Iterator[str]:
    sought = {str(value).lower() for value in wanted}
    named = {"table": sql.Identifier(table.name), "column": sql.Identifier(owner.column)}
    for (text,) in connection.execute(composed("values_of_all", **named)):
        if not sought.isdisjoint(values_at(text, owner.field, owner.base)):
            yield text


def outwards(catalog: Catalog) -> Collection[Table]:
    """Return the same tables, each before those over which it is reached: the order in which rows can go."""
    return tuple(reversed(tuple(inwards(catalog))))


def numbers(connection: Connection[Any], whose: Mapping[str, sql.Composable]) -> dict[str, int]:
    """Count a person's rows in each table."""
    counted = {}
    for name, condition in whose.items():
        row = connection.execute(composed("how_many", table=sql.Identifier(name), condition=condition)).fetchone()
        counted[name] = int(row[0]) if row else 0
    return counted
