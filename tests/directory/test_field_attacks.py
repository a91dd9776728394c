"""What a directory's token reaches of declared fields: its own organization's, while it holds, of whoever is in it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection, errors

from tests.conftest import Person
from tests.directory.asking import Asking, directory_of, organize, without
from tests.directory.declared import FIELDS, TOLD, held, read, supplied
from troth.database import connect
from troth.people import correcting, directories, organizing, profiles
from troth.people.errors import OrganizationRefusal

OPEN = "CREATE POLICY open ON troth.{0} FOR SELECT TO troth_directory USING (true)", "DROP POLICY open ON troth.{0}"
#: The rule of profiles asks whether somebody is in the organization; here without asking.
ANYBODY = "ALTER POLICY directory_select ON troth.profile USING (true)"
MEMBERS = "ALTER POLICY directory_select ON troth.profile USING (troth.supplies(subject))"


@pytest.fixture
def quay(owner: Connection[Any], asking: Asking, cast: dict[str, Person]) -> Asking:
    """The directory of Charlie's organization, which holds other values of the same Bob."""
    assert asking.token
    return directory_of(organize(owner, "Quay", cast["charlie"]), cast["charlie"], "Quay's directory")


def asked(asking: Asking, statement: str) -> list[Any]:
    """Let somebody ask as the role, with a directory's token, as an injected statement would."""
    with connect.acting("directory", token=asking.token) as connection:
        return sorted(row[0] for row in connection.execute(statement.encode()))


def in_both(harbor: Asking, quay: Asking, person: Person) -> tuple[str, str]:
    """Let both organizations hold a badge of somebody, 7 and 70; return the entries."""
    entries = supplied(harbor), supplied(quay, {"badge": 70})
    for entry in entries:
        directories.join(token=person.token, entry=UUID(entry))
    return entries


def test_each_directory_reads_and_writes_what_its_own_organization_holds(
    owner: Connection[Any], asking: Asking, quay: Asking, cast: dict[str, Person]
) -> None:
    ours, theirs = in_both(asking, quay, cast["bob"])
    assert (read(asking, ours), read(quay, theirs)) == (TOLD, {"badge": 70})
    assert asking.patch(f"/Users/{ours}", {"op": "replace", "path": f"{FIELDS}:badge", "value": 8}).status == 204
    assert read(quay, theirs) == {"badge": 70}
    change = {"op": "replace", "path": f"{FIELDS}:badge", "value": 9}
    assert quay.patch(f"/Users/{ours}", change).status == quay.ask("GET", f"/Users/{ours}").status == 404
    assert quay.ask("GET", f"/Users?filter={FIELDS}:badge eq 8").found == []
    badge = "SELECT badge FROM troth.membership WHERE badge IS NOT NULL"
    assert (asked(asking, badge), asked(quay, badge)) == ([8], [70])
    with without(owner, *(each.format("membership") for each in OPEN)):
        assert asked(quay, badge) == [8, 70], "the row rule is what holds them apart"


def test_what_waits_is_seen_by_the_directory_that_supplied_it(
    owner: Connection[Any], asking: Asking, quay: Asking
) -> None:
    supplied(asking)
    theirs = supplied(quay, {"badge": 70})
    badge = "SELECT badge FROM troth.directory_awaited"
    assert (asked(asking, badge), asked(quay, badge), read(quay, theirs)) == ([7], [70], {"badge": 70})
    with without(owner, *(each.format("directory_awaited") for each in OPEN)):
        assert asked(quay, badge) == [7, 70], "the row rule is what holds them apart"


def test_nobody_else_sees_what_waits(asking: Asking, cast: dict[str, Person]) -> None:
    supplied(asking)
    for role in ("intake", "steward", "member", "reader", "understand", "protect"):
        with pytest.raises(errors.InsufficientPrivilege), connect.acting(role, token=cast["alice"].token) as connection:
            connection.execute("SELECT badge FROM troth.directory_awaited")
    for name, role in (("bob", "self"), ("alice", "self"), ("alice", "administrator"), ("alice", "provide")):
        with connect.acting(role, token=cast[name].token) as connection:
            found = connection.execute("SELECT badge FROM troth.directory_awaited").fetchall()
        assert found == [], "its row is of somebody who agreed to nothing"


def test_only_whose_proven_address_it_is_sees_what_is_offered(
    owner: Connection[Any], asking: Asking, cast: dict[str, Person]
) -> None:
    supplied(asking)
    (offer,) = directories.offers(cast["bob"].token)
    assert offer.fields == TOLD
    for name in ("alice", "charlie"):
        assert directories.offers(cast[name].token) == []
    owner.execute("UPDATE troth.account_emailaddress SET verified = false")
    assert directories.offers(cast["bob"].token) == []
    with pytest.raises(errors.InsufficientPrivilege), connect.acting("self", token=cast["bob"].token) as connection:
        connection.execute("SELECT troth.supplied_held(NULL, NULL)")


