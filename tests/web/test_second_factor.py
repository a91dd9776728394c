"""NIST SP 800-63B-4 at AAL2: what stands beside the password cannot be passed by, guessed, replayed or read back."""

import json
import re
from typing import Any

import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from tests.browsing import PASSWORD, Browser, code, mails
from tests.web.second import APP, SECOND, add_app, app_code, confirm, fresh, hire, recovery_codes

ALICE = "alice@harbor.example"


@pytest.fixture
def secret(browser: Browser, owner: Connection[Any]) -> str:
    """Alice has an app; `browser` is the one she added it with."""
    browser.sign_up(owner, ALICE)
    return add_app(browser)


@pytest.mark.asvs("6.3.3")
def test_a_password_alone_opens_nothing_any_more(browser: Browser, owner: Connection[Any], secret: str) -> None:
    fresh()
    thief = Browser()
    assert thief.sign_in(ALICE).headers["Location"] == SECOND
    for path in ("/me", "/me/security", "/agree", "/password", "/me/close"):
        assert thief.get(path).headers["Location"].startswith("/sign-in")
    assert thief.post(SECOND, {"code": "000000"}).status_code == 200
    assert thief.get("/me").status_code == 303
    assert thief.post(SECOND, {"code": app_code(secret)}).headers["Location"] == "/sign-in/trust"
    assert thief.get("/me").status_code == 303  # not before the last question is answered
    assert thief.post("/sign-in/trust").headers["Location"] == "/me"
    assert thief.get("/me").status_code == 200


