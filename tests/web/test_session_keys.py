"""Whoever reads the table of sessions, or a copy of it, can go on with none of them."""

from importlib import import_module
from typing import Any

from psycopg import Connection

from tests.browsing import Browser, browser, settings

__all__ = ["browser", "settings"]

ALICE = "alice@harbor.example"
COOKIE = "__Host-session"


def kept(owner: Connection[Any]) -> list[str]:
    return [key for (key,) in owner.execute("SELECT session_key FROM troth.django_session").fetchall()]


def with_cookie(value: str) -> Browser:
    person = Browser()
    person.cookies[COOKIE] = value
    return person


def test_the_key_of_a_session_is_the_browsers_alone(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    mine = browser.cookies[COOKIE].value
    assert mine not in kept(owner)
    assert with_cookie(mine).get("/me").status_code == 200
    for stolen in kept(owner):
        assert with_cookie(stolen).get("/me").status_code == 303


def test_a_session_that_ended_is_gone_from_the_table(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    mine = browser.cookies[COOKIE].value
    browser.post("/sign-out")
    assert with_cookie(mine).get("/me").status_code == 303
    store = import_module("troth.people.sessionstore")
    assert store.kept_under(mine) not in kept(owner)


def test_kept_by_its_key_a_stolen_one_would_open_everything(
    browser: Browser, owner: Connection[Any], monkeypatch: Any
) -> None:
    """The control taken away."""
    monkeypatch.setattr("troth.people.sessionstore.kept_under", lambda key: key)
    browser.sign_up(owner, ALICE)
    assert 200 in {with_cookie(stolen).get("/me").status_code for stolen in kept(owner)}
