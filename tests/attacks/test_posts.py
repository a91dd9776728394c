"""A neighbour, a stranger and every role that signs in, at the posts of others: nothing is read or written past its author."""

from typing import Any

import pytest
from psycopg import Connection, Error, sql

from tests.attacks.test_neighbours import roles
from tests.conftest import Person
from tests.organizations.conftest import Harbor, harbor, tried
from tests.records.conftest import CHOSEN, PICTURE, PUBLIC, SIGNED_IN, members, read, write
from troth.database import connect, published
from troth.records import actions, queries
from troth.records.errors import AudienceChanged, NoSuchPost, NotThisAudience, RecordsRefusal
from troth.records.queries import Readers

__all__ = ["harbor"]
AUDIENCES = {"members": "member", "everyone": "reader", "world": "passer", "nobody": "none"}
FORGERIES = (
    "INSERT INTO troth.post (subject, text, audience) VALUES (%(subject)s, 'forged', 'the public')",
    "INSERT INTO troth.post (subject, text, audience, uses) VALUES (troth.viewer(), 'forged', 'the public', -1)",
    "INSERT INTO troth.attachment (subject, post, name, type, content, audience)"
    " VALUES (%(subject)s, %(post)s, 'forged.txt', 'text/plain', 'forged', 'the public')",
    "UPDATE troth.post SET audience = 'the public', organization = NULL",
    "UPDATE troth.post SET subject = troth.viewer()",
    "UPDATE troth.post SET uses = -1",
    "UPDATE troth.post SET at = now() - interval '1 year'",
    "UPDATE troth.attachment SET content = 'forged'",
    "UPDATE troth.attachment SET audience = 'the public', organization = NULL",
    "DELETE FROM troth.post",
    "DELETE FROM troth.attachment",
    "TRUNCATE troth.post CASCADE",
    "SELECT troth.stamp_post()",
    "SELECT troth.restamp(%(subject)s, -1)",
    "SELECT set_config('role', 'troth_poster', true); INSERT INTO troth.post (subject, text, audience)"
    " VALUES (%(subject)s, 'forged', 'the public')",
    "SELECT troth.remove_subject(%(subject)s)",
)


@pytest.fixture
def posted(harbor: Harbor) -> Harbor:
    """Alice has posted to each audience, each time with a file."""
    readers = {"members": members(harbor.alice), "everyone": SIGNED_IN, "world": PUBLIC, "nobody": CHOSEN}
    for name, each in readers.items():
        write(harbor.alice, f"canary to {name}", each, files=[PICTURE])
    return harbor


def canaries(role: str, token: str | None, table: str = "post", column: str = "text") -> set[str]:
    statement = sql.SQL("SELECT {column}::text FROM troth.{table}").format(
        table=sql.Identifier(table), column=sql.Identifier(column)
    )
    try:
        with connect.acting(role, token=token) as connection:
            return {str(each) for (each,) in connection.execute(statement).fetchall()}
    except Error:
        return set()


def leaks(owner: Connection[Any], harbor: Harbor) -> list[str]:
    """Return what some role gives somebody to read of what was not posted to them, in words and in files."""
    found = []
    viewers: dict[str, Person | None] = {"bob": harbor.bob, "charlie": harbor.charlie, "a visitor": None}
    for role in roles(owner):
        for name, viewer in viewers.items():
            token = viewer.token if viewer else None
            allowed = {
                f"canary to {audience}"
                for audience, reads in AUDIENCES.items()
                if reads == role
                and (role == "passer" or viewer is not None)
                and (role != "member" or viewer is harbor.bob)
            }
            texts = canaries(role, token)
            files = len(canaries(role, token, "attachment", "id"))
            found += [f"{role} as {name}: {text}" for text in texts - allowed]
            found += [f"{role} as {name}: {files} files"] if files > len(allowed) else []
    return found


def test_every_role_reads_what_was_posted_to_it_and_nothing_else(owner: Connection[Any], posted: Harbor) -> None:
    assert leaks(owner, posted) == []
    assert read(posted.bob) == ["canary to everyone", "canary to members", "canary to world"]


@pytest.mark.parametrize(
    ("rule", "weaker"),
    [
        ("member_select", "organization = ANY (troth.viewer_organizations()) OR audience <> 'chosen people'"),
        ("member_select", "organization IS NOT NULL"),
        ("reader_select", "troth.viewer() IS NOT NULL"),
        ("reader_select", "audience = 'everyone signed in'"),
        ("passer_select", "true"),
        ("self_select", "true"),
    ],
)
@pytest.mark.parametrize("table", ["post", "attachment"])
def test_without_a_rule_it_would_be_noticed(
    owner: Connection[Any], posted: Harbor, table: str, rule: str, weaker: str
) -> None:
    owner.execute(f'ALTER POLICY {rule} ON troth."{table}" USING ({weaker})'.encode())
    assert leaks(owner, posted)


def test_nobody_writes_in_anothers_name_nor_past_the_functions(owner: Connection[Any], posted: Harbor) -> None:
    everything = "SELECT (SELECT json_agg(p ORDER BY id) FROM troth.post AS p), (SELECT json_agg(f ORDER BY id) FROM troth.attachment AS f)"
    before = owner.execute(everything).fetchone()
    told = {
        "subject": posted.alice.subject,
        "post": owner.execute("SELECT id FROM troth.post").fetchone()[0],  # type: ignore[index]
    }
    purposes = [purpose.name for purpose in published.current().policy.purposes]
    for role in (*roles(owner), "door", *purposes):
        for statement in FORGERIES:
            assert tried(role, posted.bob.token, statement, told, keep=True), (role, statement)
    assert owner.execute(everything).fetchone() == before


