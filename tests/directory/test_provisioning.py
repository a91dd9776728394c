"""A directory supplies, changes and takes back; the person alone decides whether it ties them to anything."""

from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection

from tests.conftest import Person, count
from tests.directory.asking import WORK, Asking
from tests.rights.asking import erased, exported, part
from troth.database import connect
from troth.people import directories
from troth.people.errors import DirectoryTaken, DirectoryUnknown

BOB: dict[str, Any] = {
    "externalId": "00u1",
    "displayName": "Robert Lindqvist",
    "name": {"formatted": "Robert Lindqvist", "givenName": "Robert", "familyName": "Lindqvist"},
    "active": True,
    "emails": [{"value": "bob@harbor.example", "type": "work", "primary": True}],
    WORK: {"employeeNumber": "701"},
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", WORK],
}


def supplied(harbor: Asking) -> str:
    answer = harbor.provision("blindqvist", **BOB)
    assert answer.status == 201, answer.body
    return str(answer.body["id"])


def joined(harbor: Asking, person: Person) -> str:
    entry = supplied(harbor)
    directories.join(token=person.token, entry=UUID(entry))
    return entry


def members(owner: Connection[Any], harbor: Asking) -> set[UUID]:
    found = owner.execute("SELECT subject FROM troth.membership WHERE organization = %s", (harbor.organization,))
    return {subject for (subject,) in found}


def test_what_a_directory_supplies_it_reads_again(harbor: Asking) -> None:
    read = harbor.ask("GET", f"/Users/{supplied(harbor)}").body
    assert {key: read[key] for key in BOB if key != "schemas"} == {key: BOB[key] for key in BOB if key != "schemas"}
    assert read["userName"] == "blindqvist"


def test_provisioning_ties_nobody_to_anything(harbor: Asking, cast: dict[str, Person], owner: Connection[Any]) -> None:
    supplied(harbor)
    assert cast["bob"].subject not in members(owner, harbor)
    assert directories.held(cast["bob"].token) == []
    assert count("provide", "SELECT count(*) FROM provide.directory_entry") == 0, (
        "no purpose uses who agreed to nothing"
    )


def test_an_address_with_an_account_answers_as_one_without(harbor: Asking) -> None:
    with_account = harbor.provision("one", emails=[{"value": "bob@harbor.example"}])
    without_account = harbor.provision("two", emails=[{"value": "nobody@harbor.example"}])
    for answer in (with_account, without_account):
        known = ("id", "userName", "emails", "meta")
        for key in known:
            answer.body.pop(key)
        for key in ("Location", "Content-Location"):
            answer.headers.pop(key)
    assert with_account == without_account
    told = harbor.ask("GET", "/Users").found
    assert {frozenset(each) for each in told} == {frozenset(told[0])}


