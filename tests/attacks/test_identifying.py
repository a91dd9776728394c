"""P25: no role of staff or analysts holds a column that tells who somebody is, but through that person's grant."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection, errors, sql

from tests.conftest import Person, employ
from troth.database import connect, published
from troth.database.catalog import load as load_catalog
from troth.database.drift import drift
from troth.database.keeper import Keeper
from troth.database.place import Place

#: Every column that tells who somebody is, written down apart from the compiler.
IDENTIFYING = {
    (table.name, column.name)
    for table in load_catalog()
    for column in table.columns
    if column.category
    in ("person.name", "person.email", "person.phone", "access.ip", "session.ip", "device.identifier", "location.gps")
    and column.precision == "as is"
}


def purposes() -> list[str]:
    """Return the purposes of the policy that the database holds."""
    return [each.name for each in published.current().policy.purposes]


def staff_roles(owner: Connection[Any]) -> list[str]:
    """Return the roles that somebody on the staff may have, as the table allows them."""
    query = (
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'troth.staff'::regclass AND contype = 'c'"
    )
    return sorted({role for (told,) in owner.execute(query).fetchall() for role in re.findall(r"'(\w+)'::text", told)})


@pytest.fixture
def analysts(owner: Connection[Any], database: Place) -> Iterator[dict[str, dict[str, Any]]]:
    """An analyst of each purpose, with what connects as them."""
    keeper, found = Keeper(database), {}
    for purpose in purposes():
        answer = keeper.kinds["analyst.add"](owner, {"name": purpose, "purpose": purpose})
        told = connect.parameters(purpose)
        told.pop("options")
        found[purpose] = told | {"user": answer["role"], "password": answer["password"]}
    yield found
    for purpose in found:
        keeper.kinds["analyst.remove"](owner, {"name": purpose})
    assert drift(owner).lines() == []


def test_there_is_something_to_withhold() -> None:
    assert {("person", "name"), ("person", "email"), ("access", "ip"), ("device", "device")} <= IDENTIFYING


def test_the_compiler_knows_the_same_columns(database: Place) -> None:
    plan = published.current().plan
    assert {(each.table, each.column) for each in plan.identifying} == IDENTIFYING


def test_no_analyst_reads_a_column_that_tells_who_somebody_is(
    cast: dict[str, Person], owner: Connection[Any], analysts: dict[str, dict[str, Any]]
) -> None:
    for purpose, told in analysts.items():
        with psycopg.connect(**told, autocommit=True) as session:
            for table, column in sorted(IDENTIFYING):
                names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
                for schema in ("troth", purpose, f"{purpose}_analysts"):
                    asked = sql.SQL("SELECT t.{column} FROM {schema}.{table} AS t").format(
                        **names, schema=sql.Identifier(schema)
                    )
                    with pytest.raises((errors.InsufficientPrivilege, errors.UndefinedColumn, errors.UndefinedTable)):
                        session.execute(asked)
                held = owner.execute(
                    "SELECT has_column_privilege(%s, %s, %s, 'SELECT')", (told["user"], f"troth.{table}", column)
                ).fetchone()
                assert held == (False,), (purpose, table, column)
    assert drift(owner).lines() == []


def test_an_analyst_still_reads_the_rest_and_is_told_what_not(
    cast: dict[str, Person], analysts: dict[str, dict[str, Any]]
) -> None:
    with psycopg.connect(**analysts["provide"], autocommit=True) as session:
        assert len(session.execute("SELECT subject FROM person").fetchall()) == 4
        told = session.execute(
            "SELECT reason, clause FROM withheld WHERE \"column\" = 'email' AND \"table\" = 'person'"
        )
        reason, clause = told.fetchone() or ("", "")
        assert "only that person opens it" in reason
        assert clause == next(d.clause.name for d in published.current().policy.duties if d.name == "opening")
    with psycopg.connect(**analysts["understand"], autocommit=True) as session:
        assert session.execute("SELECT count(network), count(DISTINCT subject) FROM access").fetchone() == (8, 4)
        for attempt in ("SET ROLE troth_understand", "SET ROLE troth_understand_analysts"):
            with pytest.raises(errors.InsufficientPrivilege):
                session.execute(attempt.encode())


def test_a_member_of_the_purpose_would_read_it(
    cast: dict[str, Person], owner: Connection[Any], analysts: dict[str, dict[str, Any]]
) -> None:
    """The control taken away."""
    owner.execute("GRANT troth_provide TO troth_analyst_provide WITH INHERIT TRUE, SET FALSE")
    with psycopg.connect(**analysts["provide"], autocommit=True) as session:
        assert ("Alice",) in session.execute("SELECT name FROM troth.person").fetchall()
    assert any("troth_provide < troth_analyst_provide" in line for line in drift(owner).lines())
    owner.execute("REVOKE troth_provide FROM troth_analyst_provide")


#: Every column anywhere that a role may read, of tables and of views, with the table of troth that it comes from.
READABLE = """
SELECT DISTINCT coalesce(source.relname, seen.relname), held.attname
FROM pg_attribute AS held JOIN pg_class AS seen ON seen.oid = held.attrelid
LEFT JOIN pg_rewrite AS rule ON rule.ev_class = seen.oid AND seen.relkind = 'v'
LEFT JOIN pg_depend AS needs ON needs.objid = rule.oid AND needs.classid = 'pg_rewrite'::regclass AND needs.refclassid = 'pg_class'::regclass
    AND needs.refobjid <> seen.oid
