"""What an organization holds of its members: its administrators write it, its person sees it, and nobody else does either."""

from typing import Any

import pytest
from psycopg import Connection, Error

from tests.conftest import POLICY, TERMS
from tests.organizations.conftest import Harbor
from troth.database import apply, connect, published
from troth.database.drift import drift
from troth.people import fielding

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
HOLD = "SELECT troth.hold_field(%(org)s, %(bob)s, %(field)s, %(value)s)"


@pytest.fixture
def held(owner: Connection[Any], request: pytest.FixtureRequest) -> Harbor:
    """The organization under a policy that lets it hold a number of each member."""
    source = POLICY.read_text(encoding="utf-8")
    for old, new in CHANGES:
        assert old in source
        source = source.replace(old, new)
    apply.apply(owner, source, TERMS)
    fielding.declare(owner, {"text": NUMBER})
    published.forget()
    harbor: Harbor = request.getfixturevalue("harbor")
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


def test_who_writes_and_who_sees_what_an_organization_holds(owner: Connection[Any], held: Harbor) -> None:
    assert drift(owner).lines() == []
    told = {"org": held.organization, "bob": held.bob.subject, "field": "employee_number", "value": "4711"}
    refused = {name: tried("administrator", held.people[name].token, HOLD, told) for name in held.people}
    assert refused == {"alice": "", "dana": "", "bob": "TR041", "charlie": "TR040", "olga": "TR040"}
    for wrong, code in (({"field": "about"}, "TR061"), ({"field": "role"}, "TR061"), ({"value": "x"}, "22P02"),
                        ({"value": "9999999999999999"}, "23514"), ({"org": held.elsewhere}, "TR040"),
                        ({"bob": held.charlie.subject}, "TR045")):  # fmt: skip
        assert tried("administrator", held.dana.token, HOLD, told | wrong) == code, wrong
    assert tried("administrator", held.dana.token, HOLD, told, keep=True) == ""

    seen = "SELECT subject, employee_number FROM troth.membership WHERE employee_number IS NOT NULL"
    for role, name, rows in (
        ("self", "bob", 1),
        ("self", "charlie", 0),
        ("administrator", "dana", 1),
        ("administrator", "charlie", 0),
    ):
        with connect.acting(role, token=held.people[name].token) as connection:
            found = connection.execute(seen.encode()).fetchall()
        assert found == [(held.bob.subject, 4711)] * rows, (role, name)
    assert tried("member", held.bob.token, seen, {}) == "42501", "the policy shows it to administrators alone"
    own = "UPDATE troth.membership SET employee_number = 1"
    for role in ("self", "administrator", "member"):
        assert tried(role, held.bob.token, own, {}) == "42501"
    assert tried("self", held.bob.token, HOLD, told) == "42501"
    assert tried("administrator", held.dana.token, "SELECT about FROM troth.profile", {}) == "42501"
    assert tried("administrator", held.dana.token, "UPDATE troth.profile SET about = 'theirs'", {}) == "42501"
    entries = owner.execute("SELECT facts FROM troth.ledger_entry WHERE action = 'held-field-changed'").fetchall()
    assert entries == [({"field": "employee_number"},)]
