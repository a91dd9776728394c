"""The fields that the operator declared, over SCIM: a directory writes what the organization holds, and reads what it is shown."""

from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection, errors

from tests.browsing import Browser
from tests.conftest import TERMS, Person
from tests.directory.asking import Asking
from tests.directory.declared import FIELDS, TOLD, held, read, source, supplied
from tests.directory.test_provisioning import BOB
from tests.rights.asking import erased, exported, part
from troth.database import apply, connect, published
from troth.database.drift import drift
from troth.people import correcting, directories, fielding, profiles


def test_schemas_and_resource_types_announce_the_fields_and_what_each_is(asking: Asking) -> None:
    (types,) = [each for each in asking.ask("GET", "/ResourceTypes").found if each["id"] == "User"]
    assert FIELDS in {each["schema"] for each in types["schemaExtensions"]}
    (schema,) = [each for each in asking.ask("GET", "/Schemas").found if each["id"] == FIELDS]
    announced = {each["name"]: (each["type"], each["mutability"]) for each in schema["attributes"]}
    assert announced == {
        "badge": ("integer", "readWrite"),
        "remote": ("boolean", "readWrite"),
        "grade": ("string", "readWrite"),
        "since_day": ("string", "readWrite"),
        "json": ("string", "readWrite"),
        "about": ("string", "readOnly"),
    }, "and no telephone number, which the policy shows no administrator"
    assert next(each for each in schema["attributes"] if each["name"] == "grade")["canonicalValues"] == [
        "junior",
        "senior",
    ]


def test_what_a_directory_supplies_before_anybody_joined_it_reads_again(owner: Connection[Any], asking: Asking) -> None:
    entry = supplied(asking)
    assert read(asking, entry) == TOLD
    assert held(owner, "directory_awaited") == [tuple(TOLD.values())]
    assert asking.patch(f"/Users/{entry}", {"op": "replace", "path": f"{FIELDS}:badge", "value": 8}).status == 204
    assert asking.patch(f"/Users/{entry}", {"op": "remove", "path": f"{FIELDS}:grade"}).status == 204
    assert read(asking, entry) == {**{k: v for k, v in TOLD.items() if k != "grade"}, "badge": 8}
    assert drift(owner).lines() == []


def test_who_joins_has_it_where_their_organization_holds_it(
    owner: Connection[Any], asking: Asking, cast: dict[str, Person]
) -> None:
    entry, bob = supplied(asking), cast["bob"]
    directories.join(token=bob.token, entry=UUID(entry))
    assert held(owner, "membership", bob.subject) == [tuple(TOLD.values())]
    assert held(owner, "directory_awaited") == [], "and nowhere else"
    assert read(asking, entry) == TOLD
    # What an administrator corrects is what the directory reads, and what it writes is what the person sees.
    badge = next(each for each in profiles.fields("organization") if each.name == "badge")
    correcting.hold(
        token=cast["alice"].token, organization=asking.organization, subject=bob.subject, field=badge, value=9
    )
    assert read(asking, entry)["badge"] == 9
    assert asking.patch(f"/Users/{entry}", {"op": "replace", "path": f"{FIELDS}:badge", "value": 10}).status == 204
    assert held(owner, "membership", bob.subject)[0][0] == 10
    changed = owner.execute("SELECT count(*) FROM troth.ledger_entry WHERE action = 'held-field-changed'").fetchone()
    assert changed == (7,)
    # It goes with the membership; what the directory says next is kept for whoever joins again.
    assert asking.patch(f"/Users/{entry}", {"op": "replace", "path": "active", "value": False}).status == 204
    assert held(owner, "membership", bob.subject) == []
    assert read(asking, entry) == {}


