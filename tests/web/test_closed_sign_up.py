"""The sign-up form asks for what the policy collects; where that is too little to sign in, sign-up is closed."""

from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser, browser
from troth.people import queries

__all__ = ["browser"]


@pytest.mark.parametrize("missing", ["person.email", "person.password"])
def test_sign_up_is_closed_without_the_clause(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    asked = queries.asked_on_sign_up()
    assert "Continue" in browser.get("/sign-up").content.decode()
    monkeypatch.setattr(queries, "asked_on_sign_up", lambda: asked - {missing})
    assert "Sign-up is closed" in browser.get("/sign-up").content.decode()
    browser.begin("alice@harbor.example")
    assert owner.execute("SELECT count(*) FROM troth.people_account").fetchone() == (0,)
    monkeypatch.undo()
    browser.begin("alice@harbor.example")
    assert owner.execute("SELECT count(*) FROM troth.people_account").fetchone() == (1,)


def test_the_form_asks_for_no_name_where_none_is_collected_and_pages_do_without(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, field = queries.asked_on_sign_up(), 'name="name"'
    assert field in browser.get("/sign-up").content.decode()
    monkeypatch.setattr("troth.web.forms.asked_on_sign_up", lambda: asked - {"person.name"})
    assert field not in browser.get("/sign-up").content.decode()
    subject = browser.sign_up(owner, "bob@harbor.example", "Bob Lindqvist")
    assert owner.execute("SELECT name FROM troth.person WHERE subject = %s", (subject,)).fetchone() == (None,)
    page = browser.get("/me").content.decode()
    assert "bob@harbor.example" in page
    assert "None" not in page
