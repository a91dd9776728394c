"""What an application is told is decided at the moment it asks: by the policy, by the person, by the agreement."""

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.conftest import POLICY, TERMS
from tests.provider.asking import MANIFEST, Notes, brought, inside
from troth.database import apply, connect, published

ALICE = "alice@harbor.example"
#: The name for a purpose that people may object to, or that needs their yes.
ANNOUNCING = MANIFEST.replace('purposes = ["provide"]', 'purposes = ["provide", "announce"]').replace(
    'email = { category = "person.email", purpose = "provide" }',
    'email = { category = "person.email", purpose = "announce" }',
)


@pytest.fixture
def alice(browser: Browser, owner: Connection[Any]) -> Browser:
    browser.sign_up(owner, ALICE)
    return browser


def version(owner: Connection[Any], number: int, *changes: tuple[str, str]) -> None:
    """Put another version of the policy into force."""
    text = POLICY.read_text(encoding="utf-8").replace(" version 1 ", f" version {number} ")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    apply.apply(owner, text, TERMS)
    published.forget()


def test_a_claim_for_a_purpose_one_is_not_in_is_absent_until_one_is_and_after(
    register: Callable[..., Notes], alice: Browser
) -> None:
    notes = register(ANNOUNCING)
    tokens = notes.tokens(alice)
    assert set(notes.told(tokens["access_token"]).json()) == {"sub", "name"}, "announcing needs a yes"
    assert "email" not in inside(tokens["id_token"])
    assert notes.active(tokens["access_token"])["purposes"] == ["provide"]
    alice.choose("announce", "consent")
    assert notes.told(tokens["access_token"]).json()["email"] == ALICE
    assert notes.active(tokens["access_token"])["purposes"] == ["announce", "provide"]
    alice.choose("announce", "withdrawal")
    assert set(notes.told(tokens["access_token"]).json()) == {"sub", "name"}
    again = notes.refresh(tokens["refresh_token"]).json()
    assert "email" not in inside(again["id_token"]), "what was true at sign-in counts for nothing"
    assert notes.active(again["access_token"])["purposes"] == ["provide"]


def test_without_the_row_rule_a_withdrawn_claim_would_be_told(
    register: Callable[..., Notes], alice: Browser, owner: Connection[Any]
) -> None:
    """The control taken away: it is the database that withholds."""
    notes = register(ANNOUNCING)
    tokens = notes.tokens(alice)
    owner.execute("ALTER TABLE troth.person NO FORCE ROW LEVEL SECURITY")
    owner.execute("ALTER TABLE troth.person DISABLE ROW LEVEL SECURITY")
    assert notes.told(tokens["access_token"]).json()["email"] == ALICE


