"""Hardening 16, 17, 20 to 22: sessions, forms, redirects, hosts, and what may not be learned from answers."""

import re
import time
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import PASSWORD, Browser, code, mails

ALICE, OTHER = "alice@harbor.example", "a completely different sentence"
UNSAFE = ("/sign-up", "/sign-in", "/sign-out", "/agree", "/password", "/password/forgotten", "/language", "/me/name",
          "/me/close", "/me/purposes/understand")  # fmt: skip


def cookie(browser: Browser, name: str = "__Host-session") -> str:
    return browser.cookies[name].value if name in browser.cookies else ""


@pytest.mark.asvs("7.2.4")
def test_a_planted_session_is_replaced_at_sign_in(browser: Browser, owner: Connection[Any]) -> None:
    Browser().sign_up(owner, ALICE)
    browser.get("/operator/first/none")
    browser.begin("bob@harbor.example", "Bob")  # a session exists before anybody signs in
    planted = cookie(browser)
    assert planted
    browser.agree("decline")
    browser.cookies["__Host-session"] = planted
    browser.sign_in(ALICE)
    assert cookie(browser)
    assert cookie(browser) != planted
    thief = Browser()
    thief.cookies["__Host-session"] = planted
    assert thief.get("/me").status_code == 303


def test_a_planted_viewer_is_replaced_at_sign_in(browser: Browser, owner: Connection[Any]) -> None:
    bob = Browser()
    bob.sign_up(owner, "bob@harbor.example", "Bob")
    Browser().sign_up(owner, ALICE)
    browser.cookies["__Host-viewer"] = cookie(bob, "__Host-viewer")
    browser.sign_in(ALICE)
    page = browser.get("/me").content.decode()
    assert "Alice Okafor" in page
    assert "Bob" not in page


@pytest.mark.asvs("7.4.1")
def test_old_session_and_viewer_are_dead_after_signing_out(browser: Browser, owner: Connection[Any]) -> None:
    from troth.people import queries

    browser.sign_up(owner, ALICE)
    browser.get("/me")
    old, token = cookie(browser), cookie(browser, "__Host-viewer")
    assert queries.profile(token)
    assert browser.post("/sign-out").status_code == 302
    assert queries.profile(token) is None
    thief = Browser()
    thief.cookies["__Host-session"], thief.cookies["__Host-viewer"] = old, token
    assert thief.get("/me").status_code == 303


@pytest.mark.asvs("6.2.2", "6.2.3", "7.4.3")
def test_a_new_password_ends_every_other_session(browser: Browser, owner: Connection[Any]) -> None:
    from troth.people import queries

    browser.sign_up(owner, ALICE)
    elsewhere = Browser()
    elsewhere.sign_in(ALICE)
    token = cookie(elsewhere, "__Host-viewer")
    assert elsewhere.get("/me").status_code == 200
    told = {"oldpassword": PASSWORD, "password1": OTHER, "password2": OTHER}
    assert browser.post("/password", told).status_code == 302
    assert elsewhere.get("/me").status_code == 303
    assert queries.profile(token) is None
    assert browser.get("/me").status_code == 200


def test_a_forgotten_password_is_replaced_by_code(browser: Browser, owner: Connection[Any]) -> None:
    Browser().sign_up(owner, ALICE)
    assert browser.post("/password/forgotten", {"email": ALICE}).headers["Location"] == "/password/forgotten/code"
    assert browser.post("/password/forgotten/code", {"code": code(owner, ALICE)}).status_code == 302
    answer = browser.post("/password/forgotten/new", {"password1": OTHER, "password2": OTHER})
    assert answer.status_code == 302
    assert Browser().sign_in(ALICE).status_code == 200
    assert browser.sign_in(ALICE, OTHER).headers["Location"] == "/me"


