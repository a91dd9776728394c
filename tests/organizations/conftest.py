"""An organization with the cast: Alice owns it, Dana administers, Bob is a member, Charlie is outside."""

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import browser, settings
from tests.conftest import Person, make
from troth.database import connect

__all__ = ["browser", "settings"]


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
