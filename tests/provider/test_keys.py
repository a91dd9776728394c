"""The keys that sign tokens: turned in time, known before they sign, sealed in the database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.provider.asking import Notes
from troth.database import place
from troth.database.errors import FolderRefusal
from troth.people import keys

NOW = datetime.now(UTC)


def kids(owner: Connection[Any]) -> list[str]:
    return [kid for (kid,) in owner.execute("SELECT kid FROM troth.signing_key ORDER BY signs_from")]


def shown(notes: Notes) -> set[str]:
    return {key["kid"] for key in notes.server.get("/.well-known/jwks.json").json()["keys"]}


@pytest.mark.asvs("11.6.1", "9.1.2")
def test_a_key_is_turned_and_its_successor_shown_before_it_signs(owner: Connection[Any], database: place.Place) -> None:
    keys.keep(owner, database, now=NOW)
    first = kids(owner)
    for days in (1, 27):
        keys.keep(owner, database, now=NOW + timedelta(days=days))
        assert kids(owner) == first
    keys.keep(owner, database, now=NOW + timedelta(days=28))
    assert len(kids(owner)) == 2
    row = owner.execute("SELECT min(signs_from), max(signs_from), min(shown_until) FROM troth.signing_key").fetchone()
    assert row == (NOW, NOW + timedelta(days=30), NOW + timedelta(days=37))
    keys.keep(owner, database, now=NOW + timedelta(days=36))
    assert len(kids(owner)) == 2
    keys.keep(owner, database, now=NOW + timedelta(days=38))
    assert first[0] not in kids(owner)


def test_tokens_of_the_key_before_still_hold_after_it_was_turned(
    notes: Notes, browser: Browser, owner: Connection[Any], database: place.Place
) -> None:
    browser.sign_up(owner, "alice@harbor.example")
    before = notes.tokens(browser)["id_token"]
    owner.execute("UPDATE troth.signing_key SET signs_from = signs_from - interval '29 days'")
    keys.keep(owner, database)
    assert len(shown(notes)) == 2, "the next one is known already"
    assert jwt.get_unverified_header(notes.tokens(browser)["id_token"]) == jwt.get_unverified_header(before)
    owner.execute("UPDATE troth.signing_key SET signs_from = signs_from - interval '2 days'")
    after = notes.tokens(browser)["id_token"]
    assert jwt.get_unverified_header(after)["kid"] != jwt.get_unverified_header(before)["kid"]
    assert {jwt.get_unverified_header(each)["kid"] for each in (before, after)} == shown(notes)


def test_a_key_that_became_known_is_believed_no_more_at_once(
    notes: Notes, browser: Browser, owner: Connection[Any], database: place.Place
) -> None:
    browser.sign_up(owner, "alice@harbor.example")
    before = notes.tokens(browser)["id_token"]
    keys.replace(owner, database)
    assert jwt.get_unverified_header(before)["kid"] not in shown(notes)
    assert jwt.get_unverified_header(notes.tokens(browser)["id_token"])["kid"] in shown(notes)


@pytest.mark.asvs("13.3.2")
def test_a_copy_of_the_database_signs_nothing(
    register: Callable[..., Notes], owner: Connection[Any], database: place.Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = [bytes(each) for (each,) in owner.execute("SELECT sealed FROM troth.signing_key")]
    assert sealed
    assert not any(b"PRIVATE KEY" in each for each in sealed)
    monkeypatch.setattr(keys, "LABEL", "keys of another place")
    with pytest.raises(FolderRefusal, match="another secret"):
        keys.held()
