"""P6: two accounts of one person are linked with both sides' proof, unlinked from either, and share a name and nothing else."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.people.test_names import in_force, name_of, renamed
from troth.database import connect
from troth.people.errors import LinkRefusal, NobodyThere, PeopleRefusal

pytestmark = pytest.mark.usefixtures("browser")


class _Linking:
    """The room's module, which is loaded only once the service's folder is there."""

    def __getattr__(self, name: str) -> Any:
        from troth.people import linking

        return getattr(linking, name)


linking = _Linking()


def link(one: Person, other: Person, *, theirs: bool = True) -> None:
    """Make a code in one account, enter it in the other."""
    linking.link(token=other.token, code=linking.offer(token=one.token), theirs=theirs)


def actions(owner: Connection[Any], person: Person) -> list[str]:
    """Return what the ledger shows a person, the last first."""
    from troth.ledger import queries

    with connect.acting("self", token=person.token) as viewer:
        return [entry.action for entry in queries.about(viewer, person.subject)]


def test_both_sides_see_the_link_and_its_entry(owner: Connection[Any], cast: dict[str, Person]) -> None:
    link(cast["alice"], cast["dana"])
    assert [each.address for each in linking.linked(cast["alice"].token)] == ["d***@harbor.example"]
    assert [each.address for each in linking.linked(cast["dana"].token)] == ["a***@harbor.example"]
    assert linking.linked(cast["charlie"].token) == []
    for who in ("alice", "dana"):
        assert "accounts-linked" in actions(owner, cast[who])
    assert "accounts-linked" not in actions(owner, cast["charlie"])


@pytest.mark.parametrize(("theirs", "name"), [("theirs", "Alice"), ("", "Dana")])
def test_a_link_gives_both_one_name(owner: Connection[Any], cast: dict[str, Person], theirs: str, name: str) -> None:
    link(cast["alice"], cast["dana"], theirs=bool(theirs))
    assert name_of(owner, cast["alice"]) == name_of(owner, cast["dana"]) == name


def test_a_link_opens_nothing_else(owner: Connection[Any], cast: dict[str, Person]) -> None:
    """The subject stays the unit of rights: nobody reads, corrects or ends anything for the other account."""
    link(cast["alice"], cast["dana"])
    with connect.acting("self", token=cast["dana"].token) as viewer:
        for table in ("person", "device", "access", "agreement", "linked"):
            rows = viewer.execute(f"SELECT DISTINCT subject FROM troth.{table}".encode()).fetchall()
            assert rows == [(cast["dana"].subject,)], table
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        connect.acting("self", token=cast["dana"].token) as viewer,
    ):
        viewer.execute("SELECT * FROM troth.link_offer")


@pytest.mark.parametrize("side", ["alice", "dana"])
def test_either_side_unlinks_and_both_see_it(owner: Connection[Any], cast: dict[str, Person], side: str) -> None:
    link(cast["alice"], cast["dana"])
    (tie,) = [each.tie for each in linking.linked(cast[side].token)]
    linking.unlink(token=cast[side].token, tie=tie)
    assert owner.execute("SELECT count(*) FROM troth.linked").fetchone() == (0,)
    for who in ("alice", "dana"):
        assert actions(owner, cast[who])[0] == "accounts-unlinked"
    renamed(cast["dana"], "Dana")
    assert name_of(owner, cast["alice"]) == "Alice"


def test_three_accounts_are_one_person_and_one_leaves(owner: Connection[Any], cast: dict[str, Person]) -> None:
    link(cast["alice"], cast["dana"])
    link(cast["dana"], cast["bob"])
    renamed(cast["bob"], "Ada")
    assert {name_of(owner, cast[who]) for who in ("alice", "bob", "dana")} == {"Ada"}
    ties = {each.address[0]: each.tie for each in linking.linked(cast["alice"].token)}
    linking.unlink(token=cast["alice"].token, tie=ties["d"])
    renamed(cast["alice"], "Alice")
    assert (name_of(owner, cast["bob"]), name_of(owner, cast["dana"])) == ("Alice", "Ada")


def test_a_code_links_once_for_ten_minutes_and_never_its_own_account(
    owner: Connection[Any], cast: dict[str, Person]
) -> None:
    code = linking.offer(token=cast["alice"].token)
    with pytest.raises(LinkRefusal, match="links nothing"):
        linking.link(token=cast["alice"].token, code=code, theirs=True)
    owner.execute("UPDATE troth.link_offer SET expires_at = statement_timestamp()")
    with pytest.raises(LinkRefusal, match="links nothing"):
        linking.link(token=cast["dana"].token, code=code, theirs=True)
    code = linking.offer(token=cast["alice"].token)
    linking.link(token=cast["dana"].token, code=code.lower().replace("-", " "), theirs=True)
    with pytest.raises(LinkRefusal, match="links nothing"):
        linking.link(token=cast["bob"].token, code=code, theirs=True)
    with pytest.raises(LinkRefusal, match="linked already"):
        link(cast["alice"], cast["dana"])


def test_a_new_code_ends_the_one_before_and_neither_is_stored(owner: Connection[Any], cast: dict[str, Person]) -> None:
    first, second = (linking.offer(token=cast["alice"].token) for _ in range(2))
    rows = owner.execute("SELECT o::text FROM troth.link_offer AS o").fetchall()
    assert len(rows) == 1
    assert first not in rows[0][0]
    assert second not in rows[0][0]
    with pytest.raises(LinkRefusal):
        linking.link(token=cast["dana"].token, code=first, theirs=True)


def test_a_code_without_a_viewer_links_nothing(cast: dict[str, Person]) -> None:
    code = linking.offer(token=cast["alice"].token)
    with pytest.raises(NobodyThere):
        linking.link(token="guessed", code=code, theirs=True)
    with pytest.raises(NobodyThere):
        linking.offer(token="guessed")
    with pytest.raises(NobodyThere):
        linking.unlink(token="guessed", tie=uuid.uuid4())


def test_charlie_ends_no_link_that_is_not_his(owner: Connection[Any], cast: dict[str, Person]) -> None:
    link(cast["alice"], cast["dana"])
    for (tie,) in owner.execute("SELECT tie FROM troth.linked").fetchall():
        with pytest.raises(LinkRefusal, match="no such link"):
            linking.unlink(token=cast["charlie"].token, tie=tie)
    assert owner.execute("SELECT count(*) FROM troth.linked").fetchone() == (2,)


def test_no_role_links_by_itself(cast: dict[str, Person]) -> None:
    made = "INSERT INTO troth.linked (subject, bond) VALUES (gen_random_uuid(), gen_random_uuid())"
    for role in ("door", "self", "steward", "intake"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting(role) as connection:
            connection.execute(made)


def test_without_the_duty_the_database_links_nobody(owner: Connection[Any], cast: dict[str, Person]) -> None:
    code = linking.offer(token=cast["alice"].token)
    in_force(owner, 2, less="tie people")
    with pytest.raises(LinkRefusal, match="ties no accounts"):
        linking.link(token=cast["dana"].token, code=code, theirs=True)
    with pytest.raises(LinkRefusal, match="ties no accounts"):
        linking.offer(token=cast["alice"].token)


def test_a_duty_that_nobody_asked_for_would_be_noticed(owner: Connection[Any], cast: dict[str, Person]) -> None:
    """The control taken away: where the answer is always yes, linking goes on without the clause."""
    in_force(owner, 2, less="tie people")
    body = owner.execute("SELECT pg_get_functiondef('troth.in_force(text)'::regprocedure)").fetchone()
    assert body is not None
    owner.execute(body[0].replace("SELECT duty = ANY", "SELECT true OR duty = ANY"))
    link(cast["alice"], cast["dana"])
    assert len(linking.linked(cast["alice"].token)) == 1


def test_both_sides_at_once_end_linked_or_not_and_never_half(owner: Connection[Any], cast: dict[str, Person]) -> None:
    """Link, unlink and close, each from both sides at once: a bond never has one alone, nobody waits for ever."""

    def attempt(act: Any) -> None:
        with suppress(PeopleRefusal):
            act()

    def unlink(who: str) -> None:
        for each in linking.linked(cast[who].token):
            linking.unlink(token=cast[who].token, tie=each.tie)

    pair = ("alice", "dana")
    with ThreadPoolExecutor(4) as both:
        for _ in range(5):
            codes = {who: linking.offer(token=cast[who].token) for who in pair}
            tried = [
                partial(linking.link, token=cast[one].token, code=codes[other], theirs=True)
                for one, other in (pair, pair[::-1])
            ]
            list(both.map(attempt, tried))
            assert owner.execute("SELECT count(*), count(DISTINCT bond) FROM troth.linked").fetchone() == (2, 1)
            assert name_of(owner, cast["alice"]) == name_of(owner, cast["dana"])
            list(both.map(attempt, [partial(unlink, who) for who in pair]))
            assert owner.execute("SELECT count(*) FROM troth.linked").fetchone() == (0,)


def test_an_account_that_ends_meanwhile_is_linked_with_nobody(owner: Connection[Any], cast: dict[str, Person]) -> None:
    code = linking.offer(token=cast["alice"].token)
    with connect.owning() as other:
        other.execute("BEGIN")
        other.execute("SELECT troth.end_subject(%s, 'left')", (cast["alice"].subject,))
        with ThreadPoolExecutor(1) as apart:
            waiting = apart.submit(linking.link, token=cast["dana"].token, code=code, theirs=True)
            other.execute("COMMIT")
            with pytest.raises(LinkRefusal, match="links nothing"):
                waiting.result(timeout=10)
    assert owner.execute("SELECT count(*) FROM troth.linked").fetchone() == (0,)


def test_closing_an_account_ends_its_links(owner: Connection[Any], cast: dict[str, Person]) -> None:
    link(cast["alice"], cast["dana"])
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'left')", (cast["alice"].subject,))
    assert linking.linked(cast["dana"].token) == []
    renamed(cast["dana"], "Dana")
    assert name_of(owner, cast["dana"]) == "Dana"
