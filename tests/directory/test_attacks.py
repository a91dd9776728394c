"""Whoever holds one organization's token, or injects SQL behind it, reaches nothing of another, and nothing of an account."""

import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.directory.asking import GROUP, PATCH, USER, Asking, directory_of, without
from troth.database import connect
from troth.people import directories
from troth.people.directory import Sought, speaking
from troth.people.errors import DirectoryClosed, DirectoryFull, DirectoryUnknown

ANOTHERS = "CREATE POLICY open ON troth.{0} FOR SELECT TO troth_directory USING (true)", "DROP POLICY open ON troth.{0}"


def test_what_is_anothers_answers_as_what_is_not_there(harbor: Asking, quay: Asking) -> None:
    theirs = quay.provision("cleo", emails=[{"value": "cleo@quay.example"}]).body["id"]
    group = quay.ask("POST", "/Groups", {"schemas": [GROUP], "displayName": "Crew"}).body["id"]
    for path in (f"/Users/{theirs}", f"/Groups/{group}"):
        nothing = f"{path.rsplit('/', 1)[0]}/{uuid4()}"
        for method, body in (("GET", None), ("PUT", {"userName": "x", "displayName": "x"}), ("DELETE", None)):
            answers = [harbor.ask(method, each, body) for each in (path, nothing)]
            told = [
                {**each.body, "detail": each.body["detail"].replace(each_path.rsplit("/", 1)[1], "")}
                for each, each_path in zip(answers, (path, nothing), strict=True)
            ]
            assert [each.status for each in answers] == [404, 404]
            assert told[0] == told[1]
        assert harbor.patch(path, {"op": "replace", "path": "displayName", "value": "mine"}).status == 404
    assert quay.ask("GET", f"/Users/{theirs}").status == 200
    assert harbor.find('userName eq "cleo"').found == harbor.find("userName pr").found == []


def test_a_group_takes_nobody_from_another_organization(harbor: Asking, quay: Asking) -> None:
    theirs = quay.provision("cleo").body["id"]
    body = {"schemas": [GROUP], "displayName": "Crew", "members": [{"value": theirs}]}
    assert harbor.ask("POST", "/Groups", body).status == 400
    assert harbor.ask("GET", "/Groups").found == []


@pytest.mark.parametrize("table", ["directory_entry", "directory_group", "directory_grouped", "membership"])
def test_injected_statements_see_one_organization(
    harbor: Asking, quay: Asking, owner: Connection[Any], cast: dict[str, Person], table: str
) -> None:
    for directory in (harbor, quay):
        made = directory.provision("someone", emails=[{"value": "bob@harbor.example"}]).body["id"]
        directory.ask("POST", "/Groups", {"schemas": [GROUP], "displayName": "Crew", "members": [{"value": made}]})
        directories.join(token=cast["bob"].token, entry=UUID(made))

    def organizations() -> set[UUID]:
        with connect.acting("directory", token=harbor.token) as connection:
            return {which for (which,) in connection.execute(f"SELECT organization FROM troth.{table}".encode())}

    assert organizations() == {harbor.organization}
    with without(owner, *(each.format(table) for each in ANOTHERS)):
        assert organizations() == {harbor.organization, quay.organization}, "the row rule is what holds them apart"


TABLES = {
    "person": "email", "access": "ip", "device": "device", "agreement": "version", "choice": "purpose", "people_account": "email",
    "account_emailaddress": "email", "django_session": "session_data", "request_token": "hash", "directory_token": "digest",
    "directory_act": "kind", "notice": "address", "permitted": "uses", "ledger_salt": "salt", "domain": "value", "invitation": "address",
    "organization": "name",
}  # fmt: skip


@pytest.mark.parametrize(("table", "column"), TABLES.items())
def test_a_directory_reads_nothing_else(harbor: Asking, table: str, column: str) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        connect.acting("directory", token=harbor.token) as connection,
    ):
        connection.execute(f"SELECT {column} FROM troth.{table}".encode())


def test_a_directory_writes_nothing_but_through_its_functions(harbor: Asking) -> None:
    for written in (
        "UPDATE troth.directory_entry SET email = 'x'",
        "DELETE FROM troth.directory_entry",
        "INSERT INTO troth.membership (subject, organization, role) SELECT subject, organization, 'owner' FROM troth.directory_entry",
        "SELECT troth.enter_supplied(gen_random_uuid(), gen_random_uuid())",
        "SELECT troth.retie_entry(gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now())",
        "SELECT troth.leave_supplied(gen_random_uuid(), gen_random_uuid())",
    ):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            connect.acting("directory", token=harbor.token) as connection,
        ):
            connection.execute(written.encode())


