"""Writing everything that is held about a person into a document, from the catalog and the plan alone."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import msgspec
from psycopg import Connection, sql

from troth.database import connect, published
from troth.database.published import Published
from troth.database.retention import Governing, windows
from troth.policy.bound import goes
from troth.policy.catalog import Catalog, Table
from troth.policy.catalog import Column as Held
from troth.policy.meaning import WindowKind
from troth.policy.planned import Plan
from troth.policy.viewing import granted_to
from troth.rights.document import FORMAT, NOT_HANDED_OUT, NOT_SHOWN, About, Column, Head, Purpose, Row, Version, Window
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


@dataclass(frozen=True, slots=True)
class Part:
    """What an export takes of a table, its `place` in order: columns, which rows, and a stamp in place of theirs."""

    place: int
    table: Table
    shown: frozenset[str]
    condition: sql.Composable
    uses: int | None = None


def write(connection: Connection[Any], source: Source, person: Person, file: Path) -> int:
    """Write everything held about a person to a new file that only its owner may read; return how many rows.

    All rows are of one moment: one statement reads them. The connection must be in a transaction of the owner's.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        return _document(connection, source, person, out)


def write_own(token: str, out: IO[bytes]) -> int:
    """Write what the viewer is shown of everything that is held about them, in the same shape; return how many rows.

    It reads as the viewer, who sees their own also before they have agreed to what is in force: what the database opens
    to nobody but the keeper is named in it, and withheld.
    """
    now = published.current()
    source = Source(now, now.bits, now.catalog)
    with connect.looking(token) as connection:
        row = connection.execute(composed("own_subject")).fetchone()
        if row is None:
            return 0
        return _document(connection, source, Person(row[0], None), out, _own(source, row[1]))


def _own(source: Source, uses: int) -> dict[str, Part]:
    """Return of each table what the viewer reads of their own rows; the stamp, which they do not read, is as `uses`."""
    parts = {}
    for place, table in enumerate(held_tables(source.catalog)):
        shown = granted_to("self", source.now.plan, table) if table.by_subject else frozenset()
        if "subject" in shown:
            parts[table.name] = Part(place, table, shown, composed("own_rows"), uses)
    return parts


def _document(
    connection: Connection[Any],
    source: Source,
    person: Person,
    out: IO[bytes],
    parts: Mapping[str, Part] | None = None,
) -> int:
    tables = held_tables(source.catalog)
    parts = _whole(connection, source, person) if parts is None else parts
    found = groupby(_rows(connection, source, parts), key=itemgetter(0))
    place, rows = next(found, (len(tables), iter(())))
    written = 0
    out.write(_opened(_head(source.now, person), b"tables"))
    for number, table in enumerate(tables):
        governing = tuple(windows(source.now.policy, table))
        out.write(b",\n" if number else b"\n")
        out.write(_opened(_about(table, governing, parts.get(table.name)), b"rows"))
        if place == number:
            shown = parts[table.name].shown
            written += _listed((_row(held, shown, goes, governing, source) for _, _, held, goes in rows), out)
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


def _about(table: Table, governing: tuple[Governing, ...], part: Part | None) -> About:
    return About(
        table=table.name,
        room=table.room,
        columns=tuple(Column(c.name, c.category, c.precision, c.reason, _withheld(c, part)) for c in table.columns),
        windows=tuple(Window(g.purpose, g.window.kind, g.window.days, g.clauses) for g in governing),
    )


def _withheld(column: Held, part: Part | None) -> str | None:
    if column.credential:
        return NOT_HANDED_OUT
    return None if part is not None and column.name in part.shown else NOT_SHOWN


def _whole(connection: Connection[Any], source: Source, person: Person) -> dict[str, Part]:
    """Return of each table every column of a person's rows but credentials."""
    whose = conditions(connection, source.catalog, person)
    return {
        table.name: Part(place, table, frozenset(c.name for c in table.columns if not c.credential), whose[table.name])
        for place, table in enumerate(held_tables(source.catalog))
    }