def test_a_person_changes_of_their_own_the_words_alone(posted: Harbor) -> None:
    told = {"subject": posted.alice.subject, "post": None}
    for statement in FORGERIES:
        assert tried("self", posted.alice.token, statement, told), statement
    assert tried("self", posted.alice.token, "UPDATE troth.post SET text = 'changed'", told) == ""
    for text in ("", "x" * 10_001, "a\u202eb", "a\u0007b"):
        assert tried("self", posted.alice.token, "UPDATE troth.post SET text = %(text)s", {"text": text}) == "23514"


def test_the_functions_take_nothing_of_anothers(owner: Connection[Any], posted: Harbor) -> None:
    version = published.current().version
    (alices,) = owner.execute("SELECT id FROM troth.post WHERE audience = 'the public'").fetchone() or (None,)
    assert alices is not None
    with pytest.raises(NoSuchPost):
        actions.address(token=posted.bob.token, post=alices, readers=SIGNED_IN, version=version)
    with pytest.raises(NoSuchPost):
        actions.edit(token=posted.bob.token, post=alices, text="mine", readers=SIGNED_IN, version=version)
    assert (
        tried(
            "self", posted.bob.token, "SELECT troth.attach_file(%(post)s, 'a.txt', 'text/plain', 'a')", {"post": alices}
        )
        == "TR080"
    )
    found = queries.post(posted.bob.token, alices)
    assert found is not None
    with pytest.raises(NoSuchPost):
        actions.delete(token=posted.bob.token, at=found.at, post=found.id)
    with pytest.raises(NotThisAudience):
        actions.write(token=posted.charlie.token, text="in", readers=members(posted.alice), version=version)


@pytest.mark.parametrize("organization", ["another's", "none", "with everyone"])
def test_no_post_reaches_an_organization_that_its_author_is_not_in(
    owner: Connection[Any], posted: Harbor, organization: str
) -> None:
    wrong = {
        "another's": Readers(members(posted.alice).audience, posted.elsewhere, 1),
        "none": Readers(members(posted.alice).audience),
        "with everyone": Readers(SIGNED_IN.audience, posted.organization, 3),
    }[organization]
    with pytest.raises(RecordsRefusal):
        write(posted.alice, "over there", wrong)
    # Were the function talked into it, what a post refers to is its author's own membership.
    insert = "INSERT INTO troth.post (subject, text, audience, organization) VALUES (%s, 'x', %s, %s)"
    with pytest.raises(Error):
        owner.execute(insert, (posted.alice.subject, members(posted.alice).audience, posted.elsewhere))


def test_what_was_told_is_what_holds(owner: Connection[Any], harbor: Harbor) -> None:
    told, version = members(harbor.alice), published.current().version
    assert told.members == 3
    for wrong in (Readers(told.audience, told.organization, 2), Readers(told.audience, told.organization)):
        with pytest.raises(AudienceChanged):
            write(harbor.alice, "to more than I knew", wrong)
    with pytest.raises(AudienceChanged):
        actions.write(token=harbor.alice.token, text="under another policy", readers=told, version=version + 1)
    assert owner.execute("SELECT count(*) FROM troth.post").fetchone() == (0,)
    made = write(harbor.alice, "to everyone", SIGNED_IN)
    with pytest.raises(AudienceChanged):  # to other readers than before needs the telling as well
        actions.address(
            token=harbor.alice.token, post=made, readers=Readers(told.audience, told.organization, 9), version=version
        )
    owner.execute("DROP FUNCTION troth.told_rightly(text, uuid, integer, integer)")
    owner.execute("CREATE FUNCTION troth.told_rightly(text, uuid, integer, integer) RETURNS void LANGUAGE sql AS ''")
    owner.execute("GRANT EXECUTE ON FUNCTION troth.told_rightly TO PUBLIC")
    write(harbor.alice, "told of fewer", Readers(told.audience, told.organization, 2))
    assert "told of fewer" in read(harbor.bob)


def test_a_viewer_forges_no_other_viewer(posted: Harbor) -> None:
    for statement in (
        "WITH f AS MATERIALIZED (SELECT set_config('troth.token', '{subject}', true)) SELECT text FROM f, troth.post",
        "SELECT p.text FROM (SELECT set_config('troth.viewer', '{subject}', true)) f, LATERAL (SELECT text FROM troth.post) p",
        "SELECT text FROM troth.post WHERE subject = '{subject}'",
    ):
        for role in ("self", "member"):
            with connect.acting(role, token=posted.charlie.token) as connection:
                found = connection.execute(statement.format(subject=posted.alice.subject).encode()).fetchall()
            assert found == [], (role, statement)


def test_a_day_has_a_hundred_posts(owner: Connection[Any], harbor: Harbor) -> None:
    owner.execute(
        "INSERT INTO troth.post (subject, text, audience) SELECT %s, 'one of many', 'chosen people' FROM generate_series(1, 100)",
        (harbor.alice.subject,),
    )
    with pytest.raises(RecordsRefusal, match="enough"):
        write(harbor.alice, "one more", CHOSEN)
    assert write(harbor.bob, "the first", CHOSEN) is not None
