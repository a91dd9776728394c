"""A person's account, name and token: made together, corrected everywhere, proven by the database."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser, subject

ALICE = "alice@harbor.example"


@pytest.mark.asvs("2.3.3")
def test_an_account_is_made_whole_or_not_at_all(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.people import actions

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(actions, "_record", fail)
    assert browser.begin(ALICE).status_code == 500
    for table in ("people_account", "account_emailaddress", "person"):
        assert owner.execute(f"SELECT count(*) FROM troth.{table}".encode()).fetchone() == (0,), table
    assert owner.execute("SELECT count(*) FROM troth.subject WHERE kind = 'person'").fetchone() == (0,)


def test_a_failure_after_the_account_leaves_no_account_either(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from allauth.account import forms

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(forms, "setup_user_email", fail)
    assert browser.begin(ALICE).status_code == 500
    assert owner.execute("SELECT count(*) FROM troth.people_account").fetchone() == (0,)


@pytest.mark.parametrize(
    "name", ["محمد بن عبد الرحمن", "Rosa María de los Ángeles", "Ng", "X Æ A-12", "นภา", "a" * 200]
)
def test_names_are_kept_as_written(browser: Browser, owner: Connection[Any], name: str) -> None:
    browser.sign_up(owner, ALICE, name)
    assert owner.execute("SELECT name FROM troth.person").fetchall() == [(name,)]
    assert name in browser.get("/me").content.decode()


def test_a_corrected_name_is_everywhere_and_in_the_ledger(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE, "Alcie")
    answer = browser.post("/me/name", {"name": "  Alice   Okafor "})
    assert answer.status_code == 302
    page = browser.get("/me").content.decode()
    assert "Alice Okafor" in page
    assert "Alcie" not in page
    entries = owner.execute("SELECT action FROM troth.ledger_entry ORDER BY at DESC, 1 LIMIT 1").fetchall()
    assert entries == [("name-corrected",)]
    everything = owner.execute("SELECT string_agg(e::text, '') FROM troth.ledger_entry e").fetchone()
    assert everything is not None
    assert "Okafor" not in everything[0]


def test_correcting_to_the_same_name_leaves_no_entry(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    browser.post("/me/name", {"name": "Alice Okafor"})
    assert owner.execute("SELECT count(*) FROM troth.ledger_entry WHERE action = 'name-corrected'").fetchone() == (0,)


def test_nobody_corrects_with_a_token_that_opens_nothing(browser: Browser, owner: Connection[Any]) -> None:
    from troth.people.actions import correct_name
    from troth.people.errors import NobodyThere

    browser.sign_up(owner, ALICE)
    with pytest.raises(NobodyThere):
        correct_name(token="guessed", name="Mallory")
    assert owner.execute("SELECT name FROM troth.person").fetchall() == [("Alice Okafor",)]


def test_bob_corrects_only_himself(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    bob = Browser()
    bob.sign_up(owner, "bob@harbor.example", "Bob")
    bob.post("/me/name", {"name": "Robert", "subject": str(subject(owner, ALICE))})
    assert owner.execute("SELECT name FROM troth.person ORDER BY name").fetchall() == [("Alice Okafor",), ("Robert",)]


def test_a_token_needs_an_agreement_and_is_stored_as_its_digest(browser: Browser, owner: Connection[Any]) -> None:
    from django.db import DatabaseError
    from django.utils import timezone

    from troth.people.actions import Account, digest, open_viewer

    until = timezone.now() + timedelta(hours=1)
    Browser().begin("eve@harbor.example", "Eve")
    with pytest.raises(DatabaseError, match="no agreement"):
        open_viewer(Account.objects.get(email="eve@harbor.example"), until=until)
    browser.sign_up(owner, ALICE)
    token = open_viewer(Account.objects.get(email=ALICE), until=until)
    assert len(token) == 43
    held = {bytes(row[0]) for row in owner.execute("SELECT hash FROM troth.request_token")}
    assert digest(token) in held
    assert token.encode() not in held


def test_a_person_sees_their_devices(browser: Browser, owner: Connection[Any]) -> None:
    from troth.database import connect
    from troth.people import queries

    alice = browser.sign_up(owner, ALICE)
    browser.get("/me")
    with connect.acting("intake") as intake:
        statement = "INSERT INTO troth.device (subject, device, browser, system, kind) VALUES (%s, %s, 'Firefox 140', 'Linux', 'computer')"
        intake.execute(statement, (alice, uuid.uuid4()))
    token = browser.cookies["__Host-viewer"].value
    assert [device.browser for device in queries.devices(token)] == ["Firefox 140"]
    assert queries.devices("guessed") == []


def test_an_address_is_one_account_whatever_its_case(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    Browser().begin("ALICE@Harbor.Example", "Mallory")
    assert owner.execute("SELECT count(*) FROM troth.people_account").fetchone() == (1,)
    assert Browser().sign_in("Alice@HARBOR.example").headers["Location"] == "/me"
