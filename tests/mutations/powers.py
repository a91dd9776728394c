"""What roles can do that no table, view or function says: log in, become another, make things, pass on who they are."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg

from tests.mutations.rights import REFUSED
from tests.mutations.world import Focus, World
from troth.database import connect, place
from troth.policy.roles import ANALYST_CONNECTIONS, LOGINS


def mighty(world: World, focus: Focus) -> Iterator[str]:
    """No role is above the rules, makes roles or databases, replicates, or rules."""
    for role in focus.first(world.roles):
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
            for schema in ("public", *world.schemas)
        }
        for what, code in zip(attempts, world.codes(role, list(attempts.values())), strict=True):
            if code != REFUSED:
                yield f"`{role}` {what}"
        granted = f'GRANT SELECT ON troth.person TO "{world.role(role)}"'
        read = "SET LOCAL row_security = off; SELECT name FROM troth.person LIMIT 0"
        if world.code(role, read, before=granted) != REFUSED:
            yield f"`{role}`, granted a table by mistake, reads it without its rules"
        yield from _databases(world, role)


def tying(world: World, focus: Focus) -> Iterator[str]:
    """No role lets anybody be what it or another is."""
    for role in focus.first(world.roles):
        to = next(other for other in LOGINS if other != role)
        tried = [other for other in world.roles if other != to]
        asked = [f'GRANT "{world.role(other)}" TO "{world.role(to)}"' for other in tried]
        for other, code in zip(tried, world.codes(role, asked), strict=True):
            if code != REFUSED:
                yield f"`{role}` lets `{to}` be `{other}`"


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


def sessions(world: World, focus: Focus) -> Iterator[str]:
    """Who may log in does, with the settings of the role; who may not does not; nobody becomes another."""
    for role in focus.first((*LOGINS, *world.purposes, "analyst_ann")):
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
    for other in ("owner", *world.roles):
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
