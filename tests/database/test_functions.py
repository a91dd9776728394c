"""Every role against every function and every partition, an analyst like its purpose, and a ledger nobody can forge."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection, errors

from tests.conftest import POLICY, TERMS, Person
from tests.database.test_privileges import BUILT_IN, CATALOG, PURPOSES, allowed, may, trial
from troth.database import apply, connect, place, published
from troth.database.drift import drift
from troth.policy.routines import routines


def functions() -> list[tuple[str, str, tuple[str, ...]]]:
    """Return name, argument types and who may execute, from plan and catalog alone."""
    every = (*CATALOG.functions, *routines(published.current().plan, CATALOG, published.current().bits))
    return [(function.name, function.arguments, tuple(function.executors)) for function in every]


@pytest.mark.parametrize("role", [*BUILT_IN, *PURPOSES])
def test_each_function_is_executed_only_by_whom_the_catalog_names(database: Any, role: str) -> None:
    wrong = []
    for name, arguments, executors in functions():
        nulls = ", ".join(f"NULL::{kind.strip()}" for kind in arguments.split(",") if kind.strip())
        try:
            with connect.acting(role) as connection:
                connection.execute("SET TRANSACTION READ WRITE")
                connection.execute(f"SELECT troth.{name}({nulls})".encode())
                connection.rollback()
            got = True
        except errors.InsufficientPrivilege as refused:
            got = f"permission denied for function {name}" not in str(refused)
        except psycopg.Error:
            got = True
        if got != (role in executors):
            wrong.append((name, "granted" if got else "refused"))
    assert wrong == []


@pytest.mark.parametrize("role", [*BUILT_IN, *PURPOSES])
def test_no_role_goes_round_a_table_through_its_partitions(
    cast: dict[str, Person], owner: Connection[Any], role: str
) -> None:
    partitions = owner.execute("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'").fetchall()
    assert len(partitions) > 3
    for (name,) in partitions:
        for statement in (
            f"SELECT subject FROM troth.{name} LIMIT 0",
            f"INSERT INTO troth.{name} (subject) SELECT NULL WHERE false",
            f"UPDATE troth.{name} SET uses = 0 WHERE false",
            f"DELETE FROM troth.{name} WHERE false",
        ):
            assert not allowed(role, statement), statement


def test_a_partition_that_is_granted_by_mistake_still_shows_nothing(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    (name,) = owner.execute(
        "SELECT 'troth.' || c.relname FROM troth.access AS a JOIN pg_class AS c ON c.oid = a.tableoid LIMIT 1"
    ).fetchone() or ("",)
    owner.execute(f"GRANT SELECT ON {name} TO troth_understand".encode())
    with connect.acting("understand") as connection:
        assert connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() == (0,)
    # The control taken away: without forced row security on the partition itself its rows are there.
    owner.execute(f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY".encode())
    with connect.acting("understand") as connection:
        assert connection.execute(f"SELECT count(*) > 0 FROM {name}".encode()).fetchone() == (True,)


@pytest.fixture
def ann(cast: dict[str, Person], owner: Connection[Any]) -> Iterator[Connection[Any]]:
    """Ann, bound to `understand`, connected as she would be."""
    owner.execute("INSERT INTO troth.analyst (name, purpose) VALUES ('ann', 'understand')")
    apply.apply(owner, POLICY.read_text(encoding="utf-8"), TERMS)
    owner.execute("ALTER ROLE troth_analyst_ann PASSWORD 'a word of hers'")
    told = connect.parameters("understand") | {"user": "troth_analyst_ann", "password": "a word of hers"}
    told.pop("options")
    with psycopg.connect(**told, autocommit=True) as connection:
        yield connection
    owner.execute("DELETE FROM troth.analyst")
    apply.apply(owner, POLICY.read_text(encoding="utf-8"), TERMS)


def test_an_analyst_may_what_her_purpose_may_and_nothing_more(ann: Connection[Any], owner: Connection[Any]) -> None:
    assert drift(owner).lines() == []
    ann.execute("SET default_transaction_read_only = off")
    wrong = []
    for table in CATALOG:
        for privilege in ("select", "insert", "update"):
            expected = may("understand", table, privilege)
            for column in table.columns:
                if column.generated and privilege != "select":
                    continue
                try:
                    ann.execute(trial(table.name, column.name, privilege).encode())
                    got = True
                except errors.InsufficientPrivilege:
                    got = False
                if got != (column.name in expected):
                    wrong.append((table.name, column.name, privilege))
    assert wrong == []
    for name, arguments, _ in functions():
        nulls = ", ".join(f"NULL::{kind.strip()}" for kind in arguments.split(",") if kind.strip())
        with pytest.raises(errors.InsufficientPrivilege):
            ann.execute(f"SELECT troth.{name}({nulls})".encode())


def test_an_analyst_becomes_nobody_else(ann: Connection[Any], cast: dict[str, Person]) -> None:
    for attempt in (
        "SET ROLE troth_understand",
        "SET ROLE troth_protect",
        "SET SESSION AUTHORIZATION troth_understand",
        "SELECT set_config('role', 'troth_understand', false)",
        "GRANT troth_understand TO troth_analyst_ann WITH SET TRUE",
        "ALTER ROLE troth_understand PASSWORD 'hers'",
        "ALTER ROLE troth_analyst_ann RESET log_statement",
        "SET log_statement = 'none'",
        "CREATE TEMP TABLE mine (a int)",
        "DO $$ BEGIN END $$",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_advisory_xact_lock(7277)",
        "SELECT pg_read_file('PG_VERSION')",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            ann.execute("SET default_transaction_read_only = off")
            ann.execute(attempt.encode())
    with connect.acting("self", token=cast["alice"].token) as mine:
        mine.execute("SELECT troth.choose('understand', 'objection')")
    seen = ann.execute("SELECT DISTINCT subject FROM access").fetchall()
    assert {subject for (subject,) in seen} == {person.subject for name, person in cast.items() if name != "alice"}


def test_what_others_ask_is_not_shown(ann: Connection[Any], cast: dict[str, Person]) -> None:
    with connect.acting("self", token=cast["alice"].token) as mine:
        mine.execute("SELECT 'canary-9c1b', count(*) FROM troth.person")
        rows = ann.execute("SELECT query FROM pg_stat_activity WHERE usename <> 'troth_analyst_ann'").fetchall()
    assert "canary-9c1b" not in str(rows)


def test_a_viewer_records_nothing_in_the_name_of_another(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice, bob = cast["alice"], cast["bob"]
    for who, whom in (
        (bob.subject, bob.subject),
        (alice.subject, bob.subject),
        (bob.subject, alice.subject),
        (None, None),
    ):
        with pytest.raises(psycopg.Error) as refused, connect.acting("self", token=alice.token) as mine:
            mine.execute("SELECT troth.record('agreed', %s, %s, '{}')", (who, whom))
        assert refused.value.sqlstate == "TR031"
    with pytest.raises(psycopg.Error), connect.acting("self") as nobody:
        nobody.execute("SELECT troth.record('agreed', %s, %s, '{}')", (alice.subject, alice.subject))
    with connect.acting("self", token=alice.token) as mine:
        mine.execute("SELECT troth.record('name-corrected', %s, %s, '{}')", (alice.subject, alice.subject))
    # The control taken away: without the check the same forgery is recorded.
    body = owner.execute("SELECT pg_get_functiondef('troth.record'::regproc)").fetchone()
    assert body is not None
    loose = body[0].replace(
        "session_user IN (current_database() || '_self', current_database() || '_administrator')", "false"
    )
    assert loose != body[0]
    owner.execute(loose.encode())
    with connect.acting("self", token=alice.token) as mine:
        mine.execute("SELECT troth.record('agreed', %s, %s, '{}')", (bob.subject, bob.subject))


def test_a_template_of_roles_belongs_to_the_longest_database_name(
    owner: Connection[Any], database: place.Place
) -> None:
    """Two databases of one server may be `troth` and `troth_staging`: neither is drift of the other."""
    with connect.owning(database, database="postgres") as connection:
        connection.execute("CREATE DATABASE troth_staging TEMPLATE template0")
        try:
            connection.execute("CREATE ROLE troth_staging_door LOGIN")
            assert drift(owner).lines() == []
            connection.execute("CREATE ROLE troth_stage_door LOGIN")
            assert drift(owner)
        finally:
            connection.execute("DROP ROLE IF EXISTS troth_staging_door")
            connection.execute("DROP ROLE IF EXISTS troth_stage_door")
            connection.execute("DROP DATABASE troth_staging")
