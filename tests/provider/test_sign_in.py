"""An application signs people in: what it gets, about whom, and what it never gets."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.provider.asking import MANIFEST, Notes, brought, inside

ALICE = "alice@harbor.example"


def test_the_whole_way_in(notes: Notes, browser: Browser, owner: Connection[Any]) -> None:
    subject = browser.sign_up(owner, ALICE)
    answer = notes.permit(browser)
    assert brought(answer)["state"] == "state-1"
    assert brought(answer)["iss"] == "https://localhost:8443"
    tokens = notes.redeem(brought(answer)["code"]).json()
    keys = jwt.PyJWKSet.from_dict(notes.server.get("/.well-known/jwks.json").json())
    kid = jwt.get_unverified_header(tokens["id_token"])["kid"]
    key = next(each for each in keys.keys if each.key_id == kid)
    told = jwt.decode(tokens["id_token"], key, algorithms=["RS256"], audience=notes.id, issuer="https://localhost:8443")
    assert told["nonce"] == "nonce-1"
    assert told["auth_time"] <= told["iat"]
    assert (told["name"], told["email"], told["email_verified"]) == ("Alice Okafor", ALICE, True)
    assert notes.told(tokens["access_token"]).json() == {
        "sub": told["sub"],
        "name": "Alice Okafor",
        "email": ALICE,
        "email_verified": True,
    }
    account = owner.execute("SELECT id FROM troth.people_account WHERE email = %s", (ALICE,)).fetchone()
    assert account is not None
    assert told["sub"] not in {str(subject), subject.hex, str(account[0])}


def test_two_applications_do_not_learn_that_it_is_the_same_person(
    register: Callable[..., Notes], browser: Browser, owner: Connection[Any]
) -> None:
    one, other = register(), register()
    browser.sign_up(owner, ALICE)
    subs = [inside(app.tokens(browser)["id_token"])["sub"] for app in (one, other)]
    assert subs[0] != subs[1]
    assert inside(one.tokens(browser)["id_token"])["sub"] == subs[0], "and to the same application it is the same"


@pytest.mark.asvs("10.7.1")
def test_somebody_is_asked_once_and_again_when_more_is_asked(
    notes: Notes, browser: Browser, owner: Connection[Any]
) -> None:
    browser.sign_up(owner, ALICE)
    notes.code(browser, scope="openid profile")
    assert browser.get(notes.question(scope="openid profile")).status_code == 302
    assert browser.get(notes.question(scope="openid")).status_code == 302
    assert browser.get(notes.question()).status_code == 200, "the address was not asked for before"
    assert browser.get(notes.question(scope="openid profile", prompt="consent")).status_code == 200
    history = owner.execute("SELECT claims, until IS NULL FROM troth.application_grant ORDER BY at").fetchall()
    assert history == [(["name:person.name:provide"], True)]
    notes.code(browser)
    history = owner.execute(
        "SELECT cardinality(claims), until IS NULL FROM troth.application_grant ORDER BY at"
    ).fetchall()
    assert history == [(1, False), (2, True)]


def test_what_the_person_does_not_tick_is_told_nobody(notes: Notes, browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    tokens = notes.tokens(browser, claims=["name"])
    assert "email" not in inside(tokens["id_token"])
    assert set(notes.told(tokens["access_token"]).json()) == {"sub", "name"}
    assert browser.get(notes.question()).status_code == 302, "and they are not asked again and again"
    page = browser.get(notes.question(prompt="consent")).content.decode()
    assert page.count(" checked") == 1, "asked again, they find what they answered"


def test_nothing_is_ticked_for_anybody(notes: Notes, browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    page = browser.get(notes.question()).content.decode()
    assert page.count('type="checkbox"') == 2
    assert " checked" not in page


def test_a_no_goes_back_without_a_word_about_anybody(notes: Notes, browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    answer = notes.permit(browser, answer="decline")
    assert brought(answer)["error"] == "access_denied"
    assert set(brought(answer)) == {"error", "error_description", "state", "iss"}
    assert owner.execute("SELECT count(*) FROM troth.application_grant").fetchone() == (0,)


def test_silence_is_kept_where_a_page_would_be_needed(notes: Notes, browser: Browser, owner: Connection[Any]) -> None:
    assert brought(browser.get(notes.question(prompt="none")))["error"] == "login_required"
    browser.sign_up(owner, ALICE)
    assert brought(browser.get(notes.question(prompt="none")))["error"] == "consent_required"
    notes.code(browser)
    assert "code" in brought(browser.get(notes.question(prompt="none")))


def test_who_is_not_signed_in_comes_back_to_the_question(
    notes: Notes, browser: Browser, owner: Connection[Any]
) -> None:
    browser.sign_up(owner, ALICE)
    browser.post("/sign-out")
    sent = browser.get(notes.question())
    assert sent.headers["Location"].startswith("/sign-in?next=%2Fconnect%2Fauthorize")
    page = browser.get(sent.headers["Location"])
    assert "form-action 'self' https://notes.example;" in page.headers["Content-Security-Policy"] + ";"
    answer = browser.post(sent.headers["Location"], {"login": ALICE, "password": "seven herons over a grey quay"})
    assert answer.headers["Location"] == notes.question()
    notes.code(browser)
    assert "notes.example" not in browser.get("/me").headers["Content-Security-Policy"], "the way ends with the answer"


def test_an_application_on_a_device_of_its_own_is_asked_about_each_time(
    register: Callable[..., Notes], browser: Browser, owner: Connection[Any]
) -> None:
    app = register(
        MANIFEST.replace("origins", 'kind = "public"\norigins').replace(
            '"https://notes.example/signed-in"', '"com.example.notes:/in", "http://127.0.0.1:7000/in"'
        )
    )
    assert app.secret == ""
    browser.sign_up(owner, ALICE)
    for address in ("com.example.notes:/in", "http://127.0.0.1:49152/in"):
        app.back = address
        assert app.tokens(browser)["access_token"]
        assert browser.get(app.question()).status_code == 200, "any program could wait there"


@pytest.mark.asvs("7.6.1")
def test_one_signs_in_again_where_the_application_wants_it(
    notes: Notes, browser: Browser, owner: Connection[Any]
) -> None:
    browser.sign_up(owner, ALICE)
    notes.code(browser)
    sent = browser.get(notes.question(prompt="login"))
    assert sent.headers["Location"].startswith("/password/confirm?next=%2Fconnect%2Fauthorize")
    assert "prompt%3Dlogin" not in sent.headers["Location"]
    assert browser.get(notes.question(max_age="100000")).status_code == 302
    assert browser.get(notes.question(max_age="0")).headers["Location"].startswith("/password/confirm")


@pytest.mark.parametrize("host", ["evil.example", "localhost:1"])
def test_the_provider_has_one_address_whatever_it_is_called(notes: Notes, host: str) -> None:
    found = notes.server.get("/.well-known/openid-configuration", headers={"Host": host})
    if found.status_code == 200:
        told = found.json()
        assert host not in found.content.decode()
        assert told["issuer"] == "https://localhost:8443"
        assert told["subject_types_supported"] == ["pairwise"]
        assert told["code_challenge_methods_supported"] == ["S256"]
        assert told["response_types_supported"] == ["code"]
    else:
        assert found.status_code == 400
