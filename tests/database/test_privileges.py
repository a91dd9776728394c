"""Every role, every governed table, every column: granted or refused, tried for real."""

from typing import Any

import pytest
from psycopg import Connection, errors

from tests.conftest import Person
from troth.database import connect, published
from troth.database.catalog import load
from troth.policy.catalog import Rows
from troth.policy.catalog import Table as Governed

CATALOG = load()
PURPOSES = ("provide", "protect", "understand", "personalise", "announce")
BUILT_IN = ("door", "self", "steward", "intake")


def may(role: str, table: Governed, privilege: str) -> set[str]:
    """Say, from plan and catalog alone, which columns a role may use so."""
    plan = published.current().plan
    columns = {column.name for column in table.columns}
    found: set[str] = set()
    if role in PURPOSES and privilege == "select":
        found |= {r.column for r in plan.readings if (r.purpose, r.table) == (role, table.name)}
    if role == "self":
        found |= {o.column for o in plan.own if (o.table, o.privilege) == (table.name, privilege)}
    for access in table.accesses:
        for verb, named in access.privileges:
            if (access.role, verb) == (role, privilege):
                found |= set(named) or columns
                if access.rows is Rows.COLLECTED and verb == "insert":
                    found |= {c.column for c in plan.collected if c.table == table.name}
    return found


def allowed(role: str, statement: str) -> bool:
    """Whether PostgreSQL lets a role run a statement."""
    try:
        with connect.acting(role) as connection:
            # A purpose begins read-only, but nothing keeps it so: what must hold are the grants.
            connection.execute("SET TRANSACTION READ WRITE")
            connection.execute(statement.encode())
            connection.rollback()
    except errors.InsufficientPrivilege:
        return False
    except (errors.NotNullViolation, errors.CheckViolation, errors.DatatypeMismatch, errors.GeneratedAlways):
        return True
    return True


def trial(table: str, column: str, privilege: str) -> str:
    """Write a statement that needs exactly one privilege on one column."""
    match privilege:
        case "select":
            return f'SELECT "{column}" FROM troth."{table}" LIMIT 0'
        case "update":
            return f'UPDATE troth."{table}" SET "{column}" = NULL WHERE false'
        case _:
            return f'INSERT INTO troth."{table}" ("{column}") SELECT NULL WHERE false'


@pytest.mark.asvs("8.2.3")
@pytest.mark.parametrize("role", [*BUILT_IN, *PURPOSES])
@pytest.mark.parametrize("privilege", ["select", "insert", "update"])
def test_each_column_is_granted_or_refused_as_the_policy_says(database: Any, role: str, privilege: str) -> None:
    wrong = []
    for table in CATALOG:
        expected = may(role, table, privilege)
        for column in table.columns:
            if column.generated and privilege != "select":
                continue
            got = allowed(role, trial(table.name, column.name, privilege))
            if got != (column.name in expected):
                wrong.append((table.name, column.name, "granted" if got else "refused"))
    assert wrong == []


@pytest.mark.parametrize("role", [*BUILT_IN, *PURPOSES])
def test_nobody_deletes_truncates_or_references_what_the_catalog_does_not_say(database: Any, role: str) -> None:
    for table in CATALOG:
        expected = any(
            access.role == role and verb == "delete" for access in table.accesses for verb, _ in access.privileges
        )
        assert allowed(role, f'DELETE FROM troth."{table.name}" WHERE false') == expected, table.name
        assert not allowed(role, f'TRUNCATE troth."{table.name}"')


@pytest.mark.asvs("14.1.1")
def test_every_column_of_the_database_is_declared(owner: Connection[Any]) -> None:
    found = owner.execute(
        "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'm', 'f')"
        " AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped"
    ).fetchall()
    declared = {(table.name, column.name) for table in CATALOG for column in table.columns}
    assert set(found) == declared
    assert all(column.category or column.reason for table in CATALOG for column in table.columns)


def test_a_purpose_sees_stamped_rows_and_nothing_of_who_objected(cast: dict[str, Person]) -> None:
    def seen() -> set[Any]:
        with connect.acting("understand") as connection:
            return {row[0] for row in connection.execute("SELECT DISTINCT subject FROM access")}

    everybody = {person.subject for person in cast.values()}
    assert seen() == everybody
    with connect.acting("self", token=cast["alice"].token) as connection:
        connection.execute("SELECT troth.choose('understand', 'objection')")
    assert seen() == everybody - {cast["alice"].subject}
    with connect.acting("self", token=cast["alice"].token) as connection:
        connection.execute("SELECT troth.choose('understand', 'permission')")
    assert seen() == everybody


def test_a_purpose_by_consent_begins_empty(cast: dict[str, Person]) -> None:
    with connect.acting("announce") as connection:
        assert connection.execute("SELECT email FROM person").fetchall() == []
    with connect.acting("self", token=cast["bob"].token) as connection:
        connection.execute("SELECT troth.choose('announce', 'consent')")
    with connect.acting("announce") as connection:
        assert connection.execute("SELECT email FROM person").fetchall() == [(cast["bob"].email,)]
    with connect.acting("self", token=cast["bob"].token) as connection:
        connection.execute("SELECT troth.choose('announce', 'withdrawal')")
    with connect.acting("announce") as connection:
        assert connection.execute("SELECT email FROM person").fetchall() == []


def test_a_window_hides_a_row_the_moment_it_passes(cast: dict[str, Person], owner: Connection[Any]) -> None:
    subject = cast["alice"].subject
    owner.execute("UPDATE troth.access SET at = statement_timestamp() - interval '30 days' + interval '2 seconds'"
                  " WHERE subject = %s", (subject,))  # fmt: skip
    with connect.acting("understand") as connection:
        query = "SELECT count(*) FROM access WHERE subject = %s"
        assert connection.execute(query, (subject,)).fetchone() == (2,)
        connection.execute("SELECT pg_sleep(2.1)")
        assert connection.execute(query, (subject,)).fetchone() == (0,)
    with connect.acting("protect") as connection:
        assert connection.execute(query, (subject,)).fetchone() == (2,)


def test_the_withheld_view_names_the_clause(cast: dict[str, Person]) -> None:
    with connect.acting("understand") as connection:
        rows = connection.execute(
            "SELECT reason, clause FROM withheld WHERE \"table\" = 'access' AND \"column\" = 'ip'"
        ).fetchall()
    assert rows == [("only as network: read `network`", "collect-access-ip-on-access")]


def test_intake_cannot_store_what_the_policy_does_not_collect(database: Any, owner: Connection[Any]) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    insert = "INSERT INTO troth.access (subject, at, id, url, ip, referrer) VALUES (%s, statement_timestamp(), uuidv7(), '/', %s, %s)"
    with connect.acting("intake") as connection:
        connection.execute(insert, (nobody, "192.0.2.0/24", None))
    for address, referrer in (("192.0.2.7", None), ("192.0.2.0/24", "https://elsewhere.example/")):
        with pytest.raises(errors.InsufficientPrivilege), connect.acting("intake") as connection:
            connection.execute(insert, (nobody, address, referrer))
    # The control taken away: without the rule's check the same insert goes through.
    owner.execute("ALTER POLICY intake_insert ON troth.access WITH CHECK (true)")
    with connect.acting("intake") as connection:
        connection.execute(insert, (nobody, "192.0.2.7", None))