def test_a_directory_reads_of_a_profile_what_administrators_are_shown_and_writes_none(
    asking: Asking, cast: dict[str, Person]
) -> None:
    known = {field.name: field for field in profiles.fields()}
    for name in ("bob", "charlie"):
        profiles.tell(token=cast[name].token, field=known["about"], value=f"{name} here")
        profiles.tell(token=cast[name].token, field=known["phone"], value="+34 600 000 001")
    entry = supplied(asking)
    assert "about" not in read(asking, entry), "before he joined"
    directories.join(token=cast["bob"].token, entry=UUID(entry))
    assert read(asking, entry) == TOLD | {"about": "bob here"}
    listed = asking.ask("GET", "/Users").body
    assert "bob here" in str(listed)
    assert "charlie here" not in str(listed)
    assert "600" not in str(listed)
    answer = asking.patch(f"/Users/{entry}", {"op": "replace", "path": f"{FIELDS}:about", "value": "mine"})
    assert (answer.status, answer.body["scimType"]) == (400, "mutability")
    whole = asking.ask("GET", f"/Users/{entry}").body
    whole[FIELDS] |= {"about": "mine", "phone": "+34 600 000 009"}
    asking.ask("PUT", f"/Users/{entry}", whole)
    assert read(asking, entry)["about"] == "bob here"


