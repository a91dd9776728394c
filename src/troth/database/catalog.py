"""Load what every room declares of its tables and functions (`governed.toml`, `sql/functions.sql`)."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any

from psycopg import Connection

from troth.database import connect, place
from troth.database.errors import CatalogRefusal, DatabaseRefusal
from troth.database.statements import load as statements
from troth.policy.catalog import Access, Catalog, Column, Function, Owner, Rows, Table, Trigger
from troth.policy.declaring import joined
from troth.policy.meaning import Occasion, Precision, Verb

ROOMS = ("database", "ledger", "notices", "people", "consent", "intake", "records")
#: What every stamped table carries beside what it declares.
STAMPED = ("subject", "ended_at", "uses")
#: `column -> table.key`, `column:field -> table.key`, `column:field (base 36) -> table.key`
OWNER = re.compile(r"(\w+)(?::([\w.]+|\*))?(?: \(base (\d+)\))? -> (\w+)\.(\w+)")

#: What was declared at run time: who declared it, and the tables as a `governed.toml` tells them, in JSON.
type Declared = tuple[tuple[str, str], ...]

_added: dict[str, str] = {}


def load(declared: Declared = ()) -> Catalog:
    """Return the catalog of the whole house, with what was declared at run time.

    Raises CatalogRefusal for a declaration that no table can be.
    """
    return _load((*_added.items(), *declared))


def of(connection: Connection[Any]) -> Catalog:
    """Return the catalog of the connected database: the house's, and what was declared there."""
    return load(declared(connection))


def declared(connection: Connection[Any]) -> Declared:
    """Return what was declared in the connected database, by declarer."""
    return tuple(connection.execute(statements("troth.database.sql")["declarations"].encode()).fetchall())


def known() -> Catalog:
    """Return the catalog of the running troth, or where none runs here the house's alone."""
    try:
        connect.answering(place.current())
        with connect.acting("steward") as connection:
            return of(connection)
    except DatabaseRefusal:
        return load()


@contextmanager
def added(name: str, text: str) -> Iterator[Catalog]:
    """Govern more tables in this process, told as in a `governed.toml` without functions, until the context ends."""
    _added[name] = json.dumps(tomllib.loads(text)["tables"])
    try:
        yield load()
    finally:
        del _added[name]


@cache
def _load(more: Declared) -> Catalog:
    tables: dict[str, Table] = {}
    functions: list[Function] = []
    for room in ROOMS:
        text = resources.files(f"troth.{room}").joinpath("governed.toml").read_text(encoding="utf-8")
        told = tomllib.loads(text)
        tables |= {name: _table(room, name, table) for name, table in told.get("tables", {}).items()}
        functions += _functions(room, told.get("functions", {}))
    for declarer, text in more:
        for name, table in json.loads(text).items():
            new = _table(declarer, name, table)
            tables[name] = joined(tables[name], new) if name in tables else new
    return Catalog(tuple(_wanting(table, tables) for table in tables.values()), tuple(functions))


def _wanting(table: Table, tables: Mapping[str, Table]) -> Table:
    """Return a table with what is declared of the one that it is about."""
    about = table.wants or table.supplies
    held = tuple(each for each in tables[about].columns if each.type and each.held) if about else ()
    return joined(table, Table(table.name, table.room, held))


def _table(room: str, name: str, told: Mapping[str, Any]) -> Table:
    stamped = told.get("stamped", False)
    structure = [Column(c, reason="structure of a stamped row") for c in STAMPED] if stamped else []
    return Table(
        name=name,
        room=room,
        columns=(*structure, *_columns(told["columns"])),
        accesses=tuple(_access(role, access) for role, access in told.get("roles", {}).items()),
        key=tuple(told.get("key", ())),
        stamped=stamped,
        bound=stamped or told.get("bound", False),
        partitioned=told.get("partitioned", False),
        inserter=told.get("inserter"),
        occasions=tuple(Occasion(o) for o in told.get("occasions", ())),
        owners=tuple(_owner(name, path) for path in told.get("owners", ())),
        declared=told.get("declared", False),
        triggers=tuple(
            Trigger(each, how["after"], how["function"], how.get("when", ""))
            for each, how in told.get("triggers", {}).items()
        ),
        parties=tuple(told.get("parties", ())),
        directed=told.get("directed", False),
        wants=told.get("wants", ""),
        supplies=told.get("supplies", ""),
        fleeting=told.get("fleeting", False),
        through=told.get("through", ""),
        unknown=told.get("unknown", False),
        posted=told.get("posted", False),
    )


def _owner(table: str, path: str) -> Owner:
    found = OWNER.fullmatch(path)
    if found is None:
        sentence = f"`{path}` does not say whose rows of `{table}` are"
        raise CatalogRefusal(sentence, advice="write `column -> table.key`, or `column:field -> table.key`")
    column, field, base, other, key = found.groups()
    return Owner(column, other, key, field or "", int(base or 10))


def _columns(told: Mapping[str, Any]) -> Iterator[Column]:
    if "names" in told:
        yield from (Column(name, reason=told["not_personal"]) for name in told["names"])
        return
    for name, column in told.items():
        yield Column(
            name,
            category=column.get("category"),
            precision=Precision(column.get("precision", Precision.AS_IS)),
            reason=column.get("not_personal") or column.get("structure"),
            generated=column.get("generated", False),
            credential=column.get("credential", False),
            copies=column.get("copies"),
            type=column.get("type", ""),
            longest=column.get("longest", 0),
            choices=tuple(column.get("choices", ())),
            may=tuple(map(Verb, column["may"])) if "may" in column else None,
            held=column.get("held", ""),
            large=column.get("large", False),
        )


def _access(role: str, told: Mapping[str, Any]) -> Access:
    privileges = tuple((verb, tuple(columns)) for verb, columns in told.items() if verb != "rows")
    return Access(role, Rows(told.get("rows", "all")), privileges)


def _functions(room: str, told: Mapping[str, Any]) -> Iterator[Function]:
    bodies = statements(f"troth.{room}.sql") if told else {}
    for name, function in told.items():
        yield Function(
            name,
            function["arguments"],
            function["owner"],
            tuple(function["executors"]),
            bodies[name].rstrip().rstrip(";"),
        )
