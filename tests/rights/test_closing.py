"""Closing an account: what goes, goes at once; what stays is named before, and nobody can sign in again."""

import re
import uuid
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import PASSWORD, Browser, mails

ALICE, BOB = "alice@harbor.example", "bob@harbor.example"


def closed(browser: Browser) -> Any:
    return browser.post("/me/close", {"password": PASSWORD})


def test_the_page_says_before_what_goes_and_what_stays(browser: Browser, owner: Connection[Any]) -> None:
    from django.utils.html import escape

    from troth.rights.queries import fates

    browser.sign_up(owner, ALICE)
    page = browser.get("/me/close").content.decode()
    token = str(browser.cookies["__Host-viewer"].value)
    for fate in fates(token=token):
        if fate.table != "access":  # which may be stored by now, and was not when the page was made
            assert escape(fate.what) in page
        if not fate.goes_at_once:
            assert ("up to a year" if fate.days == 365 else f"up to {fate.days} days") in page
    assert {fate.table: fate.days for fate in fates()} == {
        "person": 30, "device": 90, "access": 90, "agreement": 365, "choice": 365, "session": 0, "membership": 30,
        "join_request": 30, "directory_entry": 30, "directory_awaited": 30,
        "notice_outcome": 90, "crash": 90, "activity": 30, "feature_use": 30, "page_view": 90,
        "transaction": 365, "location": 30, "post": 0, "attachment": 0,
    }  # fmt: skip
    assert "Your choices" not in page, "of which there are none"
    for without in ("Identifier", "directories of organizations", "until you join it", "Your posts"):
        assert without not in page, without
    assert {"person", "agreement"} <= {fate.table for fate in fates(token=token)}
    browser.choose("personalise", "consent")
    assert "Your choices" in browser.get("/me/close").content.decode()
    browser.post("/language", {"language": "es", "next": "/me/close"})
    assert "qué decidiste" in browser.get("/me/close").content.decode()


@pytest.mark.asvs("7.4.2", "14.3.1")
def test_closing_ends_account_sessions_and_tokens(browser: Browser, owner: Connection[Any]) -> None:
    from troth.people import queries

    alice = browser.sign_up(owner, ALICE)
    elsewhere = Browser()
    elsewhere.sign_in(ALICE)
    elsewhere.get("/me")
    token = elsewhere.cookies["__Host-viewer"].value
    answer = closed(browser)
    assert answer.headers["Location"] == "/closed"
    assert answer.headers["Clear-Site-Data"] == '"cookies", "storage"'
    assert browser.get("/closed").status_code == 200
    assert elsewhere.get("/me").status_code == 303
    assert queries.profile(token) is None
    for table in (
        "people_account",
        "account_emailaddress",
        "request_token",
        "remembered",
        "mfa_authenticator",
    ):
        assert owner.execute(f"SELECT count(*) FROM troth.{table}".encode()).fetchone() == (0,), table
    told = [told["subject"] for told in mails(owner, ALICE)]
    assert told == ["[Harbor Hosted Solutions] Your account is closed"], "what waited before went"
    assert not [row for row in owner.execute("SELECT session_key FROM troth.django_session") if row[0] == "alice"]
    assert owner.execute("SELECT ended_at IS NOT NULL FROM troth.subject WHERE subject = %s", (alice,)).fetchone() == (
        True,
    )
    assert "ended" not in elsewhere.sign_in(ALICE).content.decode()


def test_what_becomes_of_ones_organizations_is_said_before_and_is_what_happens(
    browser: Browser, owner: Connection[Any]
) -> None:
    alice = browser.sign_up(owner, ALICE)
    bob = Browser()
    bob.sign_up(owner, BOB, "Bob بوب")
    browser.post("/organizations", {"name": "Harbor Rowing"})
    browser.post("/organizations", {"name": "Alone"})
    ids = dict(owner.execute("SELECT name, organization FROM troth.organization").fetchall())
    page = browser.get("/me/close").content.decode()
    assert page.count("You are alone in it: it is deleted.") == 2
    assert f"/organizations/{ids['Alone']}#delete" in page
    stale = read(page)
    where = f"/organizations/{ids['Harbor Rowing']}/joining"
    browser.post(where, {"action": "link", "role": "administrator", "joins": "1", "days": "1"})
    link = re.search(r"/join/[\w-]+", browser.get(where).content.decode())
    assert link
    bob.post(link.group(0))
    for old in (stale, ""):
        answer = browser.post("/me/close", {"password": PASSWORD, "read": old})
        assert answer.status_code == 422, "nobody closes on what has changed since they read it"
        assert "has changed" in answer.content.decode()
    page = answer.content.decode()
    assert "<bdi>Bob بوب</bdi>, who has administered it longest, becomes its owner" in page
    assert f"/organizations/{ids['Harbor Rowing']}/members" in page
    assert browser.post("/me/close", {"password": PASSWORD, "read": read(page)}).status_code == 302
    assert owner.execute("SELECT name FROM troth.organization").fetchall() == [("Harbor Rowing",)]
    left = owner.execute("SELECT role FROM troth.membership WHERE ended_at IS NULL AND subject <> %s", (alice,))
    assert left.fetchall() == [("owner",)]


