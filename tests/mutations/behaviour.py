"""What people and roles experience, checked for one table or one function, or for all: never what the catalog says."""

from collections.abc import Iterator
from itertools import product

import psycopg

from tests.mutations import looking
from tests.mutations.rights import REFUSED, may
from tests.mutations.world import CATALOG, Focus, World
from troth.policy.audiences import DIRECTORY, MIRROR, MIRRORED
from troth.policy.catalog import Rows, Table
from troth.policy.facts import Kind


def rows(world: World, focus: Focus) -> Iterator[str]:
    """Each purpose and its analysts see the rows of whom they may, and as many, at the table and through their view."""
    for seen in world.plan.rows:
        if focus.table in (None, seen.table):
            expected = world.expected(seen.purpose, seen.table, seen.window)
            analysts = [role for role, purpose in world.analysts.items() if purpose == seen.purpose]
            for role, schema in product((seen.purpose, *analysts), (None, "troth")):
                asked = f"SELECT subject, count(*) FROM {schema or role}.{seen.table} GROUP BY 1"
                found = {whose: int(many) for whose, many in world.ask(role, asked)}
                if found != expected:
                    yield f"`{role}` sees {found} in {schema or role}.{seen.table}, and may see {expected}"
            others = f"UPDATE troth.{seen.table} SET uses = {~(1 << world.target.bits[seen.purpose])}"
            if world.ask(seen.purpose, f"SELECT 1 FROM troth.{seen.table} LIMIT 1", before=others):
                yield f"`{seen.purpose}` sees of {seen.table} what is stamped for all others"


def own(world: World, focus: Focus) -> Iterator[str]:
    """A viewer sees their own rows and nobody else's; without a token, and with a forged one, there is nothing."""
    for table in focus.tables():
        if table.bound and "subject" in may(world, "self", table, "insert"):
            yield from _brought(world, table)
        if not table.bound or not may(world, "self", table, "select"):
            continue
        for token, whose in (("", None), ("forged", None), ("token of Alice", world.people["alice"])):
            found = world.ask("self", f"SELECT DISTINCT subject FROM troth.{table.name}", token=token)
            if found != ([(whose,)] if whose else []):
                yield f"with the token `{token}` rows of {found} are seen in {table.name}"
        if may(world, "self", table, "update"):
            # Without a column that is read, the rule of reading does not help the rule of changing.
            column = min(may(world, "self", table, "update"))
            yield from _change(
                world, table, "self", f"UPDATE troth.{table.name} SET {column} = 'Mallory'", "token of Alice", 1
            )
            moved = (
                f"UPDATE troth.{table.name} SET {column} = {column} WHERE subject = '{world.people['bob']}' RETURNING 1"
            )
            if world.ask("self", moved, token="token of Alice"):
                yield "a viewer changes a row of Bob"


def _brought(world: World, table: Table) -> Iterator[str]:
    for name, expected in (("Alice", ""), ("Bob", REFUSED)):
        whose = world.people[name.lower()]
        before = f"DELETE FROM troth.{table.name} WHERE subject = '{whose}'"
        before += "; SELECT set_config('troth.token', 'token of Alice', true)"
        code = world.code("self", f"INSERT INTO troth.{table.name} (subject) VALUES ('{whose}')", before=before)
        if code != expected:
            yield f"Alice is answered `{code}` for a row of {name} in {table.name}"


#: What each of the cast sees of names at a look at Alice's organization and at Bob's, and of themselves as one sees them.
LOOKS: dict[str, tuple[set[str], set[str]]] = {
    "Alice": ({"Alice", "Greta"}, set()),
    "Bob": (set(), {"Bob"}),
    "Greta": (set(), set()),
    "": (set(), set()),
    "forged": (set(), set()),
}
MIRRORED_BY: dict[str, set[str]] = {"Greta": {"Greta"}, "": set(), "forged": set()}


def looks(world: World, focus: Focus) -> Iterator[str]:
    """An administrator sees the names of their members at a look, and a member sees theirs so."""
    asked = "SELECT name FROM troth.membership"
    if focus.table in (None, "membership", "person", "join_request", "organization_look"):
        for name, expected in LOOKS.items():
            token = f"token of {name}" if name not in ("", "forged") else name
            clubs = zip(("Alice", "Bob"), expected, strict=True)
            for whose, wanted in clubs:
                found = {row[0] for row in looking.looked(world, token, world.clubs[whose], asked)}
                if found != wanted:
                    yield f"`{name}` sees {found} at a look at the organization of {whose}, and may see {wanted}"
        for name, wanted in MIRRORED_BY.items():
            token = f"token of {name}" if name not in ("", "forged") else name
            if (found := {row[0] for row in world.ask("mirror", asked, token=token)}) != wanted:
                yield f"`mirror` of {name} sees {found}, and may see {wanted}"
        yield from looking.past_a_look(world, asked)
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
            lookers = [(MIRRORED, "Alice", True), (MIRRORED, "Bob", False), (MIRROR, "Greta", True)]
            lookers += [(DIRECTORY, "HR", True)] if CATALOG.table(table).directed else []
            for role, name, looks in lookers:
                asked, token = f"SELECT DISTINCT subject FROM troth.{table}", f"token of {name}"
                if role == MIRRORED:
                    rows = looking.looked(world, token, club, asked, first=before)
                else:
                    rows = world.ask(role, asked, token=token, before=before)
                found = {row[0] for row in rows}
                if (whose in found) is not (shown and looks) or (role == MIRROR and found - {whose}):
                    yield f"`{role}` of {name} sees {len(found)} in {table} {when}"


def known(world: World, focus: Focus) -> Iterator[str]:
    """Tables in which only people have rows take none of an anonymous identifier, whoever writes it."""
    told = {"table": [table.name for table in focus.tables()]}
    asked = (
        "SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'troth'::regnamespace AND c.relname = ANY (%(table)s)"
        " AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.conenforced"
        " AND pg_get_constraintdef(k.oid) LIKE 'CHECK ((subject < %%ffffffff-ffff-8000-8000-000000000000%%')"
    )
    open_to = {table.name for table in focus.tables() if table.unknown or not (table.bound and table.by_subject)}
    for (table,) in world.owner.execute(asked, told).fetchall():
        if table not in open_to:
            yield f"{table} takes rows of an anonymous identifier"


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
            # Henry is in an organization, and administers none.
            for token in ("", "forged", "token of Charlie", *(["token of Henry"] if role == "administrator" else [])):
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