LEFT JOIN pg_class AS source ON source.oid = needs.refobjid
WHERE seen.relkind IN ('r', 'p', 'v', 'm') AND held.attnum > 0 AND NOT held.attisdropped
  AND seen.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
  AND has_schema_privilege(%(role)s, seen.relnamespace, 'USAGE') AND has_column_privilege(%(role)s, seen.oid, held.attnum, 'SELECT')
"""


def test_what_every_analyst_may_read_anywhere_is_none_of_it(
    owner: Connection[Any], analysts: dict[str, dict[str, Any]]
) -> None:
    """Asked of the catalog, column by column: tables and views, also those that nobody thought of here."""
    query = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'troth%analyst%'"
    roles = {role for (role,) in owner.execute(query).fetchall()}
    assert roles >= {told["user"] for told in analysts.values()}
    assert len(analysts) == len(purposes())
    for role in sorted(roles):
        readable = set(owner.execute(READABLE, {"role": role}).fetchall())
        assert readable & IDENTIFYING == set(), role


def test_no_role_of_staff_reads_a_row_of_it_without_a_grant(cast: dict[str, Person], owner: Connection[Any]) -> None:
    """Columns come from the policy's sight alone, rows from a person's grant: with none there is nothing, in each role."""
    shown = {(each.table, each.column) for each in published.current().plan.seen if each.role == "staff"}
    readable = set(owner.execute(READABLE, {"role": "troth_staff"}).fetchall())
    assert readable & IDENTIFYING <= shown
    ruled = owner.execute("SELECT tablename, qual FROM pg_policies WHERE 'troth_staff' = ANY (roles)").fetchall()
    assert {table for table, _column in shown} <= {table for table, _rule in ruled}
    assert all("looking(" in rule for _table, rule in ruled)
    assert len(staff_roles(owner)) == 5
    for role in staff_roles(owner):
        owner.execute("DELETE FROM troth.staff")
        employ(owner, cast["dana"], role)
        for table, column in sorted(readable & IDENTIFYING):
            asked = sql.SQL("SELECT {} FROM troth.{}").format(sql.Identifier(column), sql.Identifier(table))
            with connect.acting("staff", token=cast["dana"].token) as connection:
                assert connection.execute(asked).fetchall() == [], (role, table, column)
    for table, column in sorted(IDENTIFYING - shown):
        asked = sql.SQL("SELECT {} FROM troth.{}").format(sql.Identifier(column), sql.Identifier(table))
        with (
            pytest.raises(errors.InsufficientPrivilege),
            connect.acting("staff", token=cast["dana"].token) as connection,
        ):
            connection.execute(asked)
