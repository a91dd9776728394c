"""Agreements and choices: bound to a version, bite at the next statement, seen by their person."""

import json
import uuid
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser

ALICE = "alice@harbor.example"
HARMLESS: dict[str, Any] = {"how": "test", "wording": "I agree.", "language": "en"}


def token(browser: Browser) -> str:
    browser.get("/me")
    return str(browser.cookies["__Host-viewer"].value)


def states(browser: Browser) -> dict[str, tuple[bool, bool]]:
    """Return purpose -> (on, switchable)."""
    from troth.consent.queries import purposes

    return {each.name: (each.on, each.switchable) for each in purposes(token(browser))}


def test_purposes_begin_as_their_basis_says(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    assert states(browser) == {
        "provide": (True, False), "protect": (True, True), "understand": (True, True),
        "personalise": (False, True), "announce": (False, True),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("purpose", "off", "on"),
    [
        ("understand", "objection", "permission"),
        ("protect", "objection", "permission"),
        ("announce", "withdrawal", "consent"),
    ],
)
def test_a_switch_turns_a_purpose_off_and_on(
    browser: Browser, owner: Connection[Any], purpose: str, off: str, on: str
) -> None:
    browser.sign_up(owner, ALICE)
    for kind, wanted in ((off, False), (on, True), (off, False)):
        assert browser.choose(purpose, kind).status_code == 302
        assert states(browser)[purpose] == (wanted, True)


@pytest.mark.parametrize(
    ("purpose", "kind"),
    [("provide", "objection"), ("provide", "withdrawal"), ("announce", "objection"), ("understand", "consent"),
     ("understand", ""), ("understand", "x'; DROP TABLE troth.choice; --"), ("no-such-purpose", "consent")],
)  # fmt: skip
def test_a_choice_that_the_basis_does_not_know_changes_nothing(
    browser: Browser, owner: Connection[Any], purpose: str, kind: str
) -> None:
    browser.sign_up(owner, ALICE)
    before = states(browser)
    assert browser.post(f"/me/purposes/{purpose}", {"kind": kind}).status_code == 302
    assert states(browser) == before
    assert owner.execute("SELECT count(*) FROM troth.choice").fetchone() == (0,)


def test_each_choice_is_in_the_ledger_once(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    browser.post("/me/purposes/understand", {"kind": "objection"})
    query = "SELECT count(*) FROM troth.ledger_entry WHERE action = 'objection'"
    assert owner.execute(query).fetchone() == (1,)


def test_the_page_lists_the_newest_and_leads_to_all(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.web.views import me

    monkeypatch.setattr(me, "LISTED", 2)
    browser.sign_up(owner, ALICE)
    for kind in ("consent", "withdrawal", "consent"):
        browser.choose("announce", kind)
    page = browser.get("/me").content.decode()
    assert page.count("/me/receipts/choice/") == 2
    assert "These are your 2 newest choices." in page
    assert len(json.loads(browser.get("/me/receipts").content)) == 4, "three choices and the agreement"


def test_choosing_without_a_viewer_is_refused(browser: Browser, owner: Connection[Any]) -> None:
    from troth.consent.actions import choose
    from troth.consent.errors import NotSignedIn

    browser.sign_up(owner, ALICE)
    with pytest.raises(NotSignedIn):
        choose(token="guessed", purpose="understand", kind="objection")


def test_an_agreement_to_another_version_or_text_is_refused(browser: Browser, owner: Connection[Any]) -> None:
    from troth.consent.actions import agree
    from troth.consent.errors import OutdatedAgreement
    from troth.database import published

    browser.begin(ALICE)
    row = owner.execute("SELECT subject FROM troth.people_account").fetchone()
    assert row is not None
    now = published.current()
    right: dict[str, Any] = {"version": now.version, "policy": now.digest, "terms": now.terms_digest}
    for wrong in ({"version": now.version + 1}, {"version": 0}, {"policy": "0" * 64}, {"terms": "0" * 64}):
        with pytest.raises(OutdatedAgreement):
            agree(row[0], **(right | wrong | HARMLESS))
    assert owner.execute("SELECT count(*) FROM troth.agreement").fetchone() == (0,)
    agree(row[0], **(right | HARMLESS))
    assert owner.execute("SELECT version FROM troth.agreement").fetchall() == [(now.version,)]


def test_nobody_agrees_for_a_subject_that_is_not_there(browser: Browser, owner: Connection[Any]) -> None:
    from django.db import DatabaseError

    from troth.consent.actions import agree
    from troth.database import published

    now = published.current()
    with pytest.raises(DatabaseError):
        agree(uuid.uuid4(), version=now.version, policy=now.digest, terms=now.terms_digest, **HARMLESS)


def test_the_page_counts_what_each_purpose_reads(browser: Browser, owner: Connection[Any]) -> None:
    from troth.consent.queries import purposes

    browser.sign_up(owner, ALICE)
    counts = {each.name: each.rows for each in purposes(token(browser))}
    assert counts["announce"] == 0  # off: it reads nothing
    assert counts["provide"] >= 2  # the person and the agreement
    browser.post("/me/purposes/announce", {"kind": "consent"})
    assert {each.name: each.rows for each in purposes(token(browser))}["announce"] == 1


def test_alice_sees_her_agreements_and_choices_and_not_bobs(browser: Browser, owner: Connection[Any]) -> None:
    from troth.consent import queries

    browser.sign_up(owner, ALICE)
    bob = Browser()
    bob.sign_up(owner, "bob@harbor.example", "Bob")
    bob.post("/me/purposes/announce", {"kind": "consent"})
    assert [each.version for each in queries.agreements(token(browser))] == [1]
    assert queries.choices(token(browser)) == []
    assert [each.kind for each in queries.choices(token(bob))] == ["consent"]


def test_every_purpose_stands_on_the_page_with_its_sentence(browser: Browser, owner: Connection[Any]) -> None:
    from django.utils.html import escape

    from troth.consent.queries import purposes

    browser.sign_up(owner, ALICE)
    page = browser.get("/me").content.decode()
    for each in purposes(token(browser)):
        assert escape(each.sentence) in page
        assert f"#{each.clause}" in page
