"""P21 in the whole world: who owns an organization, posts, lends, is looked at and provisioned is called otherwise everywhere."""

from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser, subject
from tests.directory.asking import Asking, directory_of
from tests.provider.asking import MANIFEST, Notes
from tests.provider.test_renamed import AFTER, BEFORE, cached, found
from tests.provider.test_users import listed
from tests.rights.asking import exported, text
from tests.web.test_routes import table
from tests.web.world import PEOPLE, World, world
from troth.database import place
from troth.people import keys, registering

GONE = "Quartermaine"
WORK = "alice.okafor@work.example"
#: Where somebody else reads the name of whoever owns the organization, posts, lends and lets support look.
READ = {
    ("organization_members", "dana"),
    ("organization_member", "dana"),
    ("posts", "bob"),
    ("post", "bob"),
    ("lent", "bob"),
    ("me", "alice"),
    ("name", "alice"),
}


def told(made: World) -> set[tuple[str, str]]:
    """Open every page of the table as each who may see it, in the organization hers too; return where `GONE` is read."""
    named = made.named | {"dana": str(made.named["alice"])}
    pages = set()
    for row in table():
        for who, (look, _form) in row.cells.items():
            if look == "page" and GONE in made.ask(who, row.path.format(**named)).content.decode(errors="replace"):
                pages.add((row.route, who))
    return pages


@pytest.fixture
def directory(browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> tuple[World, Asking]:
    from troth.people import linking

    for view in ("publishing", "staff", "support"):
        monkeypatch.setattr(f"troth.web.views.{view}.unconfirmed", lambda _: None)  # they have just confirmed
    made = world(owner, alice=BEFORE)
    alice = made.person(owner, "alice")
    made.named["alice"] = str(alice.subject)
    work = made.browsers["work"] = Browser()
    work.sign_up(owner, WORK, "Z. Quartermaine")
    work.get("/me")
    linking.link(token=work.cookies["__Host-viewer"].value, code=linking.offer(token=alice.token), theirs=True)
    return made, directory_of(made.named["organization"], alice)  # type: ignore[arg-type]


@pytest.fixture
def notes(directory: tuple[World, Asking], owner: Connection[Any], database: place.Place) -> Notes:
    """An application that she signs in to with both accounts."""
    made, _ = directory
    keys.keep(owner, database)
    answer = registering.register(owner, {"manifest": MANIFEST})
    notes = Notes(answer["application"], answer["secret"])
    for each in ("alice", "work"):
        notes.tokens(made.browsers[each])
    return notes


def test_a_new_name_is_on_every_page_of_everybody_in_every_column_and_in_every_export(
    directory: tuple[World, Asking], notes: Notes, owner: Connection[Any]
) -> None:
    made, hr = directory
    assert {each["name"] for each in listed(notes)} == {BEFORE}
    assert told(made) >= READ, "what the rest relies on"
    supplied = hr.provision("zoe", displayName="Zoe Harbor", emails=[{"value": "zoe@work.example"}])
    assert supplied.status == 201
    assert made.browsers["work"].post("/me/name", {"name": AFTER}).status_code == 302
    assert found(owner, GONE) == set()
    assert not cached(GONE)
    assert told(made) == set()
    members = made.ask("dana", f"/organizations/{made.named['organization']}/members").content.decode()
    assert AFTER in members
    assert (
        AFTER in made.ask("bob", "/posts?of=organization").content.decode() + made.ask("bob", "/posts").content.decode()
    )
    assert [each["name"] for each in listed(notes)] == [AFTER, AFTER]
    users = str(hr.ask("GET", "/Users").body)
    assert GONE not in users
    assert "Zoe Harbor" in users
    for email in (WORK, *(f"{who}@harbor.example" for who in PEOPLE)):
        assert GONE not in text(exported(owner, subject(owner, email))), email
