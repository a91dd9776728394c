"""A neighbour of the same organization, a stranger, somebody unknown: with every role that serves people, all that can be read."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection, Error, sql

from tests.conftest import Person, visit
from tests.consent.lending import NAME, lend
from tests.organizations.conftest import call
from troth.database import connect, published

#: Roles that read of everybody what their purpose needs, and the door, which finds out who somebody is.
OTHERS = {"door", "owner"}
RELATIONS = """
SELECT space.nspname, held.relname, array_agg(a.attname ORDER BY a.attnum)
FROM pg_class AS held JOIN pg_namespace AS space ON space.oid = held.relnamespace
JOIN pg_attribute AS a ON a.attrelid = held.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE held.relkind IN ('r', 'p', 'v', 'm') AND space.nspname NOT IN ('pg_catalog', 'information_schema')
  AND has_schema_privilege(%(role)s, space.oid, 'USAGE') AND has_column_privilege(%(role)s, held.oid, a.attnum, 'SELECT')
GROUP BY 1, 2
"""
FUNCTIONS = """
SELECT 'troth', proname, NULL FROM pg_proc WHERE pronamespace = 'troth'::regnamespace AND prokind = 'f'
  AND pronargs = pronargdefaults AND prorettype <> 'trigger'::regtype AND has_function_privilege(%(role)s, oid, 'EXECUTE')
"""


@pytest.fixture
def harbor(owner: Connection[Any], cast: dict[str, Person]) -> dict[str, Person]:
    """Alice owns what Dana administers and Bob is in; Charlie is outside. Alice lets Bob see her name."""
    for name, person in cast.items():
        visit(person, url=f"/canary-of-{name}")
    found = call("self", cast["alice"].token, "SELECT troth.found_organization('Harbor Rowing')")
    invite = "SELECT troth.invite(%s, %s, NULL, '', %s, 1, 7)"
    for who, role in (("dana", "administrator"), ("bob", "member")):
        call("administrator", cast["alice"].token, invite, found, f"word for {who}", role)
        call("self", cast[who].token, "SELECT troth.join_by_invitation(%s)", f"word for {who}")
    lend(cast["alice"], cast["bob"], NAME)
    return cast


def roles(owner: Connection[Any]) -> list[str]:
    """Return the login roles that serve people; a new one is asked like those that there are."""
    query = "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname LIKE 'troth\\_%' ORDER BY 1"
    apart = OTHERS | {purpose.name for purpose in published.current().policy.purposes}
    return [name for (role,) in owner.execute(query) if (name := role.removeprefix("troth_")) not in apart]


def answers(owner: Connection[Any], role: str, token: str | None) -> Iterator[tuple[str, str]]:
    """Ask everything that a role may ask without being told anything; yield what was asked, and the rows as text."""
    for query, asked in (
        (RELATIONS, "SELECT {columns} FROM {space}.{name}"),
        (FUNCTIONS, "SELECT * FROM {space}.{name}()"),
    ):
        for space, name, columns in owner.execute(query.encode(), {"role": f"troth_{role}"}).fetchall():
            statement = sql.SQL(asked).format(
                space=sql.Identifier(space),
                name=sql.Identifier(name),
                columns=sql.SQL(", ").join(map(sql.Identifier, columns or ())),
            )
            try:
                with connect.acting(role, token=token) as connection:
                    yield name, str(connection.execute(statement).fetchall())
            except Error:
                continue  # refused


def seen(owner: Connection[Any], cast: dict[str, Person], role: str, viewer: str | None) -> set[tuple[str, str]]:
    """Return whose name, address, number or accesses came of somebody else, and what told it."""
    marks = {
        name: (f"'{each.name}'", each.email, f"canary-of-{name}", str(each.subject)) for name, each in cast.items()
    }
    token = cast[viewer].token if viewer in cast else viewer
    return {
        (whose, asked)
        for asked, rows in answers(owner, role, token)
        for whose, known in marks.items()
        if whose != viewer and any(mark in rows for mark in known)
    }


@pytest.mark.asvs("8.2.2", "8.2.3")
@pytest.mark.parametrize("viewer", ["bob", "charlie", "a token that nobody has", None])
def test_nobody_reads_of_another_but_what_they_were_let_see(
    owner: Connection[Any], harbor: dict[str, Person], viewer: str | None
) -> None:
    found = {role: told for role in roles(owner) if (told := seen(owner, harbor, role, viewer))}
    lent = {
        "chosen": {("alice", "chosen_person_name")},
        "self": {("alice", "person_grant"), ("alice", "person_grant_use"), ("alice", "grant_sides")},
    }
    assert found == (lent if viewer == "bob" else {})
    assert {"self", "administrator", "member", "mirror", "chosen", "staff", "steward", "intake"} <= set(roles(owner))


def test_without_the_rule_the_neighbour_would_read_on(owner: Connection[Any], harbor: dict[str, Person]) -> None:
    owner.execute("ALTER TABLE troth.access DISABLE ROW LEVEL SECURITY")
    assert {("alice", "access"), ("charlie", "access")} <= seen(owner, harbor, "self", "bob")