@pytest.mark.asvs("3.5.1")
def test_every_form_needs_its_token(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    for signed_in in (False, True):
        victim = Browser(csrf=True)
        if signed_in:
            victim.cookies = browser.cookies
        for path in UNSAFE:
            wanted = "form-expired" if victim.cookies else "no-cookie"
            answer = victim.post(path, {"kind": "objection", "name": "Mallory", "password": PASSWORD})
            assert answer.status_code == 403, path
            assert wanted in answer.content.decode()
    assert owner.execute("SELECT name FROM troth.person").fetchall() == [("Alice Okafor",)]


def test_without_the_check_the_forged_form_would_work(browser: Browser, owner: Connection[Any]) -> None:
    """The control taken away."""
    browser.sign_up(owner, ALICE)
    assert browser.post("/me/name", {"name": "Mallory"}).status_code == 302
    assert owner.execute("SELECT name FROM troth.person").fetchall() == [("Mallory",)]


@pytest.mark.asvs("3.5.3")
def test_no_link_signs_anybody_out_or_changes_anything(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    for path in ("/sign-out", "/closed", "/declined", "/me/close", "/agree"):
        assert "Clear-Site-Data" not in browser.get(path).headers
    assert browser.get("/me").status_code == 200


REDIRECTS = (
    "https://evil.example/", "//evil.example/", "/\\evil.example", "///evil.example", "\\\\evil.example", "http:evil.example",
    "javascript:alert(1)", "https:///evil.example", "/%0d%0aLocation:%20https://evil.example", "https://localhost@evil.example",
    "\thttps://evil.example", " //evil.example", "/\t/evil.example", "https://localhost.evil.example/", "data:text/html,x",
)  # fmt: skip


@pytest.mark.asvs("1.2.2", "3.7.2")
@pytest.mark.parametrize("target", REDIRECTS)
def test_nobody_is_sent_to_another_place(browser: Browser, owner: Connection[Any], target: str) -> None:
    browser.sign_up(owner, ALICE)
    places = [Browser().post("/language", {"language": "es", "next": target}).headers["Location"]]
    signing = Browser()
    places.append(signing.post("/sign-in", {"login": ALICE, "password": PASSWORD, "next": target}).headers["Location"])
    places.append(browser.post("/sign-out", {"next": target}).headers["Location"])
    for place in places:
        assert re.fullmatch(r"/(?![/\\])[^\s\\]*", place), place
        assert not place.startswith("/%0d%0aLocation") or "evil" in target


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "localhost@evil.example", "", "a b", "localhost:bad"]
)
def test_another_host_is_refused(browser: Browser, host: str) -> None:
    for path in ("/", "/sign-in", "/password/forgotten"):
        answer = browser.get(path, headers={"host": host})
        assert answer.status_code == 400
        assert "evil" not in answer.content.decode()


def test_mails_name_the_service_as_it_was_configured(browser: Browser, owner: Connection[Any]) -> None:
    from django.conf import settings

    Browser().post("/password/forgotten", {"email": "nobody@harbor.example"}, headers={"host": "localhost:6666"})
    text = mails(owner, "nobody@harbor.example")[0]["text"]
    assert "6666" not in text
    assert settings.BASE_URL in text


def clean(answer: Any, *words: str) -> str:
    """Return what an answer says and where it leads, without the form's token and what was typed in."""
    page = re.sub(r'csrfmiddlewaretoken" value="\w+"', "", answer.content.decode())
    for word in words:
        page = page.replace(word, "…")
    return f"{answer.status_code} {answer.headers.get('Location', '')} {page}"


@pytest.mark.asvs("6.3.8")
def test_answers_do_not_tell_who_has_an_account(browser: Browser, owner: Connection[Any]) -> None:
    Browser().sign_up(owner, ALICE)
    known, unknown = ALICE, "zelda@harbor.example"

    def told(email: str) -> list[str]:
        visitor, words = Browser(), (email,)
        steps = [clean(visitor.sign_in(email, "not the right password"), *words)]
        steps.append(clean(visitor.post("/password/forgotten", {"email": email}), *words))
        steps.append(clean(visitor.get("/password/forgotten/code"), *words))
        steps.append(clean(visitor.post("/password/forgotten/code", {"code": "AAAA-AAAA"}), *words))
        visitor = Browser()
        steps.append(clean(visitor.begin(email, "Somebody"), *words))
        steps.append(clean(visitor.get("/agree"), *words))
        steps.append(clean(visitor.agree(), *words))
        steps.append(clean(visitor.get("/sign-up/verify"), *words))
        steps.append(clean(visitor.post("/sign-up/verify", {"code": "AAAA-AAAA"}), *words))
        return steps

    for one, other in zip(told(known), told(unknown), strict=True):
        assert one == other


def test_declining_tells_nothing_either(browser: Browser, owner: Connection[Any]) -> None:
    Browser().sign_up(owner, ALICE)
    for email in (ALICE, "zelda@harbor.example"):
        visitor = Browser()
        visitor.begin(email)
        assert visitor.agree("decline").headers["Location"] == "/declined"
    assert owner.execute("SELECT email FROM troth.people_account").fetchall() == [(ALICE,)]


@pytest.mark.asvs("2.4.1", "6.3.1")
def test_guessing_is_stopped_while_the_victims_session_lives(
    browser: Browser, owner: Connection[Any], settings: Any
) -> None:
    browser.sign_up(owner, ALICE)
    settings.ACCOUNT_RATE_LIMITS = settings.LIMITS
    wrong = [guess(f"192.0.2.{number}", f"guess number {number}") for number in range(30)]
    assert sum("too many" in answer.lower() for answer in wrong) >= 10
    assert "too many" in guess("198.51.100.9", PASSWORD).lower()  # even the right one, for now
    assert browser.get("/me").status_code == 200