def test_a_version_that_takes_a_use_away_takes_the_claim_away(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    tokens = notes.tokens(alice)
    assert "name" in notes.told(tokens["access_token"]).json()
    version(
        owner,
        2,
        (
            "collect person.name, person.email on sign-up [P5]\n    for provide while the account exists then 30 days\n",
            "collect person.email on sign-up [P5]\n    for provide while the account exists then 30 days\n"
            "    for announce while consented\ncollect person.name on sign-up [P5]\n",
        ),
    )
    assert set(notes.told(tokens["access_token"]).json()) == {"sub", "email", "email_verified"}


def test_even_between_a_version_and_the_page_that_still_reads_the_old_one(
    notes: Notes, alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = notes.tokens(alice)
    before = published.current()
    owner.execute("REVOKE ALL ON troth.person FROM troth_provide")
    owner.execute("REVOKE SELECT (subject, email, name) ON troth.person FROM troth_provide")
    monkeypatch.setattr(published, "current", lambda *_: before)
    assert set(notes.told(tokens["access_token"]).json()) == {"sub"}


def test_who_has_not_agreed_gets_no_code_no_refresh_and_no_answer(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    tokens, code = notes.tokens(alice), notes.code(alice)
    owner.execute("UPDATE troth.policy_version SET floor = true")
    version(owner, 2, ("for understand 30 days as network\ncollect", "for understand 60 days as network\ncollect"))
    owner.execute("UPDATE troth.policy_version SET floor = true WHERE version = 2")
    assert notes.told(tokens["access_token"]).status_code == 401
    assert notes.active(tokens["access_token"]) == {"active": False}
    assert notes.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert notes.redeem(code).json()["error"] == "invalid_grant"
    assert brought(alice.get(notes.question(prompt="none")))["error"] == "login_required"
    sent = alice.get(notes.question())
    assert sent.headers["Location"] == "/agree"
    assert alice.agree().headers["Location"] == notes.question(), "and back to where they were going"
    assert notes.told(tokens["access_token"]).status_code == 200
    assert notes.refresh(tokens["refresh_token"]).status_code == 200


def test_without_the_agreement_in_the_standing_tokens_would_go_on(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    """The control taken away."""
    tokens = notes.tokens(alice)
    owner.execute("UPDATE troth.policy_version SET floor = true")
    owner.execute("UPDATE troth.agreement SET version = 1")
    body = owner.execute("SELECT pg_get_functiondef('troth.application_standing'::regproc)").fetchone()
    assert body is not None
    version(owner, 2)
    owner.execute("UPDATE troth.policy_version SET floor = true WHERE version = 2")
    assert notes.told(tokens["access_token"]).status_code == 401
    owner.execute(body[0].replace(" AND standing.agreed", "").encode())
    assert notes.told(tokens["access_token"]).status_code == 200


@pytest.mark.asvs("10.4.9", "10.7.3")
def test_ending_it_ends_every_token_at_once(notes: Notes, register: Callable[..., Notes], alice: Browser) -> None:
    other = register()
    tokens, code, kept = notes.tokens(alice), notes.code(alice), other.tokens(alice)
    alice.post(f"/me/applications/{notes.id}/end")
    assert notes.told(tokens["access_token"]).status_code == 401
    assert notes.refresh(tokens["refresh_token"]).status_code == 400
    assert notes.redeem(code).status_code == 400
    assert other.told(kept["access_token"]).status_code == 200
    assert alice.get(notes.question()).status_code == 200, "it has to ask again"
    page = alice.get("/me/permissions?kind=applications").content.decode()
    assert "Before" in page


def test_a_person_ends_only_their_own(notes: Notes, alice: Browser, owner: Connection[Any]) -> None:
    tokens, bob = notes.tokens(alice), Browser()
    bob.sign_up(owner, "bob@harbor.example", "Bob")
    bob.post(f"/me/applications/{notes.id}/end")
    assert notes.told(tokens["access_token"]).status_code == 200
    assert "Harbor Notes" not in bob.get("/me/permissions?kind=applications").content.decode()
    with connect.acting("self", token="nobody's") as connection:
        assert connection.execute("SELECT count(*) FROM troth.application_grant").fetchone() == (0,)


def test_an_account_that_ends_takes_its_tokens_and_answers_along(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    tokens = notes.tokens(alice)
    notes.refresh(tokens["refresh_token"])
    notes.code(alice)
    alice.post("/me/close", {"password": "seven herons over a grey quay"})
    assert notes.told(tokens["access_token"]).status_code == 401
    for table in ("application_grant", "application_code", "application_spent", "allauth_idp_oidc_token"):
        assert owner.execute(f"SELECT count(*) FROM troth.{table}".encode()).fetchone() == (0,), table


@pytest.mark.asvs("10.7.2")
def test_the_page_says_what_an_application_is_told(register: Callable[..., Notes], alice: Browser) -> None:
    notes = register(ANNOUNCING)
    assert "You sign in to no application" in alice.get("/me/permissions?kind=applications").content.decode()
    notes.tokens(alice)
    page = alice.get("/me/permissions?kind=applications").content.decode()
    assert "Harbor Notes" in page
    assert "Alice Okafor" in page
    assert "not told: you or the policy withhold it" in page
    assert "Last used" in page
    spanish = alice.get("/me/permissions?kind=applications", headers={"Accept-Language": "es"}).content.decode()
    assert "Tus permisos" in spanish


def test_an_application_that_was_removed_is_told_nothing(notes: Notes, alice: Browser, owner: Connection[Any]) -> None:
    from troth.people import registering

    tokens = notes.tokens(alice)
    registering.remove(owner, {"application": notes.id})
    assert notes.told(tokens["access_token"]).status_code == 401
    assert alice.get(notes.question()).status_code == 400
    assert "Harbor Notes" in alice.get("/me/permissions?kind=applications").content.decode(), "the history stays"
