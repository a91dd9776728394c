"""P15, P16: no cookie passes that the policy does not declare, and none stays longer than it says."""

from dataclasses import replace
from http.cookies import SimpleCookie

import pytest
from django.http import HttpRequest, HttpResponse

from tests.browsing import Browser
from troth.database import published
from troth.policy.meaning import Storage

DECLARED = {"__Host-session", "__Host-viewer", "__Host-csrf", "__Host-language"}


def answered(*cookies: tuple[str, int | None]) -> SimpleCookie:
    """Return the cookies that pass, of a page that sets these with these ages in seconds."""
    from troth.web import middleware

    def page(_request: HttpRequest) -> HttpResponse:
        response = HttpResponse()
        for name, age in cookies:
            response.set_cookie(name, "value", max_age=age, secure=True)
        return response

    return middleware.declared(page)(HttpRequest()).cookies


def test_what_is_not_declared_does_not_pass(browser: Browser) -> None:
    assert set(answered(("__Host-session", None), ("_ga", None), ("__Host-tracker", 3600))) == {"__Host-session"}


def test_what_is_declared_stays_no_longer_than_it_says(browser: Browser) -> None:
    cookies = answered(("__Host-language", 10 * 365 * 86_400), ("__Host-session", 3600))
    assert cookies["__Host-language"]["max-age"] == 365 * 86_400
    assert (cookies["__Host-session"]["max-age"], cookies["__Host-session"]["expires"]) == ("", "")


def test_a_cookie_may_always_be_taken_back(browser: Browser) -> None:
    assert set(answered(("_ga", 0))) == {"_ga"}


def test_a_declaration_taken_away_takes_the_cookie_away(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    now = published.current()
    fewer = tuple(each for each in now.policy.stored if each.key != "__Host-language")
    monkeypatch.setattr(published, "current", lambda: replace(now, policy=replace(now.policy, stored=fewer)))
    assert set(answered(("__Host-language", 60))) == set()


@pytest.mark.asvs("14.3.3")
def test_the_pages_set_what_is_declared_and_nothing_else(browser: Browser) -> None:
    kept = {each.key: each.storage for each in published.current().policy.stored}
    assert kept.keys() >= DECLARED
    assert kept["__Host-session"] is Storage.SESSION_COOKIE
    for path in ("/", "/policy", "/sign-in", "/sign-up"):
        assert set(browser.get(path).cookies) <= DECLARED
