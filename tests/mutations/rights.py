"""What each role may do with each column, view and function, said from plan and catalog, and tried one by one."""

from collections.abc import Iterator

from psycopg.errors import Diagnostic

from tests.mutations.world import CATALOG, Focus, World
from troth.policy import granting
from troth.policy.audiences import DIRECTORY, MIRROR, MIRRORED
from troth.policy.catalog import Rows, Table
from troth.policy.copying import functions as copying
from troth.policy.copying import needed
from troth.policy.counting import name_of
from troth.policy.holding import functions as holding
from troth.policy.planned import Rows as Seen
from troth.policy.routines import routines
from troth.policy.sql import LOCKS

REFUSED, NO_COLUMN, NOTHING_GRANTED = "42501", "42703", "01007"
#: A statement was let through, and failed only over what it says.
LET = {"", "23502", "23514", "42804", "428C9", "23503"}


def may(world: World, role: str, table: Table, privilege: str) -> frozenset[str]:
    """Say, from plan and catalog alone, which columns a role may use so; said once, it is remembered."""
    role = world.analysts.get(role, role)
    asked = (role, table.name, privilege)
    if asked not in world.known:
        world.known[asked] = frozenset(_may(world, role, table, privilege))
    return world.known[asked]


def _may(world: World, role: str, table: Table, privilege: str) -> set[str]:
    plan, columns = world.plan, [column.name for column in table.columns]
    found = _granted(world, role, table) if privilege == "select" else set[str]()
    if privilege == "select":
        found |= {r.column for r in plan.readings if (r.purpose, r.table) == (role, table.name)}
        if role == "counter":
            for counted in (c for c in plan.counted if c.table == table.name):
                found |= {"subject", "at", "ended_at", "uses", *counted.columns}
    if role == "self":
        found |= {o.column for o in plan.own if (o.table, o.privilege) == (table.name, privilege)}
    found |= _of_audiences(world, role, table, privilege)
    if role == "stamper" and table.stamped:
        known = columns if table.inserter == "stamper" else ["subject", "at", "ended_at", "uses", *table.key]
        made = columns if table.inserter == "stamper" else []
        found |= set({"select": known, "update": ["uses", "ended_at"], "insert": made, "delete": columns}[privilege])
    for access in table.accesses:
        for verb, named in access.privileges:
            if (access.role, verb) == (role, privilege):
                kept = {c.column for c in plan.collected if c.table == table.name}
                whole = access.rows is not Rows.COLLECTED
                usable = {name for name in columns if whole or name in kept or name in table.key}
                usable |= {column.name for column in table.columns if column.category is None}
                found |= usable.intersection(named or columns)
                if not whole and verb == "insert":
                    found |= kept
    return found


def _granted(world: World, role: str, table: Table) -> set[str]:
    here = [each for each in world.plan.grantable if each.table == table.name and role == granting.TWIN]
    return {column for each in here for column in granting.columns_read(each)}


def _of_audiences(world: World, role: str, table: Table, privilege: str) -> set[str]:
    """Say what an audience's role may, and the twin that copies names for them."""
    if role == MIRROR:
        return set(may(world, MIRRORED, table, privilege))
    if role == "copier":
        return {column for name, column, verb in needed(CATALOG) if (name, verb.lower()) == (table.name, privilege)}
    seen = world.plan.seen if privilege == "select" else ()
    # An organization's directory is shown of its members what its administrators are.
    role = MIRRORED if role == DIRECTORY and table.directed else role
    return {each.column for each in seen if (each.role, each.table) == (role, table.name)}


def privileges(world: World, focus: Focus) -> Iterator[str]:
    """Each role uses each column of each table as the plan says: granted and refused, tried one by one."""
    for role in focus.first((*world.everybody, *world.analysts)):
        tried = [each for table in focus.tables() for each in _trials(world, role, table)]
        codes = world.codes(role, [statement for _, _, statement in tried])
        for (what, expected, _), code in zip(tried, codes, strict=True):
            if code not in LET and code != REFUSED:
                yield f"`{role}` is answered {code}: {what}"
            if (code in LET) is not expected:
                yield f"`{role}` {'may' if code in LET else 'may not'} {what}"


def _trials(world: World, role: str, table: Table) -> Iterator[tuple[str, bool, str]]:
    """Yield what a role tries with a table, whether it may, and the statement."""
    may_delete = bool(may(world, role, table, "delete"))
    yield f"delete from {table.name}", may_delete, f"DELETE FROM troth.{table.name} WHERE false"
    for privilege in ("select", "insert", "update"):
        expected = may(world, role, table, privilege)
        for column in table.columns:
            if not column.generated or privilege == "select":
                trial = _trial(table.name, column.name, privilege)
                yield f"{privilege} {table.name}.{column.name}", column.name in expected, trial


def _trial(table: str, column: str, privilege: str) -> str:
    match privilege:
        case "select":
            return f'SELECT t."{column}" FROM troth."{table}" AS t LIMIT 0'
        case "update":
            return f'UPDATE troth."{table}" SET "{column}" = NULL WHERE false'
        case _:
            return f'INSERT INTO troth."{table}" ("{column}") SELECT NULL WHERE false'


def passing_on(world: World, focus: Focus) -> Iterator[str]:
    """No role passes on to others what it may do: PostgreSQL warns that nothing was granted, or refuses."""
    told: list[str] = []
    assert world.stage is not None

    def hear(notice: Diagnostic) -> None:
        told.append(notice.sqlstate or "")

    world.stage.add_notice_handler(hear)
    try:
        for role in focus.first((*world.everybody, *world.analysts)):
            told.clear()
            let = world.codes(role, list(_passing(world, focus, role))).count("")
            if let != told.count(NOTHING_GRANTED):
                yield f"`{role}` passes on {let - told.count(NOTHING_GRANTED)} of what it may"
    finally:
        world.stage.remove_notice_handler(hear)


