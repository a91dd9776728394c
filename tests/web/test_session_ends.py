"""NIST SP 800-63B-4: a session ends a day after it began; sooner where nobody is there, soonest with two factors."""

import time
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.web.second import SECOND, add_app, app_code, fresh

ALICE, HOUR = "alice@harbor.example", 3600


class Clock:
    """The time as sessions read it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from troth.web import sessions

        self.ahead, real = 0.0, time.time
        told = type("Told", (), {"time": staticmethod(lambda: real() + self.ahead)})
        monkeypatch.setattr(sessions, "time", told)


@pytest.fixture
def clock(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.asvs("7.3.2")
def test_a_day_after_signing_in_it_is_over_whatever_was_done(
    browser: Browser, owner: Connection[Any], clock: Clock
) -> None:
    browser.sign_up(owner, ALICE)
    for hours in (10, 20, 23.9):
        clock.ahead = hours * HOUR
        assert browser.get("/me").status_code == 200
    clock.ahead = 24.1 * HOUR
    assert browser.get("/me").status_code == 303


@pytest.mark.asvs("7.3.1")
def test_with_one_factor_it_ends_after_twelve_hours_of_nothing(
    browser: Browser, owner: Connection[Any], clock: Clock
) -> None:
    browser.sign_up(owner, ALICE)
    clock.ahead = 11.9 * HOUR
    assert browser.get("/me").status_code == 200
    clock.ahead = 23.95 * HOUR
    assert browser.get("/me").status_code == 303


@pytest.mark.asvs("7.3.1")
def test_with_two_factors_it_ends_after_an_hour_of_nothing(
    browser: Browser, owner: Connection[Any], clock: Clock
) -> None:
    browser.sign_up(owner, ALICE)
    other = Browser()
    other.sign_in(ALICE)
    secret = add_app(browser)
    fresh()
    someone = Browser()
    someone.sign_in(ALICE)
    someone.post(SECOND, {"code": app_code(secret)})
    someone.post("/sign-in/trust")
    assert someone.get("/me").status_code == 200
    for minutes in (55, 110, 165):
        clock.ahead = minutes * 60
        assert someone.get("/me").status_code == 200
    clock.ahead = (165 + 61) * 60
    assert someone.get("/me").status_code == 303
    assert browser.get("/me").status_code == 303, "who adds the first one has shown it"
    assert other.get("/me").status_code == 200  # one factor, not yet twelve hours


def test_the_viewers_token_ends_no_later_than_the_session(browser: Browser, owner: Connection[Any]) -> None:
    query = "SELECT max(expires_at) - statement_timestamp() < interval '{} seconds' FROM troth.request_token"
    browser.sign_up(owner, ALICE)
    browser.get("/me")
    assert owner.execute(query.format(12 * HOUR + 1).encode()).fetchone() == (True,)
    secret = add_app(browser)
    fresh()
    owner.execute("DELETE FROM troth.request_token")
    someone = Browser()
    someone.sign_in(ALICE)
    someone.post(SECOND, {"code": app_code(secret)})
    someone.post("/sign-in/trust")
    someone.get("/me")
    assert owner.execute(query.format(HOUR + 1).encode()).fetchone() == (True,)


def test_without_the_clock_it_would_live_on(
    browser: Browser, owner: Connection[Any], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    from troth.web import sessions

    browser.sign_up(owner, ALICE)
    monkeypatch.setattr(sessions, "_end_or_note", lambda _: None)
    clock.ahead = 30 * HOUR
    assert browser.get("/me").status_code == 200


@pytest.mark.asvs("7.2.4")
def test_signing_in_replaces_a_planted_session_after_the_second_step_too(
    browser: Browser, owner: Connection[Any]
) -> None:
    browser.sign_up(owner, ALICE)
    secret = add_app(browser)
    fresh()
    someone = Browser()
    someone.sign_in(ALICE)
    between = someone.cookies["__Host-session"].value
    someone.post(SECOND, {"code": app_code(secret)})
    someone.post("/sign-in/trust")
    assert someone.cookies["__Host-session"].value != between
    thief = Browser()
    thief.cookies["__Host-session"] = between
    assert thief.get("/me").status_code == 303