def test_the_role_reads_no_profile_but_its_members_and_no_column_but_those(
    owner: Connection[Any], asking: Asking, cast: dict[str, Person]
) -> None:
    about = next(field for field in profiles.fields() if field.name == "about")
    for name in ("bob", "charlie"):
        profiles.tell(token=cast[name].token, field=about, value=f"{name} here")
    directories.join(token=cast["bob"].token, entry=UUID(supplied(asking)))

    def asked(statement: str) -> list[Any]:
        with connect.acting("directory", token=asking.token) as connection:
            return [row[0] for row in connection.execute(statement.encode())]

    assert asked("SELECT about FROM troth.profile") == ["bob here"]
    for statement in (
        "SELECT phone FROM troth.profile",
        "UPDATE troth.membership SET badge = 1",
        "UPDATE troth.directory_awaited SET badge = 1",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            asked(statement)
    for function in (
        "supply_held(NULL, NULL, 'badge', '1')",
        "supplied_held(NULL, NULL)",
        "hold_supplied(NULL, NULL, '{}')",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            asked(f"SELECT troth.{function}")
    owner.execute("ALTER POLICY directory_select ON troth.profile USING (true)")  # the control taken away
    assert asked("SELECT about FROM troth.profile ORDER BY 1") == ["bob here", "charlie here"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"badge": 10**18},
        {"grade": "king"},
        {"since_day": "some day"},
        {"json": "https://a b"},
        {"since_day": "x\0"},
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_reason(
    owner: Connection[Any], asking: Asking, wrong: dict[str, Any]
) -> None:
    answer = asking.provision("other", schemas=[*BOB["schemas"], FIELDS], **{FIELDS: wrong})
    assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")
    assert owner.execute("SELECT count(*) FROM troth.directory_entry").fetchone() == (0,)


def test_where_no_field_is_declared_nothing_is_announced(
    owner: Connection[Any], asking: Asking, cast: dict[str, Person]
) -> None:
    assert len(asking.ask("GET", "/Schemas").found) == 4
    fielding.declare(
        owner, {"text": "", "removing": ["badge", "remote", "grade", "since_day", "json", "about", "phone"]}
    )
    published.forget()
    assert FIELDS not in str(asking.ask("GET", "/Schemas").found)
    assert asking.provision("other", **{FIELDS: TOLD}).status == 201, "what nobody keeps is ignored"


def test_what_the_policy_shows_no_administrator_any_more_is_neither_announced_nor_read(
    owner: Connection[Any], asking: Asking, cast: dict[str, Person]
) -> None:
    about = next(field for field in profiles.fields() if field.name == "about")
    profiles.tell(token=cast["bob"].token, field=about, value="bob here")
    entry = supplied(asking)
    directories.join(token=cast["bob"].token, entry=UUID(entry))
    narrower = source().replace(
        "person.name, person.profile, person.organization to administrators", "person.name to administrators"
    )
    apply.apply(owner, narrower.replace(" version 2 ", " version 3 "), TERMS)
    published.forget()
    assert FIELDS not in str(asking.ask("GET", "/Schemas").found)
    assert read(asking, entry) == {}
    with connect.acting("directory", token=asking.token) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("SELECT about FROM troth.profile")


def test_a_change_of_something_else_empties_nothing_that_the_directory_is_not_shown(
    owner: Connection[Any], asking: Asking, cast: dict[str, Person]
) -> None:
    entry, bob = supplied(asking), cast["bob"].subject
    directories.join(token=cast["bob"].token, entry=UUID(entry))
    owner.execute("UPDATE troth.membership SET uses = 0")  # as where he has not agreed to a wider sight yet
    assert read(asking, entry) == {}
    assert asking.patch(f"/Users/{entry}", {"op": "replace", "path": "externalId", "value": "00u2"}).status == 204
    assert asking.ask("PUT", f"/Users/{entry}", {"userName": "blindqvist", **BOB}).status == 200
    assert held(owner, "membership", bob) == [tuple(TOLD.values())]
    assert asking.patch(f"/Users/{entry}", {"op": "replace", "path": f"{FIELDS}:badge", "value": 8}).status == 204
    assert held(owner, "membership", bob)[0][0] == 8, "it may write what it is not shown, as administrators may"


def test_an_etag_changes_with_what_others_write_of_the_person(asking: Asking, cast: dict[str, Person]) -> None:
    from troth.people import actions

    entry, bob = supplied(asking), cast["bob"]
    directories.join(token=bob.token, entry=UUID(entry))
    about = next(field for field in profiles.fields() if field.name == "about")
    badge = next(field for field in profiles.fields("organization") if field.name == "badge")

    def again(tag: str) -> int:
        return asking.ask("GET", f"/Users/{entry}", **{"If-None-Match": tag}).status

    whom: dict[str, Any] = {"token": cast["alice"].token, "organization": asking.organization, "subject": bob.subject}
    for change in (
        lambda: profiles.tell(token=bob.token, field=about, value="rows"),
        lambda: correcting.hold(**whom, field=badge, value=9),
        lambda: actions.correct_name(token=bob.token, name="Robert"),
    ):
        tag = asking.ask("GET", f"/Users/{entry}").headers["ETag"]
        assert again(tag) == 304
        change()
        assert again(tag) == 200
        stale = asking.patch(f"/Users/{entry}", {"op": "replace", "path": "active", "value": True}, **{"If-Match": tag})
        assert stale.status == 412


def test_a_policy_that_collects_nothing_on_provisioning_lets_a_directory_write_none(
    owner: Connection[Any], asking: Asking, cast: dict[str, Person]
) -> None:
    directories.join(token=cast["bob"].token, entry=UUID(supplied(asking)))
    narrower = source().replace(
        "person.employment, person.organization on provisioning", "person.employment on provisioning"
    )
    assert narrower != source()
    apply.apply(owner, narrower.replace(" version 2 ", " version 3 "), TERMS)
    published.forget()
    (schema,) = [each for each in asking.ask("GET", "/Schemas").found if each["id"] == FIELDS]
    assert [each["name"] for each in schema["attributes"]] == ["about"]
    assert held(owner, "membership", cast["bob"].subject) == [tuple(TOLD.values())], "its administrators hold it still"
    assert owner.execute("SELECT count(*) FROM troth.directory_awaited").fetchone() == (0,)


def test_what_waits_is_exported_to_its_person_by_the_address_and_erased_with_it(
    owner: Connection[Any], asking: Asking
) -> None:
    address = "newcomer@harbor.example"
    entry = supplied(asking, user_name="newcomer", email=address)
    (row,) = part(exported(owner, address), "directory_awaited").rows
    assert (row.values["badge"], row.values["grade"], row.stamped_for) == (7, "senior", ())
    erased(owner, address)
    assert asking.ask("GET", f"/Users/{entry}").status == 404
    assert owner.execute("SELECT count(*) FROM troth.directory_awaited").fetchone() == (0,)


def test_the_person_sees_what_waits_and_then_who_holds_it(
    owner: Connection[Any], asking: Asking, browser: Browser
) -> None:
    whose, address = browser.sign_up(owner, "newcomer@harbor.example"), "newcomer@harbor.example"
    entry = supplied(asking, user_name="newcomer", email=address)
    page = browser.get("/me/directories").content.decode()
    for shown in (
        "Badge",
        ">7<",
        "Grade",
        "Senior",
        "31 January 2027",
        "https://harbor.example/desk",
        "Works elsewhere",
    ):
        assert shown in page
    assert browser.post(f"/me/directories/{entry}", {"answer": "join"}).status_code == 302
    assert "What else it holds of you" in browser.get("/me/directories").content.decode()
    page = browser.get("/me/profile").content.decode()
    for shown in ("Held by <bdi>Harbor</bdi>", "Badge", ">7<", "Ask for a correction", "its directory does"):
        assert shown in page
    assert held(owner, "membership", whose) == [tuple(TOLD.values())]
