"""`troth export` and `troth erase` ask the keeper, and leave nothing of what was asked or answered behind."""

import csv
import io
import json
import stat
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from psycopg import Connection, errors

from tests.conftest import Person
from tests.rights.asking import plant
from troth.cli.main import troth
from troth.database import connect, place, requests
from troth.database.errors import RequestRefusal
from troth.database.keeper import Keeper
from troth.rights import keeping
from troth.rights.document import read


@pytest.fixture
def keeper(database: place.Place, cast: dict[str, Person], owner: Connection[Any]) -> Iterator[Keeper]:
    """A keeper who answers, as one in service does."""
    turning, ended = keeping.taught(Keeper(database, next_round=time.monotonic() + 1000)), threading.Event()
    plant(owner, cast["alice"], 10)

    def turn() -> None:
        while not ended.wait(0.02):
            turning.turn()

    thread = threading.Thread(target=turn)
    thread.start()
    yield turning
    ended.set()
    thread.join(20)


def run(*arguments: str, answer: str = "") -> Result:
    done = CliRunner().invoke(troth, arguments, input=answer)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_an_export_comes_as_json_or_as_csv(keeper: Keeper, cast: dict[str, Person], tmp_path: Path) -> None:
    alice, file = cast["alice"], tmp_path / "alice.json"
    assert run("export", alice.email, "--output", str(file)).exit_code == 0
    assert read(file.read_bytes()).subject == str(alice.subject)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read(run("export", str(alice.subject)).stdout_bytes).subject == str(alice.subject)
    assert run("export", alice.email, "--format", "csv", "--output", str(tmp_path / "alice.zip")).exit_code == 0
    with zipfile.ZipFile(tmp_path / "alice.zip") as packed:
        names = set(packed.namelist())
        people = list(csv.DictReader(io.StringIO(packed.read("person.csv").decode())))
        columns = list(csv.DictReader(io.StringIO(packed.read("columns.csv").decode())))
    assert {"person.csv", "device.csv", "access.csv", "django_session.csv", "columns.csv"} <= names
    assert "account_emailconfirmation.csv" not in names
    assert [(row["email"], row["purposes"]) for row in people] == [(alice.email, "announce provide")]
    assert {row["column"] for row in columns if row["withheld"] and row["table"] == "people_account"} == {"password"}
    assert list((place.current().data / keeping.FOLDER).iterdir()) == []