def closing_while_bob_leaves(owner: Connection[Any], browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let Alice close her account on a page that says that Bob becomes the owner, who leaves just before it is closed."""
    from troth.people import organizing
    from troth.rights import actions

    browser.sign_up(owner, ALICE)
    bob = Browser()
    bob.sign_up(owner, BOB, "Bob")
    where = browser.post("/organizations", {"name": "Harbor Rowing"}).headers["Location"]
    browser.post(f"{where}/joining", {"action": "link", "role": "administrator", "joins": "1", "days": "1"})
    link = re.search(r"/join/[\w-]+", browser.get(f"{where}/joining").content.decode())
    assert link
    bob.post(link.group(0))
    bob.get("/me")
    token, organization = bob.cookies["__Host-viewer"].value, uuid.UUID(where.rpartition("/")[2])
    real = actions.close

    def late(account: Any, **told: Any) -> None:
        organizing.leave(token=token, organization=organization)
        real(account, **told)

    page = browser.get("/me/close").content.decode()
    assert "becomes its owner" in page
    monkeypatch.setattr("troth.rights.actions.close", late)
    return browser.post("/me/close", {"password": PASSWORD, "read": read(page)})


def test_what_changes_between_the_question_and_the_end_closes_nothing(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = closing_while_bob_leaves(owner, browser, monkeypatch)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "has changed" in page
    assert "You are alone in it: it is deleted." in page
    assert owner.execute("SELECT name FROM troth.organization").fetchall() == [("Harbor Rowing",)]
    monkeypatch.undo()
    assert browser.post("/me/close", {"password": PASSWORD, "read": read(page)}).headers["Location"] == "/closed"
    assert owner.execute("SELECT name FROM troth.organization").fetchall() == []


def test_without_the_last_look_something_else_would_end(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    owner.execute(
        "CREATE OR REPLACE FUNCTION troth.confirm_fates(whose uuid, told jsonb) RETURNS void LANGUAGE sql SECURITY DEFINER"
        " SET search_path = '' AS ''"
    )
    assert closing_while_bob_leaves(owner, browser, monkeypatch).headers["Location"] == "/closed"
    assert owner.execute("SELECT name FROM troth.organization").fetchall() == [], "though Bob was to own it"


def read(page: str) -> str:
    found = re.search(r'name="read" value="([0-9a-f]*)"', page)
    assert found
    return found.group(1)


def test_the_sessions_of_who_leaves_are_gone_and_only_theirs(browser: Browser, owner: Connection[Any]) -> None:
    from troth.people.actions import Account, end_sessions

    browser.sign_up(owner, ALICE)
    bob = Browser()
    bob.sign_up(owner, BOB, "Bob")
    Browser().sign_in(ALICE)
    assert end_sessions(Account.objects.get(email=ALICE)) == 2
    assert browser.get("/me").status_code == 303
    assert bob.get("/me").status_code == 200


def test_what_stays_is_marked_and_serves_only_who_may_still_use_it(browser: Browser, owner: Connection[Any]) -> None:
    from troth.database import connect

    alice = browser.sign_up(owner, ALICE)
    browser.post("/me/purposes/announce", {"kind": "consent"})
    with connect.acting("announce") as announce:
        assert announce.execute("SELECT email FROM person").fetchall() == [(ALICE,)]
    closed(browser)
    with connect.acting("announce") as announce:
        assert announce.execute("SELECT email FROM person").fetchall() == []
    rows = owner.execute("SELECT ended_at IS NOT NULL FROM troth.person WHERE subject = %s", (alice,)).fetchall()
    assert rows == [(True,)]


def test_what_stayed_goes_when_its_time_has_passed(browser: Browser, owner: Connection[Any]) -> None:
    from troth.database import connect

    browser.sign_up(owner, ALICE)
    closed(browser)
    for table in ("person", "agreement"):
        owner.execute(
            f"UPDATE troth.{table} SET at = at - interval '366 days', ended_at = ended_at - interval '366 days'".encode()
        )
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
    for table in ("person", "agreement"):
        assert owner.execute(f"SELECT count(*) FROM troth.{table}".encode()).fetchone() == (0,), table


def test_the_wrong_password_closes_nothing(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    assert browser.post("/me/close", {"password": "not this one at all"}).status_code == 422
    assert browser.get("/me").status_code == 200


def test_all_of_it_or_nothing(browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from troth.rights import actions

    browser.sign_up(owner, ALICE)
    monkeypatch.setattr(actions, "SQL", {"end_subject": "SELECT 1 / 0, %(subject)s, %(reason)s"})
    assert closed(browser).status_code == 500
    assert owner.execute("SELECT count(*) FROM troth.people_account").fetchone() == (1,)
    assert browser.get("/me").status_code == 200


def test_the_address_is_free_for_a_new_beginning(browser: Browser, owner: Connection[Any]) -> None:
    first = browser.sign_up(owner, ALICE)
    closed(browser)
    again = Browser()
    second = again.sign_up(owner, ALICE)
    assert first != second
    assert again.get("/me").status_code == 200


def test_somebody_a_new_version_reached_may_leave_without_agreeing(browser: Browser, owner: Connection[Any]) -> None:
    from psycopg.types.json import Jsonb

    browser.sign_up(owner, ALICE)
    again = Jsonb({"version": 2, "floor": True, "digest": "2" * 64})
    owner.execute(
        "INSERT INTO troth.policy_version SELECT (jsonb_populate_record(v, %s)).* FROM troth.policy_version v", (again,)
    )
    assert browser.agree("decline").headers["Location"] == "/declining"
    assert 'href="/me/close"' in browser.get("/declining").content.decode()
    assert closed(browser).headers["Location"] == "/closed"
    assert owner.execute("SELECT count(*) FROM troth.people_account").fetchone() == (0,)
