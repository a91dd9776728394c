"""An organization with the cast: Alice owns it, Dana administers, Bob is a member, Charlie is outside."""

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg import Connection, Error

from tests.browsing import browser, settings
from tests.conftest import POLICY, TERMS, Person, make
from tests.planting import account
from troth.database import apply, connect, published
from troth.people import fielding, looking

__all__ = ["browser", "settings"]
NUMBER = """
[employee_number]
type = "whole number"
category = "person.organization"
held_by = "organization"
label = { en = "Employee number", es = "Número de empleado" }

[about]
type = "text"
category = "person.profile"
label = { en = "About you", es = "Sobre ti" }
"""
CHANGES = (
    ("collect person.organization on sign-up", "collect person.organization on sign-up, profile"),
    ("show person.name, person.profile to administrators", "show person.name, person.organization to administrators"),
    ("show person.name, person.email, person.phone,", "show person.name, person.email, person.organization, person.phone,"),
    (" version 1 ", " version 2 "),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Harbor:
    """The organization and its people; `elsewhere` is another, which Charlie owns."""

    organization: uuid.UUID
    elsewhere: uuid.UUID
    people: dict[str, Person]

    def __getattr__(self, name: str) -> Person:
        """Return one of the cast."""
        return self.people[name]


def call(role: str, token: str, statement: str, *values: Any) -> Any:
    """Call a function as a viewer."""
    with connect.acting(role, token=token) as connection:
        row = connection.execute(statement.encode(), values).fetchone()
    return row[0] if row else None


def looked(
    token: str, organization: uuid.UUID, statement: str, *values: Any, whom: uuid.UUID | None = None, kind: str = "list"
) -> list[Any]:
    """Return what somebody who administers an organization reads at one look, at all in it or at one; single columns bare."""
    with looking.looking(looking.ADMINISTRATOR, token, organization, kind, whom) as connection:
        rows = connection.execute(statement.encode(), values).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


@pytest.fixture
def harbor(owner: Connection[Any], cast: dict[str, Person]) -> Harbor:
    """Make it through the doors that the pages use."""
    people = cast | {"olga": make(owner, "Olga")}
    org = call("self", cast["alice"].token, "SELECT troth.found_organization('Harbor Rowing')")
    for name, role in (("dana", "administrator"), ("bob", "member")):
        invite = "SELECT troth.invite(%s, %s, NULL, '', %s, 1, 7)"
        call("administrator", cast["alice"].token, invite, org, f"word for {name}", role)
        call("self", cast[name].token, "SELECT troth.join_by_invitation(%s)", f"word for {name}")
    elsewhere = call("self", cast["charlie"].token, "SELECT troth.found_organization('Elsewhere')")
    return Harbor(org, elsewhere, people)


def declare(owner: Connection[Any], changes: tuple[tuple[str, str], ...], fields: str) -> None:
    """Put the policy into force with some clauses changed, and declare fields."""
    source = POLICY.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    apply.apply(owner, source, TERMS)
    fielding.declare(owner, {"text": fields})
    published.forget()


@pytest.fixture
def held(owner: Connection[Any], request: pytest.FixtureRequest) -> Harbor:
    """The organization under a policy that lets it hold a number of each member."""
    declare(owner, CHANGES, NUMBER)
    harbor: Harbor = request.getfixturevalue("harbor")
    for person in harbor.people.values():
        account(owner, person.subject, person.email)
    return harbor


def tried(role: str, token: str, statement: str, told: dict[str, Any], *, keep: bool = False) -> str:
    """Return the SQLSTATE with which a statement of a viewer's is refused; empty when it is not."""
    try:
        with connect.acting(role, token=token) as connection:
            connection.execute(statement.encode(), told)
            if not keep:
                connection.rollback()
    except Error as error:
        return str(error.sqlstate)
    return ""