def _passing(world: World, focus: Focus, role: str) -> Iterator[str]:
    for table in focus.tables() if focus.table or not focus.function else []:
        for verb in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            yield f'GRANT {verb} ON troth."{table.name}" TO PUBLIC'
            for column in table.columns if verb != "DELETE" else ():
                yield f'GRANT {verb} ("{column.name}") ON troth."{table.name}" TO PUBLIC'
    for name, arguments, _, owner in functions(world) if focus.function or not focus.table else ():
        if focus.function in (None, name) and role != owner:
            yield f"GRANT EXECUTE ON FUNCTION {qualified(name)}({arguments}) TO PUBLIC"


def functions(world: World) -> list[tuple[str, str, set[str], str]]:
    """Return each function, its arguments, who may call it (those named, and its owner), and its owner."""
    every = [
        *CATALOG.functions,
        *routines(world.plan, CATALOG, world.target.bits),
        *holding(world.plan),
        *copying(CATALOG),
    ]
    every += granting.functions(world.plan, CATALOG)
    told = [(f.name, f.arguments, {*f.executors, f.owner}, f.owner) for f in every]
    told = [(n, a, {*e, MIRROR} if MIRRORED in e else e, owner) for n, a, e, owner in told]
    told += [(name_of(c), "", {c.purpose, "counter"}, "counter") for c in world.plan.counted]
    for name in sorted({name for names in LOCKS.values() for name in names}):
        bare, _, arguments = name.rstrip(")").partition("(")
        told.append((f"pg_catalog.{bare}", arguments, {role for role, names in LOCKS.items() if name in names}, ""))
    return told


def qualified(name: str) -> str:
    """Return a function's name with its schema."""
    return name if "." in name else f"troth.{name}"


def calls(world: World, focus: Focus) -> Iterator[str]:
    """Each function is called by those who are named, and by nobody else."""
    every = [each for each in functions(world) if focus.function in (None, each[0])]
    for role in focus.first((*world.everybody, *world.analysts)):
        codes = world.codes(role, [_call(name, arguments) for name, arguments, _, _ in every])
        for (name, _, executors, _), code in zip(every, codes, strict=True):
            if (code == REFUSED) is (role in executors):
                yield f"`{role}` {'may' if code != REFUSED else 'may not'} call {name}"


def _call(name: str, arguments: str) -> str:
    # Of a strict function with a null nothing is left that could be refused.
    value = "0" if name.startswith("pg_catalog") else "NULL"
    nulls = ", ".join(f"{value}::{kind}" for kind in arguments.split(",") if kind)
    return f"SELECT {qualified(name)}({nulls}) WHERE false"


def views(world: World, focus: Focus) -> Iterator[str]:
    """A purpose's views show its columns, to it alone; what is withheld is told in full."""
    for seen in world.plan.rows:
        columns = [
            c
            for c in may(world, seen.purpose, CATALOG.table(seen.table), "select")
            if focus.table in (None, seen.table)
        ]
        for column in columns:
            asked = f'SELECT t."{column}" FROM {seen.purpose}."{seen.table}" AS t LIMIT 0'
            if world.code(seen.purpose, asked):
                yield f"`{seen.purpose}` does not see {seen.table}.{column} in its view"
        yield from _shown(world, seen, columns)
    yield from _told(world, focus)
    yield from _views_of(world, focus)


def _told(world: World, focus: Focus) -> Iterator[str]:
    for purpose in focus.first((*world.purposes, *world.analysts)):
        told = {tuple(row) for row in world.ask(purpose, f'SELECT "table", "column" FROM {purpose}.withheld')}
        refused = {
            (t.name, c.name)
            for t in CATALOG
            for c in t.columns
            if c.category and c.name not in may(world, purpose, t, "select")
        }
        if told != refused:
            yield f"`{purpose}` is told of {len(told)} withheld columns, of {len(refused)}"


def _views_of(world: World, focus: Focus) -> Iterator[str]:
    asked: list[tuple[str, str, bool]] = []
    for schema in (*world.purposes, *world.analysts):
        purpose = world.analysts.get(schema, schema)
        views = [*(r.table for r in world.plan.rows if r.purpose == purpose), "withheld"]
        views += [f"{c.table}_counted" for c in world.plan.counted if c.purpose == schema]
        for view in views:
            asked.append((schema, f'SELECT * FROM {schema}."{view}" LIMIT 0', True))
            asked.append((schema, f'INSERT INTO {schema}."{view}" DEFAULT VALUES', False))
            asked.append((schema, f'DELETE FROM {schema}."{view}" WHERE false', False))
    for other in focus.first((*world.everybody, *world.analysts)):
        codes = world.codes(other, [statement for _, statement, _ in asked])
        for (schema, statement, reads), code in zip(asked, codes, strict=True):
            if (code in ({""} if reads else LET)) is not (reads and other == schema):
                yield f"`{other}` is answered {code or 'well'}: {statement}"


def _shown(world: World, seen: Seen, columns: list[str]) -> Iterator[str]:
    for column in (c.name for c in CATALOG.table(seen.table).columns if columns and c.name not in columns):
        asked = f'SELECT t."{column}" FROM {seen.purpose}."{seen.table}" AS t LIMIT 0'
        if world.code(seen.purpose, asked) not in (NO_COLUMN, REFUSED):
            yield f"`{seen.purpose}` sees {seen.table}.{column} in its view"
