"""What an organization holds of its members: its administrators write it, its person sees it, and nobody else does either."""

from typing import Any

from psycopg import Connection

from tests.organizations.conftest import Harbor, looked, tried
from troth.database import connect
from troth.database.drift import drift

HOLD = "SELECT troth.hold_field(%(org)s, %(bob)s, %(field)s, %(value)s)"


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
        ("administrator", "dana", 0),  # who is not at a look
    ):
        with connect.acting(role, token=held.people[name].token) as connection:
            found = connection.execute(seen.encode()).fetchall()
        assert found == [(held.bob.subject, 4711)] * rows, (role, name)
    for name, rows in (("dana", 1), ("charlie", 0), ("bob", 0)):
        found = looked(held.people[name].token, held.organization, seen)
        assert found == [(held.bob.subject, 4711)] * rows, name
    assert tried("member", held.bob.token, seen, {}) == "42501", "the policy shows it to administrators alone"
    own = "UPDATE troth.membership SET employee_number = 1"
    for role in ("self", "administrator", "member"):
        assert tried(role, held.bob.token, own, {}) == "42501"
    assert tried("self", held.bob.token, HOLD, told) == "42501"
    assert tried("administrator", held.dana.token, "SELECT about FROM troth.profile", {}) == "42501"
    assert tried("administrator", held.dana.token, "UPDATE troth.profile SET about = 'theirs'", {}) == "42501"
    entries = owner.execute("SELECT facts FROM troth.ledger_entry WHERE action = 'held-field-changed'").fetchall()
    assert entries == [({"field": "employee_number"},)]
