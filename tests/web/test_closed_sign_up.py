"""Where the policy does not collect what signing in needs, nobody can sign up, and the page says so."""

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
