"""Writing everything that is held about a person into a document, from the catalog and the plan alone."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import msgspec
from psycopg import Connection, sql

from troth.database.published import Published
from troth.database.retention import Governing, windows
from troth.policy.catalog import Catalog, Table
from troth.policy.lasting import ends
from troth.policy.meaning import WindowKind
from troth.policy.planned import Plan
from troth.rights.document import FORMAT, NOT_HANDED_OUT, About, Column, Head, Purpose, Row, Version, Window
from troth.rights.persons import Person, composed, conditions, held_tables

#: Rows that are in memory at once.
BATCH = 1000
OPEN = "infinity"


@dataclass(frozen=True, slots=True)
class Source:
    """Where an export comes from: what is in force, which bit is whose, and what the tables are."""

    now: Published
    bits: Mapping[str, int]
    catalog: Catalog


def write(connection: Connection[Any], source: Source, person: Person, file: Path) -> int:
    """Write everything held about a person to a new file that only its owner may read; return how many rows.

    All rows are of one moment: one statement reads them. The connection must be in a transaction of the owner's.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        return _document(connection, source, person, out)


def _document(connection: Connection[Any], source: Source, person: Person, out: IO[bytes]) -> int:
    tables = held_tables(source.catalog)
    found = groupby(_rows(connection, source, person), key=itemgetter(0))
    place, rows = next(found, (len(tables), iter(())))
    written = 0
    out.write(_opened(_head(source.now, person), b"tables"))
    for number, table in enumerate(tables):
        governing = tuple(windows(source.now.policy, table))
        out.write(b",\n" if number else b"\n")
        out.write(_opened(_about(table, governing), b"rows"))
        if place == number:
            written += _listed((_row(held, goes, governing, source) for _, _, held, goes in rows), out)
            place, rows = next(found, (len(tables), iter(())))
        out.write(b"]}")
    out.write(b"]}\n")
    return written


def _listed(rows: Iterable[Row], out: IO[bytes]) -> int:
    number = 0
    for number, row in enumerate(rows, start=1):
        out.write(b"\n" if number == 1 else b",\n")
        out.write(msgspec.json.encode(row))
    return number


def _opened(part: msgspec.Struct, last: bytes) -> bytes:
    """Return an object that its last field, a list, still has to follow."""
    return msgspec.json.encode(part).removesuffix(b"}") + b',"' + last + b'":['


def _head(now: Published, person: Person) -> Head:
    return Head(
        format=FORMAT,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        subject=str(person.subject),
        account_ended_at=person.ended_at.isoformat() if person.ended_at else None,
        policy=Version(now.policy.name, now.version, now.digest),
        purposes={purpose.name: Purpose(purpose.sentence, purpose.basis) for purpose in now.policy.purposes},
    )


def _about(table: Table, governing: tuple[Governing, ...]) -> About:
    return About(
        table=table.name,
        room=table.room,
        columns=tuple(
            Column(c.name, c.category, c.precision, c.reason, NOT_HANDED_OUT if c.credential else None)
            for c in table.columns
        ),
        windows=tuple(Window(g.purpose, g.window.kind, g.window.days, g.clauses) for g in governing),
    )


def _rows(
    connection: Connection[Any], source: Source, person: Person
) -> Iterator[tuple[int, Any, dict[str, Any], str]]:
    whose = conditions(connection, source.catalog, person)
    parts = [
        _part(place, table, whose[table.name], source.now.plan)
        for place, table in enumerate(held_tables(source.catalog))
    ]
    statement = composed("held_rows_in_order", rows=sql.SQL(" UNION ALL ").join(parts))
    with connection.cursor(name="held_rows") as cursor:
        cursor.itersize = BATCH
        cursor.execute(statement)
        yield from cursor


def _part(place: int, table: Table, condition: sql.Composable, plan: Plan) -> sql.Composed:
    shown = [column.name for column in table.columns if not column.credential]
    kept = next((retention for retention in plan.retention if retention.table == table.name), None)
    return composed(
        "held_rows",
        place=sql.Literal(place),
        at=sql.Identifier("at") if "at" in shown else sql.SQL("NULL::timestamptz"),
        ends=sql.SQL(ends(kept)) if kept else sql.SQL("NULL::timestamptz"),
        columns=sql.SQL(", ").join(map(sql.Identifier, shown)),
        table=sql.Identifier(table.name),
        condition=condition,
    )


def _row(held: dict[str, Any], goes: str | None, governing: tuple[Governing, ...], source: Source) -> Row:
    uses = held.get("uses", 0)
    objected = source.now.plan.signalled if uses < 0 else ()
    stamped = tuple(sorted(p for p, bit in source.bits.items() if uses >> bit & 1 and p not in objected))
    purposes = tuple(p for p in stamped if p in {each.purpose for each in governing})
    return Row(
        values=held,
        stamped_for=stamped,
        purposes=purposes,
        ends=_ends(held, purposes, governing),
        goes=None if goes == OPEN else goes,
    )


def _ends(held: dict[str, Any], purposes: tuple[str, ...], governing: tuple[Governing, ...]) -> dict[str, str | None]:
    """Return when the last window of each purpose over a row ends; None while an account or a consent keeps it open."""
    found: dict[str, list[datetime | None]] = {}
    for each in governing:
        # A row that nobody consented to has no window of that kind; the others keep it whatever it is stamped for.
        if each.window.kind is not WindowKind.CONSENTED or each.purpose in purposes:
            found.setdefault(each.purpose, []).append(_end(held, each))
    return {
        purpose: None if None in dates else max(date for date in dates if date).isoformat()
        for purpose, dates in found.items()
    }


def _end(held: dict[str, Any], governing: Governing) -> datetime | None:
    lasts = timedelta(days=governing.window.days)
    if governing.window.kind is WindowKind.DAYS:
        return datetime.fromisoformat(held["at"]) + lasts
    ended = held["ended_at"]
    return datetime.fromisoformat(ended) + lasts if ended else None
