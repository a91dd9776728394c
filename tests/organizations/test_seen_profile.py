"""What an administrator sees of a member beside their name: what they tell, what is held, and exactly that for themselves."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection, errors

from tests.organizations.conftest import CHANGES, NUMBER, Harbor, declare, looked
from troth.database import connect, published
from troth.database.drift import drift
from troth.people import correcting, holding, profiles

#: As `CHANGES`, and administrators still see profiles.
BOTH = (
    *CHANGES[:1],
    ("show person.name, person.profile to administrators",
     "show person.name, person.profile, person.organization to administrators"),
    *CHANGES[2:],
)  # fmt: skip
OTHERS = (
    NUMBER
    + """
[phone]
type = "phone"
category = "person.phone"
label = { en = "Telephone number", es = "Número de teléfono" }
"""
)


def fill(harbor: Harbor) -> None:
    """Let Bob and Charlie tell something of themselves, and the organization hold a number of Bob."""
    known = {field.name: field for field in profiles.fields()}
    for person in (harbor.bob, harbor.charlie):
        profiles.tell(token=person.token, field=known["about"], value=f"{person.name} here")
        profiles.tell(token=person.token, field=known["phone"], value="+34 600 000 001")
    (number,) = profiles.fields("organization")
    whose, where = harbor.bob.subject, harbor.organization
    correcting.hold(token=harbor.dana.token, organization=where, subject=whose, field=number, value=4711)


@pytest.fixture
def shown(owner: Connection[Any], request: pytest.FixtureRequest) -> Iterator[Harbor]:
    """Bob and Charlie tell something; Dana's organization holds a number of Bob."""
    declare(owner, BOTH, OTHERS)
    harbor: Harbor = request.getfixturevalue("harbor")
    fill(harbor)
    yield harbor
    published.forget()


def seen(harbor: Harbor, who: str, whom: str = "bob") -> tuple[dict[str, Any], dict[str, Any]]:
    found = holding.seen(harbor.people[who].token, harbor.organization, harbor.people[whom].subject)
    return {each.field.name: each.value for each in found.told}, {each.field.name: each.value for each in found.held}


def abouts(role: str, token: str, *before: str) -> list[str]:
    with connect.acting(role, token=token) as connection:
        for statement in before:
            connection.execute(statement.encode())
        return [about for (about,) in connection.execute("SELECT about FROM troth.profile ORDER BY 1")]


def about(shown: Harbor, who: str, whom: str, *, elsewhere: bool = False) -> list[str]:
    where = shown.elsewhere if elsewhere else shown.organization
    return looked(shown.people[who].token, where, "SELECT about FROM troth.profile", whom=shown.people[whom].subject)


def test_administrators_see_what_members_tell_and_nobody_elses(owner: Connection[Any], shown: Harbor) -> None:
    assert drift(owner).lines() == []
    for name in ("alice", "dana"):
        assert seen(shown, name) == ({"about": "Bob here"}, {"employee_number": 4711})
        assert seen(shown, name, "charlie") == ({"about": None}, {})
        assert about(shown, name, "bob") == ["Bob here"]
        assert about(shown, name, "charlie") == about(shown, name, "charlie", elsewhere=True) == []
    assert about(shown, "charlie", "charlie", elsewhere=True) == ["Charlie here"], "of his own organization"
    for name in ("bob", "charlie", "olga"):
        assert about(shown, name, "bob") == []
    for role in ("member", "reader", "passer"):
        with pytest.raises(errors.InsufficientPrivilege):
            abouts(role, shown.alice.token)
    with connect.acting("administrator", token=shown.dana.token) as dana, pytest.raises(errors.InsufficientPrivilege):
        dana.execute("SELECT phone FROM troth.profile")


def test_each_member_opens_exactly_the_same_view_of_themselves(owner: Connection[Any], shown: Harbor) -> None:
    theirs = holding.seen(shown.dana.token, shown.organization, shown.bob.subject)
    mine = holding.mirrored(shown.bob.token, shown.organization, shown.bob.subject)
    assert mine == theirs
    assert abouts("mirror", shown.bob.token) == ["Bob here"]
    assert abouts("mirror", shown.charlie.token) == ["Charlie here"]
    # Whatever else an administrator is ever given shows there too.
    with connect.acting("mirror", token=shown.bob.token) as bob, pytest.raises(errors.InsufficientPrivilege):
        bob.execute("SELECT phone FROM troth.profile")
    owner.execute("GRANT SELECT (phone) ON troth.profile TO troth_administrator")
    with connect.acting("mirror", token=shown.bob.token) as bob:
        assert bob.execute("SELECT phone FROM troth.profile").fetchall() == [("+34 600 000 001",)]


def test_who_left_is_seen_no_longer(shown: Harbor) -> None:
    with connect.acting("self", token=shown.bob.token) as bob:
        bob.execute("SELECT troth.leave_organization(%s)", (shown.organization,))
    assert about(shown, "dana", "bob") == []
    assert seen(shown, "dana") == ({"about": None}, {})


def test_without_the_rule_an_administrator_would_see_everybody(owner: Connection[Any], shown: Harbor) -> None:
    """The control taken away: the row rule, and the question that it asks."""
    owner.execute("ALTER POLICY administrator_select ON troth.profile USING (true)")
    assert abouts("administrator", shown.dana.token) == ["Bob here", "Charlie here"]
    with connect.acting("self", token=shown.bob.token) as bob:
        assert bob.execute("SELECT about FROM troth.profile").fetchall() == [("Bob here",)]


def test_what_the_policy_does_not_show_administrators_they_do_not_see(owner: Connection[Any], held: Harbor) -> None:
    """Under the policy of the other tests, which shows them names and numbers alone."""
    known = {field.name: field for field in profiles.fields()}
    profiles.tell(token=held.bob.token, field=known["about"], value="Bob here")
    assert holding.seen(held.dana.token, held.organization, held.bob.subject).told == []
    assert owner.execute("SELECT count(*) FROM troth.profile").fetchone() == (1,)
    with pytest.raises(errors.InsufficientPrivilege):
        abouts("administrator", held.dana.token)