def test_a_viewers_token_opens_no_directory_and_the_other_way_round(harbor: Asking, cast: dict[str, Person]) -> None:
    assert Asking(cast["alice"].token, harbor.organization).ask("GET", "/Users").status == 401
    with connect.acting("self", token=harbor.token) as connection:
        assert connection.execute("SELECT troth.viewer()").fetchone() == (None,)


@pytest.mark.parametrize("token", ["", "troth-dir-guessed", "' OR true --", "x\0y", "troth-dir-" + "x" * 50_000])
def test_a_token_that_nobody_was_given_opens_nothing(harbor: Asking, token: str) -> None:
    answer = Asking(token, harbor.organization).ask("GET", "/Users")
    assert (answer.status, answer.headers.get("WWW-Authenticate")) == (401, 'Bearer realm="SCIM"')


def test_a_forged_setting_names_no_organization(harbor: Asking) -> None:
    with connect.acting("directory") as connection:
        row = connection.execute(
            "WITH forged AS (SELECT set_config('troth.token', encode(sha256('x'), 'hex'), true))"
            " SELECT count(*) FROM forged, troth.directory_entry"
        ).fetchone()
    assert row == (0,)


def test_an_ended_token_opens_nothing_from_then_on(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    assert harbor.ask("GET", "/Users").status == 200
    (held,) = directories.tokens(cast["alice"].token, harbor.organization)
    directories.end_directory(token=cast["alice"].token, which=held.token)
    assert harbor.ask("GET", "/Users").status == 401
    owner.execute("UPDATE troth.directory_token SET ended_at = NULL")
    assert harbor.ask("GET", "/Users").status == 200, "the end is what closed it"
    owner.execute("UPDATE troth.directory_token SET until = statement_timestamp()")
    assert harbor.ask("GET", "/Users").status == 401


def test_a_token_dies_with_its_organization(harbor: Asking, owner: Connection[Any]) -> None:
    harbor.provision("someone")
    owner.execute("DELETE FROM troth.membership WHERE organization = %s", (harbor.organization,))
    owner.execute("DELETE FROM troth.organization WHERE organization = %s", (harbor.organization,))
    assert harbor.ask("GET", "/Users").status == 401
    directories.end_unsupplied()
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
    assert owner.execute("SELECT count(*) FROM troth.subject WHERE kind = 'supplied'").fetchone() == (0,)


@pytest.mark.parametrize("who", ["bob", "dana", "charlie"])
def test_only_who_keeps_members_makes_and_ends_tokens(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any], who: str
) -> None:
    (held,) = directories.tokens(cast["alice"].token, harbor.organization)
    with pytest.raises(DirectoryClosed):
        directory_of(harbor.organization, cast[who])
    with pytest.raises(DirectoryUnknown):
        directories.end_directory(token=cast[who].token, which=held.token)
    assert directories.tokens(cast[who].token, harbor.organization) == []
    owner.execute(
        "INSERT INTO troth.membership (subject, organization, role) VALUES (%s, %s, 'administrator') ON CONFLICT (subject, organization) DO UPDATE SET role = 'administrator'",
        (cast[who].subject, harbor.organization),
    )
    assert directory_of(harbor.organization, cast[who]).ask("GET", "/Users").status == 200


def test_an_organization_has_ten_tokens_at_most(harbor: Asking, cast: dict[str, Person]) -> None:
    for _ in range(9):
        directory_of(harbor.organization, cast["alice"])
    with pytest.raises(DirectoryFull):
        directory_of(harbor.organization, cast["alice"])


