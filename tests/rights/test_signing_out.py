"""The operator ends somebody's sessions, or everybody's, after a theft; nothing else of them changes, and they see it."""

from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser, browser, settings
from tests.rights.asking import asked
from troth.database.catalog import load
from troth.rights import keeping

__all__ = ["browser", "settings"]
ALICE, BOB = "alice@harbor.example", "bob@harbor.example"


@pytest.fixture
def people(browser: Browser, owner: Connection[Any]) -> tuple[Browser, Browser]:
    found = (Browser(), Browser())
    for each, email in zip(found, (ALICE, BOB), strict=True):
        each.sign_up(owner, email)
        assert each.get("/me").status_code == 200
    return found


def fleeting(owner: Connection[Any]) -> int:
    tables = [table.name for table in load() if table.fleeting]
    return sum(owner.execute(f"SELECT count(*) FROM troth.{name}".encode()).fetchone()[0] for name in tables)  # type: ignore[index]


@pytest.mark.asvs("7.4.5")
def test_one_person_is_signed_out_everywhere_and_nobody_else(
    people: tuple[Browser, Browser], owner: Connection[Any]
) -> None:
    alice, bob = people
    token = alice.cookies["__Host-viewer"].value
    assert keeping.sign_out(owner, asked(ALICE))["ended"] >= 2
    assert alice.get("/me").status_code == 303
    assert bob.get("/me").status_code == 200
    viewer = "SELECT count(*) FROM troth.request_token WHERE hash = sha256(%s)"
    assert owner.execute(viewer, (token.encode(),)).fetchone() == (0,)
    assert Browser().sign_in(ALICE).status_code == 302, "nothing else changed"


@pytest.mark.asvs("7.4.5")
def test_everybody_is_signed_out(people: tuple[Browser, Browser], owner: Connection[Any]) -> None:
    assert fleeting(owner) > 0
    keeping.sign_out(owner, asked(""))
    assert fleeting(owner) == 0
    assert [each.get("/me").status_code for each in people] == [303, 303]


def test_it_stands_in_the_ledger_and_the_person_sees_it(
    people: tuple[Browser, Browser], owner: Connection[Any]
) -> None:
    keeping.sign_out(owner, asked(ALICE))
    last = owner.execute("SELECT action, facts ->> 'by' FROM troth.ledger_entry ORDER BY index DESC LIMIT 1").fetchone()
    assert last == ("signed-out-by-operator", "operator")
    again = Browser()
    again.sign_in(ALICE)
    assert "The operator signed you out everywhere" in again.get("/me").content.decode()
