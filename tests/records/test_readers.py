"""Whom a post reaches (P30, P31): those whom its author chose, as long as they are that, and nobody else."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, make
from tests.organizations.conftest import Harbor, call
from tests.records.conftest import CHOSEN, PICTURE, PUBLIC, SIGNED_IN, members, read, write
from troth.consent import permissions
from troth.database import apply, connect, published
from troth.records import actions, queries
from troth.records.errors import NotThisAudience
from troth.records.queries import Feed, Readers


def test_each_audience_reads_what_was_posted_to_it(harbor: Harbor) -> None:
    write(harbor.alice, "to members", members(harbor.alice))
    write(harbor.alice, "to everyone", SIGNED_IN)
    write(harbor.alice, "to all the world", PUBLIC)
    write(harbor.alice, "to whom I choose", CHOSEN)
    assert read(harbor.bob) == read(harbor.dana) == ["to all the world", "to everyone", "to members"]
    assert read(harbor.charlie) == ["to all the world", "to everyone"]
    assert read(None) == ["to all the world"]
    assert len(read(harbor.alice, Feed.MINE)) == 4


def test_one_by_one_it_is_the_same_as_in_the_list(harbor: Harbor) -> None:
    made = write(harbor.alice, "to members", members(harbor.alice), files=[PICTURE])
    for reader in (harbor.alice, harbor.bob):
        found = queries.post(reader.token, made)
        assert found is not None
        assert [each.name for each in found.files] == ["boat.png"]
        assert queries.file(reader.token, found, found.files[0].id) == PICTURE
    for token in (harbor.charlie.token, None, "no token at all"):
        assert queries.post(token, made) is None


def test_who_leaves_reads_no_more_and_whose_author_leaves_neither(harbor: Harbor) -> None:
    write(harbor.alice, "of the owner", members(harbor.alice))
    mine = write(harbor.bob, "of Bob", members(harbor.bob), files=[PICTURE])
    assert read(harbor.bob) == ["of Bob", "of the owner"]
    call("self", harbor.bob.token, "SELECT troth.leave_organization(%s)", harbor.organization)
    assert read(harbor.bob) == []
    assert read(harbor.dana) == ["of the owner"]
    kept = queries.post(harbor.bob.token, mine)
    assert kept is not None
    assert (kept.organization, kept.feed) == (None, Feed.MINE)
    # Who comes back does not open it again.
    call(
        "administrator",
        harbor.alice.token,
        "SELECT troth.invite(%s, 'again', NULL, '', 'member', 1, 7)",
        harbor.organization,
    )
    call("self", harbor.bob.token, "SELECT troth.join_by_invitation('again')")
    assert read(harbor.dana) == ["of the owner"]


def test_narrower_is_narrower_at_the_next_statement_and_for_its_files(harbor: Harbor) -> None:
    made = write(harbor.alice, "to everyone", SIGNED_IN, files=[PICTURE])
    with connect.acting("reader", token=harbor.charlie.token) as reading:
        look = "SELECT (SELECT count(*) FROM troth.post), (SELECT count(*) FROM troth.attachment)"
        assert reading.execute(look.encode()).fetchone() == (1, 1)
        actions.address(
            token=harbor.alice.token, post=made, readers=members(harbor.alice), version=published.current().version
        )
        assert reading.execute(look.encode()).fetchone() == (0, 0)
    found = queries.post(harbor.bob.token, made)
    assert found is not None
    assert len(found.files) == 1


def test_whoever_signs_out_or_closes_their_account_is_nobody(owner: Connection[Any], harbor: Harbor) -> None:
    write(harbor.alice, "to everyone", SIGNED_IN)
    owner.execute("DELETE FROM troth.request_token WHERE subject = %s", (harbor.charlie.subject,))
    assert read(harbor.charlie, Feed.SIGNED_IN) == []
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'test')", (harbor.alice.subject,))
    assert read(harbor.bob) == []
    assert owner.execute("SELECT count(*) FROM troth.post").fetchone() == (0,)


def test_whose_author_has_not_agreed_to_a_wider_sight_is_read_by_nobody_of_it(
    owner: Connection[Any], harbor: Harbor
) -> None:
    write(harbor.alice, "to everyone", SIGNED_IN)
    write(harbor.alice, "to members", members(harbor.alice))
    source = POLICY.read_text(encoding="utf-8").replace(" version 1 ", " version 2 ")
    source += "\nshow person.email to everyone signed in\n"
    apply.apply(owner, source, TERMS)
    published.forget()
    newest = owner.execute(
        "SELECT version, digest, terms_digest FROM troth.policy_version WHERE version = 2"
    ).fetchone()
    assert newest is not None
    for each in (harbor.bob, harbor.charlie):  # readers agree; the author does not yet
        with connect.acting("door") as door:
            door.execute("SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", (each.subject, *newest))
    assert read(harbor.charlie) == []
    assert read(harbor.bob) == ["to members"]
    with connect.acting("door") as door:
        door.execute("SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", (harbor.alice.subject, *newest))
    assert read(harbor.charlie) == ["to everyone"]


def test_an_audience_that_the_policy_takes_away_is_neither_read_nor_chosen(
    owner: Connection[Any], harbor: Harbor
) -> None:
    write(harbor.alice, "to everyone", SIGNED_IN)
    write(harbor.alice, "to all the world", PUBLIC)
    source = POLICY.read_text(encoding="utf-8").replace(" version 1 ", " version 2 ")
    source = source.replace(", everyone signed in, the public [P21", ", everyone signed in [P21")
    apply.apply(owner, source, TERMS)
    published.forget()
    assert read(None) == []
    assert read(harbor.bob) == ["to everyone"]
    with connect.acting("passer") as passing, pytest.raises(Exception, match="permission denied"):
        passing.execute("SELECT text FROM troth.post")
    with pytest.raises(NotThisAudience) as refused:
        write(harbor.alice, "again", PUBLIC)
    assert refused.value.clause == "let-people-post-post-text"
    assert PUBLIC not in queries.offered(harbor.alice.token)


def test_chosen_people_read_what_they_accepted_until_it_ends(owner: Connection[Any], harbor: Harbor) -> None:
    made = write(harbor.alice, "for Bob", CHOSEN, files=[PICTURE])
    write(harbor.alice, "for nobody yet", CHOSEN)
    assert read(harbor.bob) == []
    now = datetime.now(UTC)
    permissions.offer(
        token=harbor.alice.token, categories=["post.text", "post.file"], reason="read it", since=now,
        until=now + timedelta(days=1), link="a link", records=[str(made)],
    )  # fmt: skip
    assert read(harbor.bob) == []
    permissions.answer(token=harbor.bob.token, link="a link", accepts=True)
    assert read(harbor.bob) == ["for Bob"]
    found = queries.post(harbor.bob.token, made)
    assert found is not None
    assert found.author == "Alice"
    assert queries.file(harbor.bob.token, found, found.files[0].id) == PICTURE
    assert read(harbor.charlie) == []
    (given,) = [each for each in permissions.grants(harbor.alice.token) if each.mine]
    assert given.used_at is not None  # as for whatever else one lets see
    permissions.end(token=harbor.alice.token, given=given.given)
    assert read(harbor.bob) == []
    assert queries.post(harbor.bob.token, made) is None


def test_an_author_is_called_as_now_by_whoever_reads_them_and_by_nobody_else(
    owner: Connection[Any], harbor: Harbor
) -> None:
    write(harbor.bob, "to members", members(harbor.bob))
    for role, reader in (("member", "charlie"), ("reader", "dana"), ("reader", "charlie"), ("passer", "dana")):
        assert _as(role, harbor.people[reader].token) == [], (role, reader)  # nothing was posted to them
    assert _as("member", harbor.dana.token) == [("Bob",)]
    with connect.acting("self", token=harbor.bob.token) as mine:
        mine.execute("UPDATE troth.person SET name = 'Roberta'")
    (post,) = queries.posts(harbor.dana.token, Feed.MEMBERS)
    assert post.author == "Roberta"
    call("self", harbor.bob.token, "SELECT troth.leave_organization(%s)", harbor.organization)
    assert _as("member", harbor.dana.token) == []


def _as(role: str, token: str | None) -> list[tuple[Any, ...]]:
    with connect.acting(role, token=token) as connection:
        return connection.execute("SELECT name FROM troth.person").fetchall()


def test_without_the_clause_no_name_is_shown(owner: Connection[Any], harbor: Harbor) -> None:
    source = POLICY.read_text(encoding="utf-8").replace(" version 1 ", " version 2 ")
    apply.apply(owner, source.replace("post.file, person.name to chosen", "post.file to chosen"), TERMS)
    published.forget()
    write(harbor.alice, "to everyone", SIGNED_IN)
    (post,) = queries.posts(harbor.charlie.token, Feed.SIGNED_IN)
    assert (post.text, post.author) == ("to everyone", None)
    assert not queries.names_author(SIGNED_IN.audience)


def test_whoever_has_not_agreed_reads_and_posts_nothing(owner: Connection[Any], harbor: Harbor) -> None:
    erin = make(owner, "Erin", agreed=False)
    write(harbor.alice, "to everyone", SIGNED_IN)
    assert queries.posts(erin.token, Feed.SIGNED_IN) == []
    with pytest.raises(Exception, match="nobody is signed in"):
        write(erin, "mine", PUBLIC)


def test_another_post_of_the_same_name_is_not_found(harbor: Harbor) -> None:
    assert queries.post(harbor.alice.token, uuid.uuid4()) is None
    assert isinstance(members(harbor.bob), Readers)