@pytest.mark.parametrize(
    "condition",
    [
        'userName eq "x\' OR true --"',
        'userName eq "x\'; DROP TABLE troth.directory_entry; --"',
        'externalId eq "%"',
        'displayName sw "_"',
        'userName eq "x\\u0000y"',
        'id eq "not an id"',
        'emails.value eq "\\"" or userName eq "nobody"',
    ],
)
def test_a_filter_is_a_value_and_never_a_statement(harbor: Asking, condition: str) -> None:
    harbor.provision("someone", externalId="1", displayName="Some One")
    answer = harbor.find(condition)
    assert (answer.status, answer.found) == (200, []), answer.body
    assert harbor.ask("GET", "/Users").body["totalResults"] == 1


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("(" * 100_000 + 'userName eq "x"' + ")" * 100_000, 400),
        ("not (" * 500 + 'userName eq "x"' + ")" * 500, 400),
        (" or ".join(['userName eq "x"'] * 150), 200),
        ('userName eq "' + "x" * 100_000 + '"', 400),
        ("userName eq", 400),
        ('nothing eq "x"', 400),
        ('password eq "x"', 400),
    ],
    ids=["nested", "not not", "long", "longest", "half", "unknown", "withheld"],
)
def test_a_huge_or_wrong_filter_is_refused_quickly(harbor: Asking, condition: str, status: int) -> None:
    started = time.process_time()
    asked = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": condition}
    assert harbor.ask("POST", "/Users/.search", asked).status == status
    assert time.process_time() - started < timedelta(seconds=5).total_seconds()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"userName":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
        (b'{"userName":"' + b"x" * (2 * 1024 * 1024) + b'"}', 413),
        (b'{"userName":' + b"9" * 400_000 + b"}", 400),
        (b'{"userName":"\xff\xfe"}', 400),
        (b"", 400),
        (b'{"schemas":[],"userName":"x","userName":"y"', 400),
    ],
    ids=["lists", "objects", "oversized", "digits", "no text", "nothing", "half"],
)
def test_a_body_that_nests_or_swells_is_refused_quickly(harbor: Asking, body: bytes, status: int) -> None:
    started = time.process_time()
    assert harbor.ask("POST", "/Users", body).status == status
    assert time.process_time() - started < timedelta(seconds=5).total_seconds()
    assert harbor.ask("GET", "/Users").body["totalResults"] == 0


@pytest.mark.parametrize(
    "said",
    [
        {"userName": ""},
        {"userName": "x" * 255},
        {"displayName": "x" * 201},
        {"userName": "x\0"},
        {"emails": [{"value": "no address"}]},
        {"emails": [{"value": "a@b\r\nBcc: c"}]},
    ],
)
def test_what_cannot_be_kept_is_refused(harbor: Asking, said: dict[str, Any]) -> None:
    assert harbor.ask("POST", "/Users", {"schemas": [USER], "userName": "someone"} | said).status == 400
    assert harbor.ask("GET", "/Users").found == []


def test_a_user_name_is_taken_once_in_an_organization_and_in_any_case(harbor: Asking, quay: Asking) -> None:
    assert harbor.provision("Bob").status == 201
    taken = harbor.provision("bOB")
    assert (taken.status, taken.body["scimType"]) == (409, "uniqueness")
    assert quay.provision("bob").status == 201, "another organization's names are its own"


def test_what_changed_meanwhile_is_not_overwritten(harbor: Asking) -> None:
    made = harbor.provision("someone")
    before = made.headers["ETag"]
    path, change = f"/Users/{made.body['id']}", {"op": "replace", "path": "externalId", "value": "1"}
    assert harbor.patch(path, change, **{"If-Match": before}).status in (200, 204)
    assert harbor.patch(path, change | {"value": "2"}, **{"If-Match": before}).status == 412


def test_a_policy_that_collects_nothing_from_directories_keeps_nothing(harbor: Asking, owner: Connection[Any]) -> None:
    (rule,) = owner.execute(
        "SELECT with_check FROM pg_policies WHERE tablename = 'directory_entry' AND policyname = 'provisioner_insert'"
    ).fetchone() or ("",)
    with without(
        owner,
        "ALTER POLICY provisioner_insert ON troth.directory_entry WITH CHECK (false)",
        f"ALTER POLICY provisioner_insert ON troth.directory_entry WITH CHECK {rule if rule.startswith('(') else f'({rule})'}",
    ):
        assert harbor.provision("someone").status == 403
    assert harbor.provision("someone").status == 201


def test_the_door_of_a_directory_is_shut_without_a_token() -> None:
    with pytest.raises(DirectoryClosed), speaking("") as directory:
        directory.named(Sought(name="x"), 1)


def test_many_operations_of_one_patch_are_one_change(harbor: Asking) -> None:
    made = harbor.provision("someone")
    path = f"/Users/{made.body['id']}"
    operations = [{"op": "replace", "path": "externalId", "value": str(n)} for n in range(2000)]
    started = time.process_time()
    assert harbor.ask("PATCH", path, {"schemas": [PATCH], "Operations": operations}).status in (200, 204, 400)
    assert time.process_time() - started < timedelta(seconds=10).total_seconds()
    assert harbor.ask("GET", path).body["meta"]["version"] in ('W/"1"', 'W/"2"')
