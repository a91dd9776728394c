"""What people and roles experience, checked for one table or one function, or for all: never what the catalog says."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import psycopg
from psycopg.errors import Diagnostic

from tests.mutations.world import CATALOG, World
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
    """What a mutation is about: its kind of fact, the table, function or role it names; None is everything."""

    kind: Kind | None = None
    table: str | None = None
    function: str | None = None
    role: str | None = None

    def tables(self) -> list[Table]:
        """Return the tables to look at."""
        return [t for t in CATALOG if self.table in (None, t.name)]

    def first(self, roles: Iterable[str]) -> list[str]:
        """Return the roles, that which the mutation names at their head: it is where something is noticed."""
        return sorted(roles, key=lambda role: role != self.role)


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


def audiences(world: World, focus: Focus) -> Iterator[str]:
    """An administrator sees what is stamped for administrators and has not ended; its subject sees the same, alone."""
    bit, club, whose = 1 << world.target.bits[MIRRORED], world.clubs["Alice"], world.people["greta"]
    stamped = {seen.table for seen in world.plan.seen if seen.role == MIRRORED and CATALOG.table(seen.table).stamped}
    for table in sorted(stamped) if focus.table is None else stamped & {focus.table}:
        changes = {
            "as it is": (f"uses = {bit}, ended_at = NULL", True),
            "when it is stamped for all others": (f"uses = {~bit}", False),
            "when it has ended": (f"uses = {bit}, ended_at = now()", False),
        }
        for when, (change, shown) in changes.items():
            one = f"SELECT max(ctid) FROM troth.{table} WHERE subject = '{whose}'"
            before = (
                f"{UNTIED}; DELETE FROM troth.{table} WHERE subject = '{whose}' AND ctid <> ({one}); UPDATE troth.{table}"
                f" SET organization = '{club}', {change} WHERE subject = '{whose}'"
            )
            for role, name, looks in ((MIRRORED, "Alice", True), (MIRRORED, "Bob", False), (MIRROR, "Greta", True)):
                asked = f"SELECT DISTINCT subject FROM troth.{table}"
                found = {row[0] for row in world.ask(role, asked, token=f"token of {name}", before=before)}
                if (whose in found) is not (shown and looks) or (role == MIRROR and found - {whose}):
                    yield f"`{role}` of {name} sees {len(found)} in {table} {when}"


#: Rows are moved as nobody could, and nothing that refers to them minds.
UNTIED = "SET LOCAL session_replication_role = replica"
#: Who looks with a token of their own; without one, with a forged one, and with that of somebody in nothing there is nothing.
LOOKING = ("administrator", "member", "mirror", "chosen", "directory", "staff")


def outsiders(world: World, focus: Focus) -> Iterator[str]:
    """Who looks at what is an organization's sees that of their own, and who has none sees nothing."""
    secured = {fact.name for fact in world.facts if fact.kind is Kind.SECURITY}
    for table in (table for table in focus.tables() if table.name in secured):
        owned = any(column.name == "organization" for column in table.columns) and not table.stamped
        for role in focus.first(LOOKING):
            every = any(access.role == role and access.rows is Rows.ALL for access in table.accesses)
            if every or not may(world, role, table, "select"):
                continue
            asked = f"SELECT count(*) FROM troth.{table.name}"
            for token in ("", "forged", "token of Charlie"):
                if world.ask(role, asked, token=token) != [(0,)]:
                    yield f"`{role}` sees {table.name} with `{token}`"
            if owned and role in ("administrator", "member"):
                yield from _owned(world, table, role, asked)


def _owned(world: World, table: Table, role: str, asked: str) -> Iterator[str]:
    club, alice = world.clubs["Alice"], world.people["alice"]
    one = f"SELECT min(ctid) FROM troth.{table.name}"
    moved = f"{UNTIED}; UPDATE troth.{table.name} SET organization = '{club}' WHERE ctid = ({one})"
    hers = f"SELECT organization FROM troth.membership WHERE subject = '{alice}' AND ended_at IS NULL"
    hers = f"'{club}'" if role == "administrator" else hers
    every = world.ask("owner", f"{asked} WHERE organization IN ({hers})", before=moved)
    found = world.ask(role, asked, token="token of Alice", before=moved)
    if every != found:
        yield f"`{role}` of Alice sees {found} rows of {table.name}, of {every}"


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
