"""What people and roles experience, checked for one table or one function, or for all: never what the catalog says."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.errors import Diagnostic

from tests.mutations import courses, flows, joining, lending, naming, permitting, staffing, supplying
from tests.mutations.world import CATALOG, World
from troth.database import connect, place
from troth.policy import granting
from troth.policy.audiences import DIRECTORY, MIRROR, MIRRORED
from troth.policy.catalog import Rows, Table
from troth.policy.copying import functions as copying
from troth.policy.copying import needed
from troth.policy.counting import name_of
from troth.policy.facts import Kind
from troth.policy.holding import functions as holding
from troth.policy.planned import Rows as Seen
from troth.policy.roles import ANALYST_CONNECTIONS, LOGINS
from troth.policy.routines import routines
from troth.policy.sql import LOCKS

REFUSED, NO_COLUMN, NOTHING_GRANTED = "42501", "42703", "01007"
#: A statement was let through, and failed only over what it says.
LET = {"", "23502", "23514", "42804", "428C9", "23503"}


@dataclass(frozen=True, slots=True)
class Focus:
    """What a mutation is about: its kind of fact, the table or function it names; None is everything."""

    kind: Kind | None = None
    table: str | None = None
    function: str | None = None

    def tables(self) -> list[Table]:
        """Return the tables to look at."""
        return [t for t in CATALOG if self.table in (None, t.name)]


@dataclass(frozen=True, slots=True)
class Check:
    """A behaviour; it yields a sentence for each thing that is not as it must be."""

    name: str
    kinds: frozenset[Kind]
    run: Callable[[World, Focus], Iterator[str]]


def rows(world: World, focus: Focus) -> Iterator[str]:
    """Each purpose sees the rows of whom it may, and as many, at the table and through its view."""
    for seen in world.plan.rows:
        if focus.table in (None, seen.table):
            expected = world.expected(seen.purpose, seen.table, seen.window)
            for schema in (seen.purpose, "troth"):
                asked = f"SELECT subject, count(*) FROM {schema}.{seen.table} GROUP BY 1"
                found = {whose: int(many) for whose, many in world.ask(seen.purpose, asked)}
                if found != expected:
                    yield f"`{seen.purpose}` sees {found} in {schema}.{seen.table}, and may see {expected}"


def own(world: World, focus: Focus) -> Iterator[str]:
    """A viewer sees their own rows and nobody else's; without a token, and with a forged one, there is nothing."""
    for table in focus.tables():
        if not table.bound or not may(world, "self", table, "select"):
            continue
        for token, whose in (("", None), ("forged", None), ("token of Alice", world.people["alice"])):
            found = world.ask("self", f"SELECT DISTINCT subject FROM troth.{table.name}", token=token)
            if found != ([(whose,)] if whose else []):
                yield f"with the token `{token}` rows of {found} are seen in {table.name}"
        if may(world, "self", table, "update"):
            # Without a column that is read, the rule of reading does not help the rule of changing.
            yield from _change(
                world, table, "self", f"UPDATE troth.{table.name} SET name = 'Mallory'", "token of Alice", 1
            )
            moved = f"UPDATE troth.{table.name} SET name = name WHERE subject = '{world.people['bob']}' RETURNING 1"
            if world.ask("self", moved, token="token of Alice"):
                yield "a viewer changes a row of Bob"


#: What each of the cast sees of names as an administrator, and of themselves as one sees them.
LOOKS: dict[str, dict[str, set[str]]] = {
    "administrator": {"Alice": {"Alice", "Greta"}, "Bob": {"Bob"}, "Greta": set(), "": set(), "forged": set()},
    "mirror": {"Greta": {"Greta"}, "": set(), "forged": set()},
}


def looks(world: World, focus: Focus) -> Iterator[str]:
    """An administrator sees the names of their members, a member sees theirs so, and both follow a correction."""
    for role, seen in LOOKS.items() if focus.table in (None, "membership", "person") else ():
        for name, expected in seen.items():
            token = f"token of {name}" if name not in ("", "forged") else name
            asked = "SELECT name FROM troth.membership"
            found = {row[0] for row in world.ask(role, asked, token=token)}
            if found != expected:
                yield f"`{role}` of {name} sees {found}, and may see {expected}"
    for role in ("administrator", "member"):
        asked = "SELECT DISTINCT name FROM troth.organization"
        for token in ("", "forged"):
            if world.ask(role, asked, token=token):
                yield f"`{role}` sees an organization with the token `{token}`"