def test_without_the_stage_it_would_open(browser: Browser, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control taken away."""
    from troth.web.stages import SecondFactorStage

    monkeypatch.setattr(SecondFactorStage, "_should_handle", lambda *_: False)
    assert Browser().sign_in(ALICE).headers["Location"] == "/me"


@pytest.mark.asvs("6.5.1")
def test_a_code_works_once(browser: Browser, secret: str) -> None:
    fresh()
    shown = app_code(secret)
    for number in range(2):
        someone = Browser()
        someone.sign_in(ALICE)
        assert someone.post(SECOND, {"code": shown}).status_code == (302, 200)[number]


@pytest.mark.asvs("6.5.1")
def test_a_recovery_code_works_once_and_is_shown_once(browser: Browser, secret: str) -> None:
    codes = recovery_codes(browser)
    assert len(codes) == 10
    assert all(len(each) == 10 for each in codes)
    assert recovery_codes(browser) == []
    for number in range(2):
        someone = Browser()
        someone.sign_in(ALICE)
        assert someone.post(SECOND, {"code": codes[0]}).status_code == (302, 200)[number]


@pytest.mark.asvs("11.3.2", "11.3.3")
def test_what_they_are_made_from_is_encrypted_in_the_tables(
    browser: Browser, owner: Connection[Any], secret: str
) -> None:
    held = json.dumps(owner.execute("SELECT data FROM troth.mfa_authenticator").fetchall())
    assert "secret" in held
    assert secret not in held
    for each in recovery_codes(browser):
        assert each not in held


def key_shown(browser: Browser) -> str:
    found = re.search(r'class="key">(\w+)<', browser.get(APP).content.decode())
    assert found
    return found.group(1)


def session_of(browser: Browser) -> dict[str, Any]:
    from troth.people.sessionstore import SessionStore

    return dict(SessionStore(browser.cookies["__Host-session"].value).items())


def test_the_key_stays_the_same_until_an_app_has_proven_it(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    confirm(browser)
    first = key_shown(browser)
    browser.get("/me/security")
    assert key_shown(browser) == first
    wrong = browser.post(APP, {"code": "000000"}).content.decode()
    assert "This did not work" in wrong
    assert first in wrong
    assert browser.post(APP, {"code": app_code(first)}).headers["Location"] == "/me/security/codes"
    assert "mfa.totp.secret" not in session_of(browser)
    fresh()
    browser.post("/me/security/app/remove", {"password": PASSWORD})
    assert key_shown(browser) != first, "one that was proven is never shown again"


def test_the_key_is_that_sessions_alone_and_ends_with_it(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    confirm(browser)
    first, other = key_shown(browser), Browser()
    other.sign_in(ALICE)
    confirm(other)
    assert key_shown(other) != first
    assert key_shown(browser) == first
    browser.post("/sign-out")
    browser.sign_in(ALICE)
    confirm(browser)
    assert key_shown(browser) != first


def test_a_key_that_is_too_old_is_replaced_and_whoever_scanned_it_is_told(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.sign_up(owner, ALICE)
    confirm(browser)
    first = key_shown(browser)
    with monkeypatch.context() as later:
        later.setattr("troth.web.second.SAME", -1)
        late = browser.post(APP, {"code": app_code(first)}).content.decode()
    assert "The key that you scanned is too old" in late
    assert first not in late
    assert owner.execute("SELECT count(*) FROM troth.mfa_authenticator").fetchone() == (0,)
    second = key_shown(browser)
    assert second in late, "the one that the answer shows is the next one"
    assert browser.post(APP, {"code": app_code(second)}).headers["Location"] == "/me/security/codes"


@pytest.mark.asvs("11.3.2", "11.3.3")
def test_a_key_that_no_app_has_proven_is_encrypted_in_the_session(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    confirm(browser)
    for key in (key_shown(browser), key_shown(browser)):
        held = session_of(browser)
        assert "mfa.totp.secret" in held
        assert key not in json.dumps(held)


@pytest.mark.asvs("6.3.4")
def test_whoever_gets_a_code_by_mail_needs_the_app_too(browser: Browser, owner: Connection[Any], secret: str) -> None:
    fresh()
    someone = Browser()
    someone.post("/sign-in/code", {"email": ALICE})
    assert someone.post("/sign-in/code/enter", {"code": code(owner, ALICE)}).headers["Location"] == SECOND
    assert someone.get("/me").status_code == 303


@pytest.mark.asvs("6.4.3")
def test_a_new_password_does_not_take_the_app_away(browser: Browser, owner: Connection[Any], secret: str) -> None:
    thief = Browser()
    thief.post("/password/forgotten", {"email": ALICE})
    thief.post("/password/forgotten/code", {"code": code(owner, ALICE)})
    other = "a completely different sentence"
    assert thief.post("/password/forgotten/new", {"password1": other, "password2": other}).status_code == 302
    assert thief.sign_in(ALICE, other).headers["Location"] == SECOND


def ask_again(owner: Connection[Any]) -> None:
    from troth.database import published

    query = "INSERT INTO troth.policy_version SELECT (jsonb_populate_record(v, %s)).* FROM troth.policy_version v"
    owner.execute(query, (Jsonb({"version": 2, "floor": True, "digest": "2" * 64}),))
    published.forget()


def test_a_password_alone_neither_agrees_nor_declines_for_anybody(
    browser: Browser, owner: Connection[Any], secret: str
) -> None:
    fresh()
    ask_again(owner)
    someone = Browser()
    assert someone.sign_in(ALICE).headers["Location"] == SECOND
    assert someone.get("/agree").headers["Location"].startswith("/sign-in")
    assert someone.post(SECOND, {"code": app_code(secret)}).headers["Location"] == "/sign-in/trust"
    assert someone.post("/sign-in/trust").headers["Location"] == "/agree"
    assert someone.get("/me").status_code == 303
    assert someone.agree().headers["Location"] == "/me"


@pytest.mark.parametrize("where", ["at the second factor", "at the agreement"])
def test_signing_out_everywhere_else_ends_ways_in_that_are_half_gone(
    browser: Browser, owner: Connection[Any], secret: str, where: str
) -> None:
    fresh()
    thief = Browser()
    if where == "at the agreement":
        ask_again(owner)
    assert thief.sign_in(ALICE).headers["Location"] == SECOND
    if where == "at the agreement":
        assert thief.post(SECOND, {"code": app_code(secret)}).headers["Location"] == "/sign-in/trust"
        assert thief.post("/sign-in/trust").headers["Location"] == "/agree"
    answer = browser.post("/me/devices/sessions/end")
    assert answer.headers["Location"] == "/me/devices"
    fresh()
    if where == "at the agreement":
        thief.agree()
    else:
        thief.post(SECOND, {"code": app_code(secret)})
    for path in ("/me", "/agree", SECOND, "/sign-in/trust", "/me/devices"):
        found = thief.get(path)
        assert found.status_code != 200 or "Sign out" not in found.content.decode(), path
    assert thief.post("/sign-in/trust").headers.get("Location", "") != "/me"
    assert thief.get("/me").status_code == 303
    assert browser.get("/me/devices").status_code == 200, "who pressed it stays"


def test_without_the_late_question_the_agreement_would_be_passed_by(
    browser: Browser, owner: Connection[Any], secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away: the gate behind it still holds."""
    from troth.web.stages import LateAgreementStage

    fresh()
    ask_again(owner)
    monkeypatch.setattr(LateAgreementStage, "handle", lambda _: (None, True))
    someone = Browser()
    someone.sign_in(ALICE)
    someone.post(SECOND, {"code": app_code(secret)})
    assert someone.post("/sign-in/trust").headers["Location"] == "/me"
    assert someone.get("/me").headers["Location"] == "/agree"


@pytest.mark.asvs("6.3.1")
def test_guessing_codes_is_stopped(browser: Browser, secret: str, settings: Any) -> None:
    fresh()
    settings.ACCOUNT_RATE_LIMITS = settings.LIMITS
    pages = []
    for number in range(25):
        thief = Browser()
        thief.post("/sign-in", {"login": ALICE, "password": PASSWORD}, REMOTE_ADDR=f"192.0.2.{number}")
        pages.append(thief.post(SECOND, {"code": "000000"}, REMOTE_ADDR=f"192.0.2.{number}").content.decode())
    assert [("Too many tries" in page) for page in pages] == [False] * 20 + [True] * 5
    assert browser.get("/me").status_code == 200


@pytest.mark.asvs("7.5.1")
def test_what_decides_who_gets_in_is_changed_only_after_confirming(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    for path in ("/me/security/app", "/me/security/addresses", "/me/security/passkeys/add"):
        assert browser.get(path).headers["Location"].startswith("/password/confirm?next=")
    assert browser.post("/me/security/addresses", {"email": "new@harbor.example", "action_add": ""}).status_code == 302
    assert mails(owner, "new@harbor.example") == []
    assert confirm(browser, "not the right password").status_code == 200
    assert browser.get("/me/security/app").status_code == 302
    confirm(browser)
    assert browser.get("/me/security/app").status_code == 200


def test_every_change_is_told_by_mail_and_stands_in_the_ledger(
    browser: Browser, owner: Connection[Any], secret: str
) -> None:
    assert mails(owner, ALICE)[0]["subject"] == "An app was added"
    assert browser.post("/me/security/codes/new").headers["Location"] == "/me/security/codes"
    assert mails(owner, ALICE)[0]["subject"] == "New recovery codes"
    assert browser.post("/me/security/app/remove", {"password": PASSWORD}).headers["Location"] == "/me/security"
    assert mails(owner, ALICE)[0]["subject"] == "An app was removed"
    query = "SELECT count(*) FROM troth.ledger_entry WHERE action = 'second-factor-changed'"
    assert owner.execute(query).fetchone() == (5,)  # app and codes came, codes changed, app and codes went


@pytest.mark.asvs("6.2.1")
def test_a_short_password_is_enough_beside_the_app_and_not_alone(browser: Browser, owner: Connection[Any]) -> None:
    short = "gravel72"
    told = {"oldpassword": PASSWORD, "password1": short, "password2": short}
    browser.sign_up(owner, ALICE)
    assert "at least 15" in browser.post("/password", told).content.decode()
    add_app(browser)
    assert (
        "at least 8"
        in browser.post("/password", told | {"password1": "gravel7", "password2": "gravel7"}).content.decode()
    )
    assert browser.post("/password", told).status_code == 302
    refused = browser.post("/me/security/app/remove", {"password": short})
    assert "fewer than 15 characters" in refused.content.decode()
    assert "not your password" in browser.post("/me/security/app/remove", {"password": PASSWORD}).content.decode()
    assert owner.execute("SELECT count(*) FROM troth.mfa_authenticator WHERE type = 'totp'").fetchone() == (1,)


def trusting(secret: str) -> Browser:
    fresh()
    someone = Browser()
    someone.sign_in(ALICE)
    someone.post(SECOND, {"code": app_code(secret)})
    answer = someone.post("/sign-in/trust", {"action": "trust"})
    assert answer.headers["Location"] == "/me"
    return someone


def test_a_trusted_browser_is_not_asked_until_something_changes(
    browser: Browser, owner: Connection[Any], secret: str
) -> None:
    someone = trusting(secret)
    kept = someone.cookies["__Host-trusted"]
    assert kept["max-age"] == 14 * 86_400
    assert all(kept[each] for each in ("secure", "httponly", "samesite"))
    someone.post("/sign-out")
    assert someone.sign_in(ALICE).headers["Location"] == "/me"
    someone.post("/sign-out")
    other = "a completely different sentence"
    browser.post("/password", {"oldpassword": PASSWORD, "password1": other, "password2": other})
    assert someone.sign_in(ALICE, other).headers["Location"] == SECOND


WAYS_IN = {
    "/password": {"oldpassword": PASSWORD, "password1": "a completely different sentence", "password2": "a completely different sentence"},
    "/me/security/addresses": {"email": "new@harbor.example", "action_add": ""},
    "/me/security/passkeys/add": {"name": "Mallory's", "credential": "{}"},
    "/me/security/codes/new": {},
    "/me/security/codes": {},
    "/me/security/app/remove": {"password": PASSWORD},
}  # fmt: skip


def bare(owner: Connection[Any], secret: str) -> Browser:
    """Return a trusted browser whose password was confirmed just now, and nothing else shown."""
    fresh()
    someone = trusting(secret)
    someone.post("/sign-out")
    fresh()
    assert someone.sign_in(ALICE).headers["Location"] == "/me"
    assert confirm(someone).status_code == 302
    someone.get("/me")
    assert level(owner, someone) == 1
    return someone


@pytest.mark.asvs("7.5.1")
def test_a_trusted_browser_changes_no_way_in_with_the_password_alone(
    browser: Browser, owner: Connection[Any], secret: str
) -> None:
    someone = bare(owner, secret)
    held = "SELECT (SELECT array_agg(data::text ORDER BY id) FROM troth.mfa_authenticator), (SELECT array_agg(password) FROM troth.people_account)"
    before = owner.execute(held).fetchone()
    for path, form in WAYS_IN.items():
        asked = f"/password/confirm/code?next={path}"
        assert someone.get(path).headers["Location"] == someone.post(path, form).headers["Location"] == asked, path
    assert owner.execute(held).fetchone() == before
    assert mails(owner, "new@harbor.example") == []
    answer = someone.post("/password/confirm/code", {"code": app_code(secret), "next": "/me/security/passkeys/add"})
    assert answer.headers["Location"] == "/me/security/passkeys/add"
    assert someone.get("/me/security/passkeys/add").status_code == 200
    assert someone.post("/me/security/addresses", WAYS_IN["/me/security/addresses"]).status_code == 302
    assert len(mails(owner, "new@harbor.example")) == 1


def test_without_the_gates_question_the_password_would_be_enough(
    browser: Browser, owner: Connection[Any], secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    monkeypatch.setattr("troth.web.gate.WAYS_IN", frozenset())
    someone = bare(owner, secret)
    assert someone.get("/me/security/passkeys/add").status_code == 200
    assert someone.post("/me/security/app/remove", {"password": PASSWORD}).headers["Location"] == "/me/security"
    assert owner.execute("SELECT count(*) FROM troth.mfa_authenticator").fetchone() == (0,)


def test_every_page_that_changes_a_way_in_is_among_those_that_ask() -> None:
    """A new page of the library's, or of ours beside them, fails here until somebody says which it is."""
    from troth.web.routes import ROUTES, WAYS_IN, Audience

    library = {name for name, who in ROUTES.items() if name.startswith(("account_", "mfa_")) and who is Audience.AGREED}
    assert library - WAYS_IN == {"mfa_index"}
    assert library >= WAYS_IN


def test_trust_is_not_asked_for_where_the_policy_declares_no_cookie_for_it(
    browser: Browser, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from troth.database import published

    now = published.current()
    fewer = tuple(each for each in now.policy.stored if each.key != "__Host-trusted")
    monkeypatch.setattr(published, "current", lambda: replace(now, policy=replace(now.policy, stored=fewer)))
    fresh()
    someone = Browser()
    someone.sign_in(ALICE)
    assert someone.post(SECOND, {"code": app_code(secret)}).headers["Location"] == "/me"


def test_removing_the_app_cannot_be_used_to_guess_the_password(browser: Browser, secret: str, settings: Any) -> None:
    fresh()
    settings.ACCOUNT_RATE_LIMITS = settings.LIMITS
    told = [browser.post("/me/security/app/remove", {"password": f"guess {n}"}).content.decode() for n in range(12)]
    assert [("Too many tries" in page) for page in told] == [False] * 10 + [True] * 2


def level(owner: Connection[Any], browser: Browser) -> int:
    """Return how surely the database thinks that a browser's person signed in."""
    row = owner.execute("SELECT troth.token_level(%s)", (browser.cookies["__Host-viewer"].value,)).fetchone()
    assert row is not None
    return int(row[0] or 0)


@pytest.mark.asvs("7.2.4")
def test_a_trusted_browser_opens_the_staffs_pages_once_the_app_was_shown_in_this_session(
    browser: Browser, owner: Connection[Any]
) -> None:
    whose = browser.sign_up(owner, ALICE)
    assert browser.get("/me").status_code == 200
    assert level(owner, browser) == 1
    secret = hire(owner, browser, whose, "owner")
    assert browser.get("/operator/publishing").status_code == 200  # who has just added the first one has shown it
    assert level(owner, browser) == 2
    fresh()
    trusted = trusting(secret)
    assert trusted.get("/operator/publishing").status_code == 200
    trusted.post("/sign-out")
    fresh()
    assert trusted.sign_in(ALICE).headers["Location"] == "/me"
    assert trusted.get("/me").status_code == 200
    assert level(owner, trusted) == 1
    before = trusted.cookies["__Host-viewer"].value
    confirming = "/password/confirm/code?next=/operator/publishing"
    assert trusted.get("/operator/publishing").headers["Location"] == confirming
    assert trusted.post(confirming, {"code": app_code(secret)}).headers["Location"] == "/operator/publishing"
    assert trusted.get("/operator/publishing").status_code == 200
    assert level(owner, trusted) == 2
    assert owner.execute("SELECT troth.token_level(%s)", (before,)).fetchone() == (None,)  # the one of before is gone
