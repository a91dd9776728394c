"""P15, hardening 16: "remember me" is a random token that changes at each use, never a password; a copy ends it all."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import PASSWORD, Browser, mails
from tests.web.second import SECOND, add_app, app_code, fresh

ALICE, COOKIE = "alice@harbor.example", "__Host-remembered"


def remembered(email: str = ALICE) -> Browser:
    someone = Browser()
    answer = someone.post("/sign-in", {"login": email, "password": PASSWORD, "remember": "on"})
    assert answer.headers["Location"] == "/me"
    return someone


def later(token: str) -> Browser:
    """Return the same browser after it was closed: only what is persistent is left."""
    again = Browser()
    again.cookies[COOKIE] = token
    return again


def held(browser: Browser) -> str:
    return browser.cookies[COOKIE].value if COOKIE in browser.cookies else ""


def past_grace(owner: Connection[Any]) -> None:
    owner.execute("UPDATE troth.remembered SET turned_at = turned_at - interval '1 minute'")


@pytest.fixture(autouse=True)
def alice(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)


def test_who_does_not_ask_is_not_remembered(owner: Connection[Any]) -> None:
    someone = Browser()
    someone.sign_in(ALICE)
    assert held(someone) == ""
    assert owner.execute("SELECT count(*) FROM troth.remembered").fetchone() == (0,)


@pytest.mark.asvs("7.2.2")
def test_only_a_digest_is_stored_and_the_cookie_is_what_the_policy_declares(owner: Connection[Any]) -> None:
    someone = remembered()
    family, _, secret = held(someone).partition(".")
    row = owner.execute("SELECT family, digest FROM troth.remembered").fetchone()
    assert row is not None
    assert (row[0].hex, bytes(row[1])) == (family, sha256(secret.encode()).digest())
    assert len(secret) >= 43
    assert PASSWORD not in held(someone)
    cookie = someone.cookies[COOKIE]
    assert cookie["max-age"] == 30 * 86_400
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, True, "Lax", "/")
    assert not cookie["domain"]


def test_a_remembered_browser_comes_back_and_gets_another_token(owner: Connection[Any]) -> None:
    token = held(remembered())
    again = later(token)
    answer = again.get("/me/accesses?day=2026-01-01")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/me/accesses?day=2026-01-01"
    assert held(again) not in ("", token)
    assert again.get("/me").status_code == 200
    assert later(held(again)).get("/me").status_code == 302


def test_a_token_that_was_replaced_ends_the_family_and_every_session(owner: Connection[Any]) -> None:
    stolen = held(remembered())
    thief = later(stolen)
    thief.get("/me")
    assert thief.get("/me").status_code == 200
    past_grace(owner)
    victim = later(stolen)
    assert victim.get("/me").status_code == 303
    assert held(victim) == ""
    assert thief.get("/me").status_code == 303
    assert later(held(thief)).get("/me").status_code == 303
    assert owner.execute("SELECT count(*) FROM troth.remembered").fetchone() == (0,)
    assert mails(owner, ALICE)[0]["subject"] == "You were signed out everywhere"
    query = "SELECT count(*) FROM troth.ledger_entry WHERE action = 'browser-token-replayed'"
    assert owner.execute(query).fetchone() == (1,)


def test_without_the_detection_the_thief_would_go_on(owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control taken away."""
    from troth.people import remembering

    stolen = held(remembered())
    thief = later(stolen)
    thief.get("/me")
    past_grace(owner)
    monkeypatch.setattr(remembering, "_stolen", lambda *_: None)
    later(stolen).get("/me")
    assert thief.get("/me").status_code == 200


def test_another_request_of_the_same_moment_ends_nothing_and_lets_nobody_in(owner: Connection[Any]) -> None:
    token = held(remembered())
    first, second = later(token), later(token)
    first.get("/me")
    assert second.get("/me").status_code == 303
    assert first.get("/me").status_code == 200
    assert later(held(first)).get("/me").status_code == 302


@pytest.mark.parametrize("token", ["", "x", ".", "00000000000000000000000000000000.x", "é" * 40, "a" * 5000, "{}.{}"])
def test_nonsense_is_no_token(token: str) -> None:
    assert later(token).get("/me").status_code == 303


def test_signing_out_and_a_new_password_forget_the_browser(browser: Browser, owner: Connection[Any]) -> None:
    someone = remembered()
    token = held(someone)
    someone.post("/sign-out")
    assert held(someone) == ""
    assert later(token).get("/me").status_code == 303
    token = held(remembered())
    other = "a completely different sentence"
    browser.post("/password", {"oldpassword": PASSWORD, "password1": other, "password2": other})
    assert later(token).get("/me").status_code == 303
    assert owner.execute("SELECT count(*) FROM troth.remembered").fetchone() == (0,)