def twins(world: World, focus: Focus) -> Iterator[str]:
    """Door, twins and steward reach every row of the tables in which they act, and no purpose does."""
    for table in focus.tables():
        for access in table.accesses:
            if table.bound and access.rows is Rows.ALL:
                for verb, columns in access.privileges:
                    if verb == "select":
                        yield from _reach(world, table, access.role, columns or table.key)
                    if verb == "update":
                        column = (columns or table.key)[0]
                        value = f'"{column}"' if column in may(world, access.role, table, "select") else "NULL"
                        change = f'UPDATE troth.{table.name} SET "{column}" = {value}'
                        yield from _change(world, table, access.role, change)
                    if verb == "delete":
                        yield from _change(world, table, access.role, f"DELETE FROM troth.{table.name}")
        if table.stamped:
            yield from _reach(world, table, "stamper", ("subject",))
            for change in (f"UPDATE troth.{table.name} SET uses = uses", f"DELETE FROM troth.{table.name}"):
                yield from _change(world, table, "stamper", change)


def _reach(world: World, table: Table, role: str, columns: tuple[str, ...]) -> Iterator[str]:
    asked = f'SELECT count(*) FROM (SELECT "{columns[0]}" FROM troth.{table.name}) AS s'
    every, found = world.ask("owner", asked), world.ask(role, asked)
    if every != found:
        yield f"`{role}` reaches {found} rows of {table.name}, of {every}"


def _change(
    world: World, table: Table, role: str, change: str, token: str = "", expected: int | None = None
) -> Iterator[str]:
    every = world.ask("owner", f"SELECT count(*) FROM troth.{table.name}")[0][0] if expected is None else expected
    assert world.stage is not None
    world.stage.execute("ROLLBACK; BEGIN")
    world.become(role)
    world.stage.execute("SELECT set_config('troth.token', %s, true)", (token,))
    try:
        done = world.stage.execute(change.encode()).rowcount
    except psycopg.errors.ForeignKeyViolation:
        done = every  # rows were reached; others refer to them
    world.stage.execute("ROLLBACK")
    if done != every:
        yield f"`{role}` changes {done} rows of {table.name}, of {every}"


# Privileges, tried


def may(world: World, role: str, table: Table, privilege: str) -> set[str]:
    """Say, from plan and catalog alone, which columns a role may use so."""
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
        return may(world, MIRRORED, table, privilege)
    if role == "copier":
        return {column for name, column, verb in needed(CATALOG) if (name, verb.lower()) == (table.name, privilege)}
    seen = world.plan.seen if privilege == "select" else ()
    # An organization's directory is shown of its members what its administrators are.
    role = MIRRORED if role == DIRECTORY and table.directed else role
    return {each.column for each in seen if (each.role, each.table) == (role, table.name)}


def privileges(world: World, focus: Focus) -> Iterator[str]:
    """Each role uses each column of each table as the plan says: granted and refused, tried one by one."""
    for role in world.everybody:
        tried = [each for table in focus.tables() for each in _trials(world, role, table)]
        codes = world.codes(role, [statement for _, _, statement in tried])
        for (what, expected, _), code in zip(tried, codes, strict=True):
            if code not in LET and code != REFUSED:
                yield f"`{role}` is answered {code}: {what}"
            if (code in LET) is not expected:
                yield f"`{role}` {'may' if code in LET else 'may not'} {what}"


def _trials(world: World, role: str, table: Table) -> Iterator[tuple[str, bool, str]]:
    """Yield what a role tries with a table, whether it may, and the statement."""
    may_delete = may(world, role, table, "delete") != set()
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
        for role in world.everybody:
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
    every = [*CATALOG.functions, *routines(world.plan, CATALOG), *holding(world.plan), *copying(CATALOG)]
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
    for role in world.everybody:
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
    yield from _views_of(world)


def _views_of(world: World) -> Iterator[str]:
    for purpose in world.purposes:
        told = {tuple(row) for row in world.ask(purpose, f'SELECT "table", "column" FROM {purpose}.withheld')}
        refused = {
            (t.name, c.name)
            for t in CATALOG
            for c in t.columns
            if c.category and c.name not in may(world, purpose, t, "select")
        }
        if told != refused:
            yield f"`{purpose}` is told of {len(told)} withheld columns, of {len(refused)}"
        views = [*(r.table for r in world.plan.rows if r.purpose == purpose), "withheld"]
        views += [f"{c.table}_counted" for c in world.plan.counted if c.purpose == purpose]
        for view in views:
            for other in world.everybody:
                code = world.code(other, f'SELECT * FROM {purpose}."{view}" LIMIT 0')
                if (code == "") is not (other == purpose):
                    yield f"`{other}` {'may' if code == '' else 'may not'} read {purpose}.{view}"
                for verb in ("INSERT INTO {} DEFAULT VALUES", "DELETE FROM {} WHERE false"):
                    if world.code(other, verb.format(f'{purpose}."{view}"')) in LET:
                        yield f"`{other}` may write {purpose}.{view}"