def guess(address: str, password: str) -> str:
    answer = Browser().post("/sign-in", {"login": ALICE, "password": password}, REMOTE_ADDR=address)
    return str(answer.content.decode())


def test_the_limits_key_does_not_move_with_a_header(browser: Browser, owner: Connection[Any], settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = settings.LIMITS
    statuses = [
        browser.post(
            "/sign-in",
            {"login": f"p{number}@harbor.example", "password": "x" * 16},
            headers={"x-forwarded-for": f"203.0.113.{number}"},
        )
        for number in range(14)
    ]
    assert "too many" in statuses[-1].content.decode().lower()


def test_closing_cannot_be_used_to_guess_the_password(browser: Browser, owner: Connection[Any], settings: Any) -> None:
    browser.sign_up(owner, ALICE)
    settings.ACCOUNT_RATE_LIMITS = settings.LIMITS
    statuses = [browser.post("/me/close", {"password": f"guess {number}"}).status_code for number in range(12)]
    assert statuses == [422] * 10 + [429] * 2


def test_an_unknown_address_takes_as_long_as_a_known_one(browser: Browser, owner: Connection[Any]) -> None:
    Browser().sign_up(owner, ALICE)

    def seconds(email: str) -> float:
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            Browser().sign_in(email, "not the right password")
            taken.append(time.perf_counter() - began)
        return min(taken)

    ratio = seconds(ALICE) / seconds("zelda@harbor.example")
    assert 0.5 < ratio < 2


@pytest.mark.asvs("3.2.1", "3.4.1", "3.4.3", "3.4.4", "3.4.5", "3.4.6", "14.3.2")
def test_every_answer_carries_what_keeps_browsers_safe(browser: Browser) -> None:
    for path in ("/", "/sign-in", "/no-such-page"):
        answer = browser.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
        assert "no-store" in answer.headers["Cache-Control"]
        assert not re.search(r"<script(?! src=)", answer.content.decode())
        assert "style=" not in answer.content.decode()


@pytest.mark.asvs("3.3.1", "3.3.2", "3.3.3", "3.3.4")
def test_cookies_are_bound_to_the_host_and_out_of_reach(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    browser.post("/language", {"language": "es"})
    assert set(browser.cookies) == {"__Host-session", "__Host-viewer", "__Host-csrf", "__Host-language"}
    for each in browser.cookies.values():
        assert each["secure"]
        assert each["httponly"]
        assert each["samesite"] == "Lax"
        assert each["path"] == "/"
        assert not each["domain"]


@pytest.mark.asvs("16.2.5", "16.5.1")
def test_a_failure_tells_neither_people_nor_the_log_what_it_was_about(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from troth.people import actions

    browser.sign_up(owner, ALICE)

    def fail(**_: object) -> None:
        raise ValueError(f"canary-7f3a {ALICE}")

    monkeypatch.setattr(actions, "correct_name", fail)
    answer = browser.post("/me/name", {"name": "canary-7f3a"})
    assert answer.status_code == 500
    assert "canary" not in answer.content.decode()
    assert ALICE not in answer.content.decode()
    assert "ValueError" in caplog.text
    assert "canary" not in caplog.text
    assert ALICE not in caplog.text


@pytest.mark.asvs("16.5.2")
def test_without_a_database_people_still_get_an_answer(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    from troth.database import published

    def away() -> None:
        raise OSError("canary-7f3a")

    monkeypatch.setattr(published, "current", away)
    answer = browser.get("/policy")
    assert answer.status_code == 500
    assert "canary" not in answer.content.decode()


@pytest.mark.asvs("1.1.2", "1.2.1", "3.2.2")
@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "'; DROP TABLE x--"]
)
def test_a_name_is_shown_as_written_and_never_run(browser: Browser, owner: Connection[Any], name: str) -> None:
    from django.utils.html import escape

    browser.sign_up(owner, ALICE, name)
    page = browser.get("/me").content.decode()
    assert escape(name) in page
    assert owner.execute("SELECT name FROM troth.person").fetchall() == [(name,)]


@pytest.mark.asvs("1.3.3")
@pytest.mark.parametrize("name", ["", "   ", "a" * 201, "Ali\x07ce", "evil \u202e txt", "nul\x00"])
def test_a_name_that_cannot_be_kept_is_refused(browser: Browser, owner: Connection[Any], name: str) -> None:
    assert browser.begin(ALICE, name).status_code == (400 if "\0" in name else 200)
    assert owner.execute("SELECT count(*) FROM troth.person").fetchone() == (0,)