def test_an_erasure_is_shown_before_and_asked_about(
    keeper: Keeper, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    shown = run("erase", alice.email, "--preview")
    assert shown.exit_code == 0
    assert "provide 365 days after the end (collect-agreement-version-on-agreement): 1" in shown.output
    told = json.loads(run("erase", alice.email, "--preview", "--format", "json").stdout)
    assert {each["table"]: each["at_once"] for each in told["tables"]}["people_account"] == 1
    assert run("erase", alice.email, answer="n\n").exit_code == 1
    assert open_accounts(owner) == 1
    assert run("erase", alice.email, answer="y\n").exit_code == 0
    assert open_accounts(owner) == 0
    with pytest.raises(RequestRefusal, match="this account ended on"):
        run("erase", str(alice.subject), "--yes")


def club(people: list[Person], *roles: str) -> uuid.UUID:
    """Let the first found an organization and take in the others, each in a role; return which."""
    founder = people[0].token
    with connect.acting("self", token=founder) as mine:
        row = mine.execute("SELECT troth.found_organization('Harbor Rowing')").fetchone()
    assert row is not None
    for each, role in zip(people[1:], roles, strict=True):
        word = f"word for {each.name}"
        with connect.acting("administrator", token=founder) as hers:
            hers.execute("SELECT troth.invite(%s, %s, NULL, '', %s, 1, 7)", (row[0], word, role))
        with connect.acting("self", token=each.token) as theirs:
            theirs.execute("SELECT troth.join_by_invitation(%s)", (word,))
    return uuid.UUID(str(row[0]))


def test_what_becomes_of_the_organizations_of_whoever_is_erased_is_said_before_and_holds(
    keeper: Keeper, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice, bob, dana = cast["alice"], cast["bob"], cast["dana"]
    org = club([alice, bob, dana], "member", "administrator")
    handed = f"they are its last owner: {dana.subject}, who has administered it longest, becomes its owner"
    assert f"organization `Harbor Rowing`: {handed}" in run("erase", alice.email, "--preview").output
    told = json.loads(run("erase", alice.email, "--preview", "--format", "json").stdout)
    mine = {"organization": str(org), "name": "Harbor Rowing", "fate": "handed on", "heir": str(dana.subject)}
    assert mine | {"others": 0} in told["organizations"]
    with connect.acting("self", token=dana.token) as hers:
        hers.execute("SELECT troth.leave_organization(%s)", (org,))
    late = {"person": str(alice.subject), "reason": "asked", "until": time.time() + 60}
    with pytest.raises(RequestRefusal, match="what becomes of their organizations has changed"):
        requests.ask("rights.erase", late | {"organizations": told["organizations"]})
    assert open_accounts(owner) == 1
    ends = "it is deleted, and with it the membership of 1 other person"
    asked = run("erase", alice.email, answer="n\n")
    assert f"they are its last owner and nobody administers it: {ends}" in asked.stderr.split("Erase ")[0]
    with connect.looking(alice.token) as hers:
        read = hers.execute("SELECT name, fate, others FROM troth.organization_fates()").fetchall()
    done = json.loads(run("erase", alice.email, "--format", "json", answer="y\n").stdout)
    assert [(each["name"], each["fate"], each["others"]) for each in done["organizations"]] == read
    assert owner.execute("SELECT FROM troth.organization WHERE organization = %s", (org,)).fetchone() is None
    assert json.loads(run("erase", bob.email, "--preview", "--format", "json").stdout)["organizations"] == []


def open_accounts(owner: Connection[Any]) -> int:
    row = owner.execute("SELECT count(*) FROM troth.people_account").fetchone()
    assert row is not None
    return int(row[0])


def test_what_asked_about_a_person_does_not_outlive_the_answer(
    keeper: Keeper, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    told = {"person": alice.email, "reason": "asked", "until": time.time() + 60}
    requests.ask("rights.preview", told)
    asked = owner.execute("SELECT kind, payload, signature FROM troth.keeper_request").fetchall()
    assert [(kind, len(payload)) for kind, payload, _ in asked] == [("rights.preview", 64)]
    assert alice.email not in str(owner.execute("SELECT payload FROM troth.keeper_request").fetchall())


def test_a_request_that_was_answered_is_not_answered_again(
    database: place.Place, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice, key = cast["alice"], place.secrets_of(database).operator
    payload = json.dumps({"person": alice.email, "reason": "asked", "until": time.time() + 60, "nonce": "n"})
    signature = key.sign(requests.signed("rights.preview", payload))
    answers = []
    for sent in ({"payload": payload}, {"payload": payload}, {"payload": payload.replace("alice", "bob")}):
        with connect.acting("steward") as steward:
            steward.execute(
                "INSERT INTO troth.keeper_request (kind, payload, signature) VALUES ('rights.preview', %s, %s)",
                (sent["payload"], signature),
            )
        keeping.taught(Keeper(database, next_round=time.monotonic() + 1000)).turn()
        answers.append(
            owner.execute(
                "SELECT granted, answer->>'sentence' FROM troth.keeper_request ORDER BY request DESC LIMIT 1"
            ).fetchone()
        )
    assert answers == [
        (True, None),
        (False, "this request was answered before"),
        (False, "the request's signature does not hold"),
    ]


def test_nobody_but_the_keeper_reads_whole_persons(cast: dict[str, Person]) -> None:
    with connect.acting("steward") as steward, pytest.raises(errors.InsufficientPrivilege):
        keeping.export(steward, {"person": cast["alice"].email, "reason": "asked", "until": time.time() + 60})