WAYS: dict[str, Callable[[Asking, str, Person], Any]] = {
    "by themselves": lambda asking, _entry, bob: organizing.leave(token=bob.token, organization=asking.organization),
    "at its word": lambda asking, entry, _bob: asking.patch(
        f"/Users/{entry}", {"op": "replace", "path": "active", "value": False}
    ),
    "with the account": lambda _asking, _entry, bob: _closed(bob),
}


def _closed(person: Person) -> None:
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'person')", (person.subject,))


@pytest.mark.parametrize("way", WAYS)
def test_of_who_left_a_directory_reads_nothing_more(
    owner: Connection[Any], asking: Asking, cast: dict[str, Person], way: str
) -> None:
    bob, entry = cast["bob"], supplied(asking)
    directories.join(token=bob.token, entry=UUID(entry))
    about = next(field for field in profiles.fields() if field.name == "about")
    profiles.tell(token=bob.token, field=about, value="bob here")
    assert read(asking, entry) == TOLD | {"about": "bob here"}
    WAYS[way](asking, entry, bob)
    answer = asking.ask("GET", f"/Users/{entry}")
    assert (answer.status, answer.body.get(FIELDS)) == (404 if way == "with the account" else 200, None)
    for statement in (
        "SELECT badge FROM troth.membership WHERE badge IS NOT NULL",
        "SELECT badge FROM troth.directory_awaited",
    ):
        assert asked(asking, statement) == []
    profile = "SELECT about FROM troth.profile"
    assert asked(asking, profile) == []
    with without(owner, ANYBODY, MEMBERS):
        assert asked(asking, profile) == ["bob here"], "whether he is a member is what the row rule asks"


def test_an_ended_token_reads_and_writes_no_field(
    owner: Connection[Any], asking: Asking, cast: dict[str, Person]
) -> None:
    entry = supplied(asking)
    directories.join(token=cast["bob"].token, entry=UUID(entry))
    supplied(asking, user_name="another", email="another@harbor.example")
    (token,) = directories.tokens(cast["alice"].token, asking.organization)
    directories.end_directory(token=cast["alice"].token, which=token.token)
    change = {"op": "replace", "path": f"{FIELDS}:badge", "value": 8}
    assert asking.patch(f"/Users/{entry}", change).status == asking.ask("GET", f"/Users/{entry}").status == 401
    questions = (
        "SELECT badge FROM troth.membership WHERE badge IS NOT NULL",
        "SELECT badge FROM troth.directory_awaited",
    )
    assert [asked(asking, each) for each in questions] == [[], []]
    assert held(owner, "membership", cast["bob"].subject)[0][0] == 7
    owner.execute("UPDATE troth.directory_token SET ended_at = NULL")
    assert [asked(asking, each) for each in questions] == [[7], [7]], "the end is what closed it"


def test_no_directory_writes_into_another_organization_whatever_it_calls(
    owner: Connection[Any], asking: Asking, quay: Asking, cast: dict[str, Person]
) -> None:
    ours, _theirs = in_both(asking, quay, cast["bob"])
    statement = 'SELECT troth.change_entry(%s, \'{"user_name": "x", "held": {"badge": "1"}}\', 2)'
    with (
        pytest.raises(errors.DatabaseError, match="there is no such entry"),
        connect.acting("directory", token=quay.token) as connection,
    ):
        connection.execute(statement.encode(), (ours,))
    told = (asking.organization, cast["bob"].subject)
    for forbidden in (
        'SELECT troth.hold_supplied(%s, %s, \'{"badge": "1"}\')',
        "SELECT troth.supply_held(%s, %s, 'badge', '1')",
        "SELECT troth.write_held(%s, %s, 'badge', '1')",
    ):
        with (
            pytest.raises(errors.InsufficientPrivilege),
            connect.acting("directory", token=quay.token) as connection,
        ):
            connection.execute(forbidden.encode(), told)
    assert held(owner, "membership", cast["bob"].subject)[0][0] == 7


def test_administrators_fill_in_for_members_alone(asking: Asking, cast: dict[str, Person]) -> None:
    supplied(asking)
    badge = next(field for field in profiles.fields("organization") if field.name == "badge")
    whose: dict[str, Any] = {"token": cast["alice"].token, "organization": asking.organization}
    with pytest.raises(OrganizationRefusal):
        correcting.hold(**whose, subject=cast["bob"].subject, field=badge, value=1)
