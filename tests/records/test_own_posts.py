"""What people do with their own posts (P30, P33): write, change, delete, take along; and what is left of them, nowhere."""

import json
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS
from tests.organizations.conftest import Harbor, call
from tests.records.conftest import CHOSEN, PICTURE, PUBLIC, SIGNED_IN, members, read, write
from tests.rights.asking import exported, part
from troth.database import apply, connect, published
from troth.database.drift import drift
from troth.ledger import queries as ledger
from troth.records import actions, queries
from troth.records.errors import FileRefusal, RecordsRefusal, TextRefusal
from troth.records.files import File
from troth.records.queries import LATEST, PAGE, Feed

CANARY = "the wherry leaks at the third rib"
PAPER = File("paper.txt", "text/plain", b"what only this file says: bilge")


def everywhere(owner: Connection[Any], what: str) -> list[str]:
    """Return the columns in which something stands."""
    tables = owner.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'troth'::regnamespace AND relkind IN ('r', 'p')"
    ).fetchall()
    found = []
    for (name,) in tables:
        for (row,) in owner.execute(f'SELECT to_jsonb(t) FROM troth."{name}" AS t'.encode()).fetchall():
            found += [f"{name}.{column}" for column, value in row.items() if what in json.dumps(value)]
    return sorted(set(found))


def done(harbor: Harbor) -> list[str]:
    with connect.acting("self", token=harbor.alice.token) as mine:
        return [event.action for event in ledger.about(mine, harbor.alice.subject, limit=20)]


def test_a_deleted_post_is_nowhere_and_neither_are_its_files(owner: Connection[Any], harbor: Harbor) -> None:
    made = write(harbor.alice, CANARY, SIGNED_IN, files=[PAPER])
    write(harbor.alice, "stays", SIGNED_IN)
    assert everywhere(owner, CANARY) == ["post.text"]
    assert everywhere(owner, PAPER.content.hex()) == ["attachment.content"]
    found = queries.post(harbor.alice.token, made)
    assert found is not None
    actions.delete(token=harbor.alice.token, at=found.at, post=made)
    assert everywhere(owner, CANARY) == everywhere(owner, PAPER.content.hex()) == everywhere(owner, PAPER.name) == []
    assert read(harbor.bob) == ["stays"]
    assert done(harbor)[0] == "record-deleted"
    with pytest.raises(RecordsRefusal):
        actions.delete(token=harbor.alice.token, at=found.at, post=made)


def test_a_file_goes_alone_and_a_fourth_does_not_come(harbor: Harbor) -> None:
    made = write(harbor.alice, CANARY, SIGNED_IN, files=[PAPER, PICTURE, PICTURE])
    version = published.current().version
    with pytest.raises(FileRefusal):
        actions.edit(
            token=harbor.alice.token, post=made, text="changed", readers=SIGNED_IN, version=version, files=[PAPER]
        )
    found = queries.post(harbor.alice.token, made)
    assert found is not None
    assert found.text == CANARY  # all of it, or nothing
    actions.edit(
        token=harbor.alice.token, post=made, text=CANARY, readers=SIGNED_IN, version=version, without=found.files[:1]
    )
    again = queries.post(harbor.bob.token, made)
    assert again is not None
    assert [each.name for each in again.files] == ["boat.png", "boat.png"]
    assert queries.file(harbor.bob.token, again, found.files[0].id) is None


def test_changed_words_are_read_at_once_and_what_was_done_is_recorded(owner: Connection[Any], harbor: Harbor) -> None:
    made = write(harbor.alice, CANARY, SIGNED_IN)
    version = published.current().version
    actions.edit(token=harbor.alice.token, post=made, text="mended", readers=SIGNED_IN, version=version)
    assert read(harbor.bob) == ["mended"]
    assert everywhere(owner, CANARY) == []
    actions.edit(token=harbor.alice.token, post=made, text="mended", readers=members(harbor.alice), version=version)
    assert done(harbor)[:3] == ["post-addressed", "post-edited", "posted"]
    found = queries.post(harbor.alice.token, made)
    assert found is not None
    assert found.edited_at is not None
    assert drift(owner).lines() == []


@pytest.mark.parametrize("text", ["", "  \n ", "a" * 10_001, "a\x00b", "right\u202eleft", "bell\x07"])
def test_what_cannot_be_a_post_is_refused(harbor: Harbor, text: str) -> None:
    with pytest.raises(TextRefusal):
        write(harbor.alice, text, SIGNED_IN)


def test_all_of_it_is_exported_with_the_files(owner: Connection[Any], harbor: Harbor) -> None:
    write(harbor.alice, CANARY, CHOSEN, files=[PAPER])
    document = exported(owner, harbor.alice)
    (post,) = part(document, "post").rows
    (file,) = part(document, "attachment").rows
    assert (post.values["text"], post.values["audience"], post.purposes) == (CANARY, "chosen people", ("provide",))
    assert bytes.fromhex(file.values["content"].removeprefix("\\x")) == PAPER.content
    assert post.ends == {"provide": None}
    assert not part(exported(owner, harbor.bob), "post").rows


def test_closing_the_account_takes_them_along(owner: Connection[Any], harbor: Harbor) -> None:
    write(harbor.alice, CANARY, PUBLIC, files=[PAPER])
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'test')", (harbor.alice.subject,))
    assert everywhere(owner, CANARY) == everywhere(owner, PAPER.content.hex()) == []


def test_a_feed_goes_on_behind_the_last_that_was_read(harbor: Harbor) -> None:
    for number in range(PAGE + 3):
        write(harbor.alice if number % 2 else harbor.bob, f"{number:02}", SIGNED_IN)
    first = queries.posts(harbor.charlie.token, Feed.SIGNED_IN, before=LATEST)
    rest = queries.posts(harbor.charlie.token, Feed.SIGNED_IN, before=first[-1].id)
    assert [post.text for post in (*first, *rest)] == [f"{number:02}" for number in reversed(range(PAGE + 3))]
    assert {post.author for post in first} == {"Alice", "Bob"}


def test_where_the_policy_lets_nobody_post_nobody_does(owner: Connection[Any], harbor: Harbor) -> None:
    write(harbor.alice, CANARY, PUBLIC)
    source = POLICY.read_text(encoding="utf-8").replace(" version 1 ", " version 2 ")
    before, _, rest = source.partition("let people post post.text")
    apply.apply(owner, before + rest.partition("[P21, P30, P31]")[2], TERMS)
    published.forget()
    assert not queries.are_kept()
    assert read(None) == read(harbor.bob) == []
    with pytest.raises(RecordsRefusal):
        write(harbor.alice, "again", CHOSEN)
    assert call("self", harbor.alice.token, "SELECT text FROM troth.post") == CANARY  # it is theirs to see and delete
