"""What a copy, a preview and the pages say of whoever did not agree to a longer window is what becomes of their rows."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import PASSWORD, Browser
from tests.conftest import Person
from tests.database.test_bound import agree, applied, crashed, crashes, ends_with_the_account, keeping
from tests.rights.asking import erased, exported, part, previewed
from tests.rights.test_own_copy import taken
from troth.database import published
from troth.rights import document

pytestmark = pytest.mark.usefixtures("browser")


@pytest.fixture
def longer(cast: dict[str, Person], owner: Connection[Any]) -> Iterator[dict[str, Person]]:
    """Alice and Bob with a crash of eighty days, under a version that keeps crashes for 180; only Alice agreed."""
    applied(owner, keeping(2, 180))
    agree(owner, cast["alice"])
    for name in ("alice", "bob"):
        crashed(owner, cast[name], 80)
    yield cast
    published.forget()


def stays(export: document.Export) -> tuple[timedelta, set[timedelta]]:
    """Return how long after it came the crash goes, and how long each purpose uses it."""
    (row,) = part(export, "crash").rows
    came = datetime.fromisoformat(row.values["at"])
    ends = {datetime.fromisoformat(str(end)) - came for end in row.ends.values()}
    return datetime.fromisoformat(str(row.goes)) - came, ends


def test_a_copy_and_a_preview_say_the_same_day(longer: dict[str, Person], owner: Connection[Any]) -> None:
    for name, days in (("alice", 180), ("bob", 90)):
        lasts = timedelta(days=days)
        for export in (exported(owner, longer[name]), taken(longer[name])):
            assert stays(export) == (lasts, {lasts}), name
        row = owner.execute("SELECT at FROM troth.crash WHERE subject = %s", (longer[name].subject,)).fetchone()
        assert row is not None
        came = row[0]
        told = previewed(owner, longer[name])["crash"]
        assert datetime.fromisoformat(told["until"]) == came + lasts
        assert {datetime.fromisoformat(each["until"]) for each in told["because"]} == {came + lasts}


def test_what_was_past_their_day_goes_with_the_account(longer: dict[str, Person], owner: Connection[Any]) -> None:
    for name in ("alice", "bob"):
        crashed(owner, longer[name], 100)
    told = {name: previewed(owner, longer[name])["crash"] for name in ("alice", "bob")}
    assert {name: (each["at_once"], each["stays"]) for name, each in told.items()} == {"alice": (0, 2), "bob": (1, 1)}
    for name in told:
        done = erased(owner, longer[name])["crash"]
        assert (done["at_once"], done["stays"], done["until"]) == tuple(
            told[name][k] for k in ("at_once", "stays", "until")
        )
    assert crashes(owner, longer["alice"], longer["bob"]) == [2, 1]


def test_what_only_the_newer_version_keeps_is_erased_at_once(cast: dict[str, Person], owner: Connection[Any]) -> None:
    applied(owner, ends_with_the_account(2))
    for person in cast.values():
        agree(owner, person)
    applied(owner, keeping(3, 90))
    agree(owner, cast["alice"])
    told = {name: previewed(owner, cast[name])["person"] for name in ("alice", "bob")}
    assert {name: (each["at_once"], each["stays"]) for name, each in told.items()} == {"alice": (0, 1), "bob": (1, 0)}


def test_the_page_before_the_end_and_the_one_after_it_say_it(browser: Browser, owner: Connection[Any]) -> None:
    alice = browser.sign_up(owner, "alice@harbor.example")
    crashed(owner, Person("Alice", alice, "alice@harbor.example", ""), 1)
    applied(owner, keeping(2, 180))
    with pytest.MonkeyPatch.context() as taken_away:
        taken_away.setattr("troth.rights.queries.load", lambda _: {"retention_said": "SELECT 1, 1 WHERE false"})
        assert "up to 180 days" in browser.get("/me/close").content.decode()
    page = browser.get("/me/close").content.decode()
    assert ("up to 90 days" in page, "up to 180 days" in page) == (True, False)
    after = browser.post("/me/close", {"password": PASSWORD}).headers["Location"]
    assert after == "/closed?agreed=1"
    page = browser.get(after).content.decode()
    assert ("up to 90 days" in page, "up to 180 days" in page) == (True, False)
    for told in ("/closed", "/closed?agreed=9", "/closed?agreed=99999999999999", "/closed?agreed=x"):
        assert "up to 180 days" in browser.get(told).content.decode()


def test_without_what_they_agreed_to_another_day_would_be_said(
    longer: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("troth.policy.bound.until", lambda _: "'infinity'::timestamptz")
    assert stays(exported(owner, longer["bob"])) == (timedelta(days=180), {timedelta(days=180)})