def test_the_person_sees_what_waits_for_them_and_joins(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    entry = supplied(harbor)
    (offer,) = directories.offers(cast["bob"].token)
    assert (str(offer.entry), offer.organization_name, offer.employee_number) == (entry, "Harbor", "701")
    directories.join(token=cast["bob"].token, entry=offer.entry)
    assert cast["bob"].subject in members(owner, harbor)
    (held,) = directories.held(cast["bob"].token)
    assert (held.email, held.employee_number, held.user_name) == ("bob@harbor.example", "701", "blindqvist")
    assert directories.offers(cast["bob"].token) == []


@pytest.mark.parametrize("who", ["alice", "charlie"])
def test_nobody_else_joins_in_their_place(harbor: Asking, cast: dict[str, Person], who: str) -> None:
    entry = supplied(harbor)
    assert directories.offers(cast[who].token) == []
    with pytest.raises(DirectoryUnknown):
        directories.join(token=cast[who].token, entry=UUID(entry))


def test_an_address_that_is_not_proven_opens_no_offer(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    entry = supplied(harbor)
    owner.execute("UPDATE troth.account_emailaddress SET verified = false")
    assert directories.offers(cast["bob"].token) == []
    with pytest.raises(DirectoryUnknown):
        directories.join(token=cast["bob"].token, entry=UUID(entry))


def test_two_entries_do_not_become_the_same_person(harbor: Asking, cast: dict[str, Person]) -> None:
    joined(harbor, cast["bob"])
    again = harbor.provision("bob2", emails=[{"value": "BOB@harbor.example"}])
    with pytest.raises(DirectoryTaken):
        directories.join(token=cast["bob"].token, entry=UUID(again.body["id"]))


def test_whoever_joined_goes_by_the_name_they_gave_themselves(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    entry = joined(harbor, cast["bob"])
    read = harbor.ask("GET", f"/Users/{entry}").body
    assert (read["displayName"], read["name"]) == ("Bob", {"formatted": "Bob"})
    assert harbor.ask("PUT", f"/Users/{entry}", {"userName": "blindqvist", **BOB}).status == 200
    assert harbor.ask("GET", f"/Users/{entry}").body["displayName"] == "Bob"
    kept = owner.execute(
        "SELECT display_name, full_name, given_name, family_name FROM troth.directory_entry"
    ).fetchone()
    assert kept == (None, None, None, None), "no earlier name stays behind (P21)"


def test_a_policy_that_shows_administrators_no_names_shows_a_directory_none(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    entry = joined(harbor, cast["bob"])
    owner.execute("UPDATE troth.membership SET uses = 0")
    assert "displayName" not in harbor.ask("GET", f"/Users/{entry}").body


@pytest.mark.parametrize("how", ["PATCH", "PUT", "DELETE"])
def test_deprovisioning_ends_the_membership_and_nothing_of_the_person(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any], how: str
) -> None:
    entry = joined(harbor, cast["bob"])
    ways = {
        "PATCH": lambda: harbor.patch(f"/Users/{entry}", {"op": "Replace", "value": {"active": False}}),
        "PUT": lambda: harbor.ask("PUT", f"/Users/{entry}", {"userName": "blindqvist", **BOB, "active": False}),
        "DELETE": lambda: harbor.ask("DELETE", f"/Users/{entry}"),
    }
    assert ways[how]().status in (200, 204)
    assert cast["bob"].subject not in members(owner, harbor)
    assert directories.held(cast["bob"].token) == []
    accesses = "SELECT count(*) FROM troth.access WHERE subject = %s AND ended_at IS NULL"
    assert owner.execute(accesses, (cast["bob"].subject,)).fetchone() == (2,)
    assert owner.execute(
        "SELECT is_active FROM troth.people_account WHERE subject = %s", (cast["bob"].subject,)
    ).fetchone() == (True,)
    assert harbor.ask("GET", f"/Users/{entry}").status == (404 if how == "DELETE" else 200)


def test_who_comes_back_is_asked_again(harbor: Asking, cast: dict[str, Person], owner: Connection[Any]) -> None:
    entry = joined(harbor, cast["bob"])
    harbor.patch(f"/Users/{entry}", {"op": "replace", "path": "active", "value": False})
    assert directories.offers(cast["bob"].token) == []
    harbor.patch(f"/Users/{entry}", {"op": "replace", "path": "active", "value": True})
    assert cast["bob"].subject not in members(owner, harbor)
    assert [str(offer.entry) for offer in directories.offers(cast["bob"].token)] == [entry]


def test_a_directory_does_not_remove_the_owner(harbor: Asking, cast: dict[str, Person], owner: Connection[Any]) -> None:
    made = harbor.provision("alice", emails=[{"value": "alice@harbor.example"}])
    directories.join(token=cast["alice"].token, entry=UUID(made.body["id"]))
    assert harbor.ask("DELETE", f"/Users/{made.body['id']}").status == 403
    assert harbor.patch(f"/Users/{made.body['id']}", {"op": "replace", "path": "active", "value": False}).status == 403
    assert cast["alice"].subject in members(owner, harbor)


def test_the_person_sees_what_was_done_about_them(harbor: Asking, cast: dict[str, Person]) -> None:
    entry = joined(harbor, cast["bob"])
    harbor.patch(f"/Users/{entry}", {"op": "replace", "path": f"{WORK}:employeeNumber", "value": "702"})
    harbor.ask("GET", f"/Users/{entry}")
    done = [act.kind for act in directories.acts(cast["bob"].token, harbor.organization)]
    assert done == ["read", "changed", "supplied"]
    assert directories.acts(cast["charlie"].token, harbor.organization) == []


def test_who_closes_their_account_takes_what_the_directory_held_along(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    entry = joined(harbor, cast["bob"])
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'person')", (cast["bob"].subject,))
    assert harbor.ask("GET", f"/Users/{entry}").status == 404
    assert harbor.ask("GET", "/Users").body["totalResults"] == 0
    assert harbor.provision("blindqvist", **BOB).status == 201, "the name is free again"


def test_an_entry_of_somebody_who_never_agreed_leaves_nothing_behind(harbor: Asking, owner: Connection[Any]) -> None:
    entry = supplied(harbor)
    assert harbor.ask("DELETE", f"/Users/{entry}").status == 204
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
    assert owner.execute("SELECT count(*) FROM troth.subject WHERE kind = 'supplied'").fetchone() == (0,)
    assert owner.execute("SELECT count(*) FROM troth.directory_act").fetchone() == (0,)


def test_what_a_directory_holds_is_exported_to_the_person_and_erased_with_them(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    entry = joined(harbor, cast["bob"])
    (row,) = part(exported(owner, cast["bob"]), "directory_entry").rows
    assert (row.values["employee_number"], row.values["user_name"], row.values["email"]) == (
        "701",
        "blindqvist",
        "bob@harbor.example",
    )
    assert part(exported(owner, cast["bob"]), "directory_act").rows
    erased(owner, cast["bob"])
    assert owner.execute("SELECT count(*) FROM troth.directory_entry WHERE ended_at IS NULL").fetchone() == (0,)
    assert owner.execute("SELECT count(*) FROM troth.directory_act").fetchone() == (0,)
    assert harbor.ask("GET", f"/Users/{entry}").status == 404


def test_who_was_supplied_and_never_agreed_is_exported_and_erased_by_the_address(
    harbor: Asking, owner: Connection[Any]
) -> None:
    address = "newcomer@harbor.example"
    entry = harbor.provision("newcomer", emails=[{"value": address}]).body["id"]
    (row,) = part(exported(owner, address), "directory_entry").rows
    assert (row.values["email"], row.stamped_for) == (address, ())
    erased(owner, address)
    assert harbor.ask("GET", f"/Users/{entry}").status == 404
    assert owner.execute("SELECT count(*) FROM troth.subject WHERE kind = 'supplied'").fetchone() == (0,)
