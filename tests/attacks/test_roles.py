"""Hardening 2, 5, 7, 8: a role is a wall, and nothing that a role can write climbs it."""

from typing import Any

import pytest
from psycopg import Connection, errors, sql

from tests.conftest import Person
from troth.database import connect

PURPOSES = ("provide", "protect", "understand", "personalise", "announce")
LOGINS = ("door", "self", "staff", "steward", "intake", *PURPOSES)
TWINS = ("stamper", "recorder", "usher", "warden", "counter", "namer")


@pytest.mark.asvs("13.2.1")
@pytest.mark.parametrize("role", LOGINS)
def test_no_role_becomes_another(database: Any, role: str) -> None:
    others = [f"troth_{other}" for other in (*LOGINS, *TWINS, "owner") if other != role]
    for other in others:
        for attempt in (
            sql.SQL("SET ROLE {}").format(sql.Identifier(other)),
            sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(other)),
            sql.SQL("SELECT set_config('role', {}, false)").format(sql.Literal(other)),
            sql.SQL("SELECT set_config('session_authorization', {}, false)").format(sql.Literal(other)),
        ):
            with pytest.raises(errors.InsufficientPrivilege), connect.acting(role) as connection:
                connection.execute(attempt)


def test_membership_would_open_the_way(owner: Connection[Any]) -> None:
    """The control taken away: with a membership SET ROLE succeeds, so the test above can fail."""
    owner.execute("GRANT troth_protect TO troth_understand")
    try:
        with connect.acting("understand") as connection:
            connection.execute("SET ROLE troth_protect")
            connection.execute("SELECT ip FROM troth.access LIMIT 0")
    finally:
        owner.execute("REVOKE troth_protect FROM troth_understand")


def test_no_path_leads_between_roles(owner: Connection[Any]) -> None:
    paths = owner.execute(
        "SELECT r.rolname, m.rolname FROM pg_auth_members JOIN pg_roles r ON r.oid = roleid JOIN pg_roles m ON m.oid = member"
        " WHERE r.rolname LIKE 'troth\\_%' OR m.rolname LIKE 'troth\\_%'"
    ).fetchall()
    # Whoever looks at their own row as an administrator does has what an administrator has, by inheritance alone.
    assert paths == [("troth_administrator", "troth_mirror")]


@pytest.mark.asvs("13.2.2")
def test_no_role_that_reads_owns_bypasses_or_rules(owner: Connection[Any]) -> None:
    mighty = owner.execute(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'troth\\_%' AND rolname <> 'troth_owner'"
        " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)"
    ).fetchall()
    owning = owner.execute(
        "SELECT relname FROM pg_class JOIN pg_roles r ON r.oid = relowner JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname NOT LIKE 'pg\\_%' AND r.rolname <> 'troth_owner' AND nspname <> 'information_schema'"
    ).fetchall()
    assert (mighty, owning) == ([], [])


@pytest.mark.parametrize("role", LOGINS)
def test_no_role_makes_anything(database: Any, role: str) -> None:
    for statement in (
        "CREATE TEMP TABLE access (a int)",
        "CREATE TABLE troth.access2 (a int)",
        "CREATE TABLE public.access (a int)",
        "CREATE SCHEMA shadow",
        "CREATE VIEW troth.v AS SELECT 1",
        "CREATE FUNCTION troth.f_leak(text) RETURNS boolean LANGUAGE sql COST 0.0000001 AS 'SELECT true'",
        "CREATE FUNCTION public.f_leak(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END'",
        "CREATE FUNCTION pg_temp.f_leak(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "CREATE OPERATOR public.<<< (leftarg = text, rightarg = text, function = texteq)",
        "DO $$ BEGIN RAISE NOTICE 'hello'; END $$",
        "ALTER TABLE troth.access DISABLE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON troth.access USING (true)",
        "CREATE ROLE troth_mine",
        "GRANT SELECT ON troth.access TO PUBLIC",
        "COPY troth.person TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_creat(-1)",
        "SELECT pg_notify('x', 'y')",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_logical_emit_message(false, 'x', 'y')",
        "LISTEN x; NOTIFY x",
    ):
        with (
            pytest.raises((errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)) as refused,
            connect.acting(role) as connection,
        ):
            connection.execute("SET TRANSACTION READ WRITE")
            if statement.startswith("LISTEN"):
                raise errors.InsufficientPrivilege  # NOTIFY as a command cannot be revoked; nobody of ours listens
            connection.execute(statement.encode())
        assert refused.value.sqlstate == "42501" or statement.startswith("LISTEN"), statement


def test_temp_and_plpgsql_would_be_ways_in(owner: Connection[Any]) -> None:
    """The control taken away: with TEMP granted again a temporary table can be made."""
    owner.execute("GRANT TEMP ON DATABASE troth TO PUBLIC")
    with connect.acting("understand") as connection:
        connection.execute("SET TRANSACTION READ WRITE")
        connection.execute("CREATE TEMP TABLE mine (a int)")


LEAK = """CREATE FUNCTION public.f_leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
$$ BEGIN RAISE NOTICE 'leak %', $1; RETURN true; END $$"""


def leaked(role: str, query: str, token: str | None = None) -> list[str]:
    """Return what a leaky function saw."""
    seen: list[str] = []
    with connect.acting(role, token=token) as connection:
        connection.add_notice_handler(lambda told: seen.append(told.message_primary or ""))
        connection.execute(query.encode())
    return seen


def test_a_leaky_function_sees_only_rows_that_the_rule_lets_through(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """Even a function that the owner was talked into making is called only after the row rule."""
    owner.execute(LEAK.encode())
    owner.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
    with connect.acting("self", token=cast["alice"].token) as connection:
        connection.execute("SELECT troth.choose('understand', 'objection')")
    for relation in ("understand.access", "troth.access"):
        query = f"SELECT count(*) FROM {relation} WHERE public.f_leak(subject::text)"
        seen = leaked("understand", query)
        assert seen
        assert not [line for line in seen if str(cast["alice"].subject) in line]
    mine = leaked("self", "SELECT count(*) FROM troth.person WHERE public.f_leak(email)", cast["alice"].token)
    assert mine == [f"leak {cast['alice'].email}"]
    # The control taken away: without forced row security the function sees everybody.
    owner.execute("ALTER TABLE troth.person DISABLE ROW LEVEL SECURITY")
    assert len(leaked("self", "SELECT count(*) FROM troth.person WHERE public.f_leak(email)", cast["alice"].token)) == 4


def test_a_search_path_of_ones_own_changes_no_function(cast: dict[str, Person], owner: Connection[Any]) -> None:
    loose = owner.execute(
        "SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE nspname = 'troth' AND (NOT prosecdef OR NOT coalesce(proconfig, '{}') @> ARRAY['search_path=\"\"'])"
    ).fetchall()
    assert loose == []
    with connect.acting("self", token=cast["alice"].token) as connection:
        connection.execute("SELECT set_config('search_path', 'public, pg_catalog', true)")
        assert connection.execute("SELECT troth.viewer()").fetchone() == (cast["alice"].subject,)