def test_the_person_sees_and_forgets_them(browser: Browser, owner: Connection[Any]) -> None:
    token = held(remembered())
    assert "last came back" in browser.get("/me/security").content.decode()
    assert browser.post("/me/security/forget").status_code == 302
    assert "No browser is remembered" in browser.get("/me/security").content.decode()
    assert later(token).get("/me").status_code == 303


def test_nobody_sees_anothers(browser: Browser, owner: Connection[Any]) -> None:
    remembered()
    bob = Browser()
    bob.sign_up(owner, "bob@harbor.example", "Bob")
    assert "last came back" not in bob.get("/me/security").content.decode()
    bob.post("/me/security/forget")
    assert owner.execute("SELECT count(*) FROM troth.remembered").fetchone() == (1,)


def test_a_remembered_browser_is_asked_for_the_second_step_even_when_trusted(
    browser: Browser, owner: Connection[Any]
) -> None:
    secret = add_app(browser)
    fresh()
    someone = Browser()
    someone.post("/sign-in", {"login": ALICE, "password": PASSWORD, "remember": "on"})
    assert held(someone) == ""  # nobody is remembered for a password alone
    someone.post(SECOND, {"code": app_code(secret)})
    someone.post("/sign-in/trust", {"action": "trust"})
    again = later(held(someone))
    again.cookies["__Host-trusted"] = someone.cookies["__Host-trusted"].value
    assert again.get("/me").headers["Location"] == SECOND
    assert again.get("/me").status_code == 303
    fresh()
    assert again.post(SECOND, {"code": app_code(secret)}).headers["Location"] == "/me"


def test_being_remembered_confirms_nothing(owner: Connection[Any]) -> None:
    again = later(held(remembered()))
    again.get("/me")
    assert again.get("/me/security/app").headers["Location"].startswith("/password/confirm")


def test_a_remembered_browser_passes_by_no_agreement(owner: Connection[Any]) -> None:
    from tests.web.test_second_factor import ask_again

    token = held(remembered())
    ask_again(owner)
    again = later(token)
    assert again.get("/me").headers["Location"] == "/agree"
    assert again.get("/me").status_code == 303
    assert again.agree().headers["Location"] == "/me"


def test_without_the_declaration_nobody_is_asked_or_remembered(
    owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.database import published

    token = held(remembered())
    now = published.current()
    fewer = tuple(each for each in now.policy.stored if each.key != COOKIE)
    monkeypatch.setattr(published, "current", lambda: replace(now, policy=replace(now.policy, stored=fewer)))
    assert 'name="remember"' not in Browser().get("/sign-in").content.decode()
    assert held(remembered()) == ""
    assert later(token).get("/me").status_code == 303


def test_closing_the_account_forgets_it_all(owner: Connection[Any]) -> None:
    someone = remembered()
    assert someone.post("/me/close", {"password": PASSWORD}).headers["Location"] == "/closed"
    assert owner.execute("SELECT count(*) FROM troth.remembered").fetchone() == (0,)


def test_what_ran_out_opens_nothing_and_goes(owner: Connection[Any]) -> None:
    from troth.people import remembering

    token = held(remembered())
    owner.execute("UPDATE troth.remembered SET until = statement_timestamp() - interval '1 second'")
    assert later(token).get("/me").status_code == 303
    assert remembering.forget_outlasted() == 1


def test_coming_back_as_oneself_does_not_hide_a_new_browser_from_another(
    browser: Browser, owner: Connection[Any]
) -> None:
    """Mallory comes back to the second step of her own account, turns aside, and signs in as Alice."""
    mallory = Browser()
    mallory.sign_up(owner, "mallory@harbor.example", "Mallory")
    secret = add_app(mallory)
    fresh()
    mallory.post("/sign-out")
    mallory.post("/sign-in", {"login": "mallory@harbor.example", "password": PASSWORD, "remember": "on"})
    mallory.post(SECOND, {"code": app_code(secret)})
    mallory.post("/sign-in/trust")
    again = later(held(mallory))
    assert again.get("/me").headers["Location"] == SECOND
    again.post("/sign-up/instead")
    before = len(mails(owner, ALICE))
    assert again.sign_in(ALICE).headers["Location"] == "/me"
    assert len(mails(owner, ALICE)) == before + 1
    assert mails(owner, ALICE)[0]["subject"] == "A new browser signed in"