def _rows(
    connection: Connection[Any], source: Source, parts: Mapping[str, Part]
) -> Iterator[tuple[int, Any, dict[str, Any], str]]:
    rows = [_part(part, source.now.plan) for part in parts.values()]
    statement = composed("held_rows_in_order", rows=sql.SQL(" UNION ALL ").join(rows))
    with connection.cursor(name="held_rows") as cursor:
        cursor.itersize = BATCH
        cursor.execute(statement)
        yield from cursor


def _part(part: Part, plan: Plan) -> sql.Composed:
    table, shown = part.table, [column.name for column in part.table.columns if column.name in part.shown]
    kept = next((retention for retention in plan.retention if retention.table == table.name), None)
    columns: list[sql.Composable] = list(map(sql.Identifier, shown))
    if part.uses is not None and table.stamped:
        columns += [composed("in_place_of", value=sql.Literal(part.uses), column=sql.Identifier("uses"))]
        missing = [name for name in ("at", "ended_at") if name not in shown]
        columns += [
            composed("in_place_of", value=sql.SQL("NULL::timestamptz"), column=sql.Identifier(name)) for name in missing
        ]
    return composed(
        "held_rows",
        place=sql.Literal(part.place),
        at=sql.Identifier("at") if "at" in shown else sql.SQL("NULL::timestamptz"),
        ends=sql.SQL(goes(kept)) if kept else sql.SQL("NULL::timestamptz"),
        columns=sql.SQL(", ").join(columns),
        table=sql.Identifier(table.name),
        condition=part.condition,
    )


def _row(
    held: dict[str, Any], shown: Collection[str], goes: str | None, governing: tuple[Governing, ...], source: Source
) -> Row:
    uses = held.get("uses", 0)
    objected = source.now.plan.signalled if uses < 0 else ()
    # The bits of audiences say who may be shown a row under what was agreed to; no purpose of theirs is in it.
    names = {purpose.name for purpose in source.now.policy.purposes}.difference(objected)
    stamped = tuple(sorted(p for p, bit in source.bits.items() if uses >> bit & 1 and p in names))
    purposes = tuple(p for p in stamped if p in {each.purpose for each in governing})
    return Row(
        values={name: value for name, value in held.items() if name in shown},
        stamped_for=stamped,
        purposes=purposes,
        ends=_ends(held, goes, purposes, governing),
        goes=None if goes == OPEN else goes,
    )


def _ends(
    held: dict[str, Any], goes: str | None, purposes: tuple[str, ...], governing: tuple[Governing, ...]
) -> dict[str, str | None]:
    """Return when the last window of each purpose over a row ends; None while an account or a consent keeps it open.

    None ends after the row goes: what its subject agreed to last may let it go before.
    """
    last = None if goes is None or goes.endswith(OPEN) else datetime.fromisoformat(goes)
    found: dict[str, list[datetime | None]] = {}
    for each in governing:
        # A row that nobody consented to has no window of that kind; the others keep it whatever it is stamped for.
        if each.window.kind is not WindowKind.CONSENTED or each.purpose in purposes:
            found.setdefault(each.purpose, []).append(_end(held, each))
    latest = {p: None if None in dates else max(date for date in dates if date) for p, dates in found.items()}
    ends = {purpose: min(end or last, last) if last else end for purpose, end in latest.items()}
    return {purpose: end.isoformat() if end else None for purpose, end in ends.items()}


def _end(held: dict[str, Any], governing: Governing) -> datetime | None:
    lasts = timedelta(days=governing.window.days)
    if governing.window.kind is WindowKind.DAYS:
        return datetime.fromisoformat(held["at"]) + lasts if held["at"] else None
    ended = held["ended_at"]
    return datetime.fromisoformat(ended) + lasts if ended else None