def _shown(world: World, seen: Seen, columns: list[str]) -> Iterator[str]:
    for column in (c.name for c in CATALOG.table(seen.table).columns if columns and c.name not in columns):
        asked = f'SELECT t."{column}" FROM {seen.purpose}."{seen.table}" AS t LIMIT 0'
        if world.code(seen.purpose, asked) not in (NO_COLUMN, REFUSED):
            yield f"`{seen.purpose}` sees {seen.table}.{column} in its view"


# Roles


def mighty(world: World, _focus: Focus) -> Iterator[str]:
    """No role is above the rules, makes roles or databases, replicates, or rules."""
    for role in (*world.everybody, "analyst_ann"):
        attempts = {
            "reads secrets": "SELECT rolpassword FROM pg_authid LIMIT 0",
            "makes roles": "CREATE ROLE troth_mutant",
            "replicates": "SELECT pg_drop_replication_slot('none')",
            "makes schemas": "CREATE SCHEMA mutant",
            "makes temporary tables": "CREATE TEMP TABLE mutant (a integer)",
            "runs programs": "DO $$ BEGIN END $$",
        }
        attempts |= {
            f"makes tables in {schema}": f"CREATE TABLE {schema}.mutant (a integer)"
            for schema in ("troth", "public", *world.purposes)
        }
        for what, attempt in attempts.items():
            if world.code(role, attempt) != REFUSED:
                yield f"`{role}` {what}"
        granted = f'GRANT SELECT ON troth.person TO "{world.role(role)}"'
        read = "SET LOCAL row_security = off; SELECT name FROM troth.person LIMIT 0"
        if world.code(role, read, before=granted) != REFUSED:
            yield f"`{role}`, granted a table by mistake, reads it without its rules"
        yield from _databases(world, role)


def _databases(world: World, role: str) -> Iterator[str]:
    assert world.stage is not None
    try:
        world.stage.execute(f'SET SESSION AUTHORIZATION "{world.role(role)}"'.encode())
        world.stage.execute("SET default_transaction_read_only = off")
        world.stage.execute("CREATE DATABASE mutant TEMPLATE there_is_none")
    except psycopg.Error as error:
        if error.sqlstate != REFUSED:
            yield f"`{role}` makes databases"
    finally:
        world.stage.execute("RESET SESSION AUTHORIZATION; RESET default_transaction_read_only")


def sessions(world: World, _focus: Focus) -> Iterator[str]:
    """Who may log in does, with the settings of the role; who may not does not; nobody becomes another."""
    for role in (*LOGINS, *world.purposes, "analyst_ann"):
        try:
            with opened(world, role) as session:
                yield from _settings(session, role)
                yield from _becoming(world, session, role)
        except psycopg.OperationalError:
            yield f"`{role}` cannot log in"


def opened(world: World, role: str) -> psycopg.Connection[Any]:
    """Connect as psql would: nothing is set but what the role brings."""
    told = connect.parameters("understand" if role == "analyst_ann" else role, world.where)
    word = "a word of hers" if role == "analyst_ann" else place.secrets_of(world.where).password(world.role(role))
    told |= {"user": world.role(role), "password": word}
    told.pop("options")
    return psycopg.connect(**told, autocommit=True)


def _settings(session: psycopg.Connection[Any], role: str) -> Iterator[str]:
    asked = "SELECT current_setting('search_path'), current_setting('default_transaction_read_only'),"
    asked += " current_setting('idle_in_transaction_session_timeout'), current_setting('log_statement')"
    path, reading, idle, logged = session.execute(asked.encode()).fetchone() or ("", "", "", "")
    purpose = "understand_analysts" if role == "analyst_ann" else role
    expected = ("troth", "off") if role in LOGINS else (purpose, "on")
    if (path, reading) != expected or idle != "1min":
        yield f"`{role}` begins with {path}, {reading}, {idle}"
    if (logged == "all") is not (role == "analyst_ann"):
        yield f"what `{role}` asks is logged: {logged}"
    if role == "analyst_ann":
        asked = "SELECT current_setting('statement_timeout'), current_setting('temp_file_limit')"
        if session.execute(asked.encode()).fetchone() != ("1min", "1GB"):
            yield "an analyst asks for as long as they like, or fills the disk"


