"""Whose access a request was, as the pages tell the intake."""

from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import PASSWORD, Browser

ALICE = "alice@harbor.example"


def told(browser: Browser, method: str, path: str, data: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Return the status, and what the pages told the intake about whose access it was."""
    noted: dict[str, Any] = {}
    answer = getattr(browser, method)(path, data or {}, **{"asgi.scope": {"troth.access": noted}})
    return answer.status_code, noted


@pytest.mark.asvs("16.2.1")
def test_an_access_of_somebody_who_agreed_is_theirs(browser: Browser, owner: Connection[Any]) -> None:
    alice = browser.sign_up(owner, ALICE)
    status, noted = told(browser, "get", "/me")
    assert (status, noted["subject"]) == (200, alice)
    assert noted["uses"] > 0


def test_an_access_of_anybody_else_is_nobodys(browser: Browser, owner: Connection[Any]) -> None:
    assert told(browser, "get", "/") == (200, {})
    browser.begin(ALICE)
    assert told(browser, "get", "/agree") == (200, {})


def test_signing_out_is_still_the_persons_access(browser: Browser, owner: Connection[Any]) -> None:
    alice = browser.sign_up(owner, ALICE)
    status, noted = told(browser, "post", "/sign-out")
    assert (status, noted["subject"]) == (302, alice)


def test_nothing_more_is_recorded_of_somebody_who_just_left(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    assert told(browser, "post", "/me/close", {"password": PASSWORD}) == (302, {})


def test_the_access_that_chooses_is_recorded_as_was_chosen(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    before = told(browser, "get", "/me")[1]["uses"]
    status, noted = told(browser, "post", "/me/purposes/protect", {"kind": "objection"})
    assert (status, noted["uses"]) == (302, told(browser, "get", "/me")[1]["uses"])
    assert noted["uses"] != before
