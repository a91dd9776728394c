"""P21, from end to end: somebody with two linked accounts is called otherwise, and the name of before is nowhere."""

import json
from typing import Any

import pytest
from psycopg import Connection, sql

from tests.browsing import Browser
from tests.provider.asking import Notes, inside
from tests.provider.test_users import listed
from tests.rights.asking import exported, text
from troth.database import place

ALICE, WORK = "alice@harbor.example", "alice.okafor@work.example"
BEFORE, AFTER = "Zenobia Quartermaine", "Zenobia Featherstonehaugh"
PAGES = (
    "/me",
    "/me/name",
    "/me/linked",
    "/me/devices",
    "/me/accesses",
    "/me/applications",
    "/me/security",
    "/agree",
    "/posts?of=mine",
    "/posts?of=everyone",
)
COLUMNS = """
SELECT n.nspname, c.relname, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'm')
  AND a.attnum > 0 AND NOT a.attisdropped
"""


def found(owner: Connection[Any], word: str) -> set[str]:
    """Return every column of the database that holds a word, as text and, of sessions, read as the library reads them."""
    from django.contrib.sessions.models import Session

    places = set()
    for schema, table, column in owner.execute(COLUMNS).fetchall():
        asked = sql.SQL("SELECT 1 FROM {}.{} WHERE strpos({}::text, %s) > 0 LIMIT 1").format(
            *map(sql.Identifier, (schema, table, column))
        )
        if owner.execute(asked, (word,)).fetchone():
            places.add(f"{table}.{column}")
    if any(word in json.dumps(each.get_decoded()) for each in Session.objects.all()):
        places.add("django_session, decoded")
    return places


def cached(word: str) -> bool:
    from django.core.cache import cache

    return word.encode() in b"".join(bytes(each) for each in getattr(cache, "_cache", {}).values())


@pytest.fixture
def both(browser: Browser, owner: Connection[Any], notes: Notes) -> tuple[Browser, Browser]:
    """Two linked accounts of one person, each signed in to an application."""
    from troth.people import linking

    browser.sign_up(owner, ALICE, BEFORE)
    work = Browser()
    work.sign_up(owner, WORK, "Z. Quartermaine")
    tokens = []
    for each in (browser, work):
        each.get("/me")
        tokens.append(each.cookies["__Host-viewer"].value)
    linking.link(token=tokens[1], code=linking.offer(token=tokens[0]), theirs=True)
    return browser, work


def test_the_search_finds_the_name_where_it_is(both: tuple[Browser, Browser], owner: Connection[Any]) -> None:
    """What the test below relies on."""
    assert "person.name" in found(owner, BEFORE)


def test_a_new_name_is_everywhere_and_the_one_before_is_nowhere(
    both: tuple[Browser, Browser], owner: Connection[Any], notes: Notes, database: place.Place
) -> None:
    from tests.browsing import subject

    access = [notes.tokens(each)["access_token"] for each in both]
    assert {notes.told(each).json()["name"] for each in access} == {BEFORE}
    for each in both:
        each.post("/password/forgotten", {"email": ALICE})  # something waits in the outbox
    reader = Browser()
    reader.sign_up(owner, "reader@harbor.example", "Rhoda")
    for each in both:
        assert each.post("/posts/new", {"text": "Rowing.", "readers": "signed_in~~", "version": "1"}).status_code == 302
    assert reader.get("/posts?of=everyone").content.decode().count(f"<bdi>{BEFORE}</bdi>") == 2
    assert both[1].post("/me/name", {"name": AFTER}).status_code == 302
    assert reader.get("/posts?of=everyone").content.decode().count(f"<bdi>{AFTER}</bdi>") == 2
    for gone in ("Quartermaine",):
        assert found(owner, gone) == set()
        assert not cached(gone)
    assert "person.name" in found(owner, AFTER)
    for browser in both:
        for path in PAGES:
            assert "Quartermaine" not in browser.get(path).content.decode(), path
        assert AFTER in browser.get("/me").content.decode()
    assert {notes.told(each).json()["name"] for each in access} == {AFTER}, "a token of before tells the name of now"
    assert [each["name"] for each in listed(notes)] == [AFTER, AFTER], "and so does the application's list of its users"
    for browser in both:
        tokens = notes.tokens(browser)
        assert inside(tokens["id_token"])["name"] == notes.told(tokens["access_token"]).json()["name"] == AFTER
    for email in (ALICE, WORK):
        told = text(exported(owner, subject(owner, email)))
        assert "Quartermaine" not in told
        assert AFTER in told


def test_only_where_the_policy_keeps_it_is_the_name_of_before(
    both: tuple[Browser, Browser], owner: Connection[Any]
) -> None:
    from tests.people.test_names import KEEPING, SHOWING, in_force

    in_force(owner, 2, KEEPING + SHOWING)
    both[0].post("/me/name", {"name": AFTER})
    assert found(owner, "Quartermaine") == {"earlier_name.name"}
    page = both[1].get("/me/name").content.decode()
    assert BEFORE in page
    assert BEFORE not in both[1].get("/me").content.decode()


def test_a_copy_that_nobody_keeps_in_line_would_be_found(both: tuple[Browser, Browser], owner: Connection[Any]) -> None:
    """The control taken away: without the trigger the other account keeps the name of before."""
    owner.execute("DROP TRIGGER follow ON troth.person")
    both[0].post("/me/name", {"name": AFTER})
    assert found(owner, BEFORE) == {"person.name"}