def crowding(world: World, _focus: Focus) -> Iterator[str]:
    """One analyst takes a few connections, and no more."""
    with ExitStack() as held:
        for _ in range(ANALYST_CONNECTIONS):
            held.enter_context(opened(world, "analyst_ann"))
        try:
            held.enter_context(opened(world, "analyst_ann"))
            yield "an analyst takes as many connections as they like"
        except psycopg.OperationalError:
            pass


def _becoming(world: World, session: psycopg.Connection[Any], role: str) -> Iterator[str]:
    session.execute("SET default_transaction_read_only = off")
    for other in (*world.everybody, "owner", "analyst_ann", "understand_analysts"):
        if other != role:
            try:
                session.execute(f'SET ROLE "{world.role(other)}"'.encode())
                yield f"`{role}` becomes `{other}`"
                session.execute("RESET ROLE")
            except psycopg.errors.InsufficientPrivilege:
                pass
    if role == "analyst_ann":
        seen = {whose for (whose,) in session.execute("SELECT DISTINCT subject FROM access").fetchall()}
        window = next(r.window for r in world.plan.rows if (r.purpose, r.table) == ("understand", "access"))
        if seen != set(world.expected("understand", "access", window)):
            yield "the analyst sees other rows than the purpose"
        for attempt in ("GRANT troth_understand_analysts TO troth_door", "SELECT ip FROM troth.access LIMIT 0"):
            session.execute("BEGIN")
            try:
                session.execute(attempt.encode())
                refused = False
            except psycopg.errors.InsufficientPrivilege:
                refused = True
            session.execute("ROLLBACK")
            if not refused:
                yield f"the analyst may: {attempt}"


def owning(world: World, focus: Focus) -> Iterator[str]:
    """Even who owns a table, unless they are above everything, sees no row of it."""
    assert world.stage is not None
    for table in (t for t in focus.tables() if t.bound):
        world.stage.execute(f"BEGIN; ALTER TABLE troth.{table.name} OWNER TO troth_announce".encode())
        world.stage.execute("SET LOCAL SESSION AUTHORIZATION troth_announce")
        announces = table.name == "person"
        found = world.stage.execute(f"SELECT count(*) FROM troth.{table.name}".encode()).fetchone()
        world.stage.execute("ROLLBACK")
        if found != (int(announces),):
            yield f"the owner of {table.name} sees {found} rows"


ROWS = frozenset({Kind.RULE, Kind.SECURITY, Kind.VIEW, Kind.TRIGGER, Kind.MEMBER})
WORKS = frozenset({Kind.FUNCTION, Kind.RULE, Kind.GRANT})
CHECKS = (
    Check("rows", ROWS | {Kind.GRANT}, rows),
    Check("own", ROWS, own),
    Check("looks", ROWS | {Kind.GRANT}, looks),
    Check("twins", ROWS, twins),
    Check("owning", frozenset({Kind.SECURITY}), owning),
    Check("privileges", frozenset({Kind.GRANT, Kind.RULE}), privileges),
    Check("calls", frozenset({Kind.GRANT, Kind.FUNCTION}), calls),
    Check("views", frozenset({Kind.VIEW, Kind.GRANT, Kind.SCHEMA}), views),
    Check("comings and goings", frozenset({Kind.FUNCTION, Kind.TRIGGER, Kind.RULE, Kind.GRANT}), flows.comings),
    Check("applications", WORKS, permitting.permitting),
    Check("names and sessions", frozenset({Kind.FUNCTION, Kind.TRIGGER, Kind.RULE, Kind.GRANT}), naming.naming),
    Check("permissions", WORKS, lending.lending),
    Check("organizations", WORKS, joining.joining),
    Check("directories", WORKS, supplying.supplying),
    Check("staff", WORKS, staffing.staffing),
    Check("support", ROWS | {Kind.GRANT, Kind.FUNCTION}, staffing.looking),
    Check("what comes in", frozenset({Kind.RULE, Kind.TRIGGER}), courses.incoming),
    Check("retention", frozenset({Kind.FUNCTION, Kind.RULE}), courses.retention),
    Check("numbers", frozenset({Kind.FUNCTION, Kind.VIEW}), courses.numbers),
    Check("search path", frozenset({Kind.FUNCTION}), courses.paths),
    Check("sessions", frozenset({Kind.ROLE, Kind.MEMBER, Kind.SETTING, Kind.GRANT}), sessions),
    Check("crowding", frozenset({Kind.ROLE}), crowding),
    Check("mighty", frozenset({Kind.ROLE, Kind.SCHEMA, Kind.GRANT}), mighty),
    Check("passing on", frozenset({Kind.GRANT}), passing_on),
)
