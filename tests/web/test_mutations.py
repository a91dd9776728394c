"""Each control of the pages taken away: what the tests beside this file refuse would then happen."""

from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import PASSWORD, Browser

ALICE, UNKNOWN = "alice@harbor.example", "zelda@harbor.example"


def test_without_limits_guessing_would_go_on(browser: Browser, owner: Connection[Any], settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    Browser().sign_up(owner, ALICE)
    for number in range(25):
        assert "too many" not in browser.sign_in(ALICE, f"guess number {number}").content.decode().lower()
    assert browser.sign_in(ALICE).status_code == 302


def test_without_the_list_of_hosts_another_would_be_served(browser: Browser, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    assert browser.get("/", headers={"host": "evil.example"}).status_code == 200


def test_without_the_guard_people_would_be_sent_away(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.web.adapter import Adapter

    Browser().sign_up(owner, ALICE)
    monkeypatch.setattr(Adapter, "is_safe_url", lambda *_: True)
    told = {"login": ALICE, "password": PASSWORD, "next": "https://evil.example/"}
    assert browser.post("/sign-in", told).headers["Location"] == "https://evil.example/"


def test_without_prevention_sign_up_would_tell_who_has_an_account(
    browser: Browser, owner: Connection[Any], settings: Any
) -> None:
    settings.ACCOUNT_PREVENT_ENUMERATION = False
    Browser().sign_up(owner, ALICE)
    assert browser.begin(ALICE).status_code == 200
    assert browser.begin(UNKNOWN).status_code == 302


def test_without_the_stage_nobody_would_be_asked_to_agree_before_the_mail(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.web.stages import AgreementStage

    monkeypatch.setattr(AgreementStage, "handle", lambda _: (None, True))
    assert browser.begin(ALICE).headers["Location"] == "/sign-up/verify"


def test_without_the_signal_a_token_would_outlive_the_session(browser: Browser, owner: Connection[Any]) -> None:
    from django.contrib.auth.signals import user_logged_out

    from troth.people import queries
    from troth.web.middleware import end_viewer
    from troth.web.sessions import forget

    browser.sign_up(owner, ALICE)
    browser.get("/me")
    token = browser.cookies["__Host-viewer"].value
    for each in (end_viewer, forget):
        user_logged_out.disconnect(each)
    try:
        browser.post("/sign-out")
    finally:
        for each in (end_viewer, forget):
            user_logged_out.connect(each)
    assert queries.profile(token) is not None


def test_without_the_blocklist_a_leaked_password_would_do(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    from troth.people.passwords import NotLeaked

    monkeypatch.setattr(NotLeaked, "validate", lambda *_: None)
    assert browser.begin(ALICE, password="password12345678").status_code == 302


def test_without_the_other_digest_an_overtaken_page_would_bind(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's own check is a courtesy: taken away, the database still refuses, and the page says so."""
    from dataclasses import replace

    from troth.database import published
    from troth.web.views import agreement

    browser.begin(ALICE)
    old = replace(published.current(), digest="0" * 64)
    monkeypatch.setattr(agreement.published, "current", lambda: old)  # type: ignore[attr-defined]
    answer = browser.post("/agree", {"policy": "0" * 64, "terms": old.terms_digest, "answer": "agree"})
    assert answer.status_code == 409
    assert owner.execute("SELECT count(*) FROM troth.agreement").fetchone() == (0,)
