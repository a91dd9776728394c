"""P21: one name at a time, the same in every account of a person; what of earlier ones is kept is the policy's to say."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person, make
from troth.database import apply, connect, published

pytestmark = pytest.mark.usefixtures("browser")
KEEPING = """
category person.earlier_name identifying
collect person.earlier_name on change of name
    for provide while the account exists
"""
SHOWING = "show person.earlier_name to the person\n"


def renamed(person: Person, name: str) -> None:
    from troth.people.actions import correct_name

    correct_name(token=person.token, name=name)


def tie(owner: Connection[Any], *people: Person) -> None:
    """Link accounts as `link_accounts` leaves them."""
    bond = uuid.uuid4()
    for person in people:
        owner.execute("INSERT INTO troth.linked (subject, bond) VALUES (%s, %s)", (person.subject, bond))


def in_force(owner: Connection[Any], version: int, more: str = "", less: str = "") -> None:
    """Apply a version of the default policy that says more, or less, and let everybody agree to it."""
    text = POLICY.read_text(encoding="utf-8").replace(" version 1 ", f" version {version} ") + more
    lines = [line for line in text.splitlines(keepends=True) if not less or not line.startswith(less)]
    apply.apply(owner, "".join(lines), TERMS)
    published.forget()
    newest = "SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1"
    told = owner.execute(newest.encode()).fetchone()
    assert told is not None
    for (subject,) in owner.execute("SELECT DISTINCT subject FROM troth.agreement").fetchall():
        owner.execute("SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", (subject, *told))


def name_of(owner: Connection[Any], person: Person) -> str:
    row = owner.execute("SELECT name FROM troth.person WHERE subject = %s", (person.subject,)).fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture
def kept(owner: Connection[Any], cast: dict[str, Person]) -> Iterator[dict[str, Person]]:
    """The cast under a policy that keeps earlier names."""
    in_force(owner, 2, KEEPING)
    yield cast
    published.forget()


def test_a_name_replaces_the_one_before_in_every_linked_account(
    owner: Connection[Any], cast: dict[str, Person]
) -> None:
    tie(owner, cast["alice"], cast["dana"])
    renamed(cast["alice"], "Alice Lovelace")
    assert name_of(owner, cast["dana"]) == "Alice Lovelace"
    renamed(cast["dana"], "Alice King")
    assert name_of(owner, cast["alice"]) == "Alice King"
    assert (name_of(owner, cast["bob"]), name_of(owner, cast["charlie"])) == ("Bob", "Charlie")


def test_whoever_changes_a_name_in_whatever_way_changes_it_everywhere(
    owner: Connection[Any], cast: dict[str, Person]
) -> None:
    tie(owner, cast["alice"], cast["dana"], cast["bob"])
    owner.execute("UPDATE troth.person SET name = 'Ada' WHERE subject = %s", (cast["bob"].subject,))
    assert {name_of(owner, cast[who]) for who in ("alice", "bob", "dana")} == {"Ada"}


def test_without_the_trigger_linked_accounts_would_part(owner: Connection[Any], cast: dict[str, Person]) -> None:
    """The control taken away."""
    tie(owner, cast["alice"], cast["dana"])
    owner.execute("DROP TRIGGER follow ON troth.person")
    renamed(cast["alice"], "Alice Lovelace")
    assert name_of(owner, cast["dana"]) == "Dana"


def test_no_clause_no_earlier_name(owner: Connection[Any], cast: dict[str, Person]) -> None:
    renamed(cast["alice"], "Alice Lovelace")
    assert owner.execute("SELECT count(*) FROM troth.earlier_name").fetchone() == (0,)


def test_a_clause_keeps_earlier_names_of_every_linked_account(owner: Connection[Any], kept: dict[str, Person]) -> None:
    tie(owner, kept["alice"], kept["dana"])
    renamed(kept["alice"], "Alice Lovelace")
    found = owner.execute("SELECT subject, name FROM troth.earlier_name ORDER BY name").fetchall()
    assert found == [(kept["alice"].subject, "Alice"), (kept["dana"].subject, "Dana")]


def test_without_the_grants_check_no_name_could_change_where_none_is_kept(
    owner: Connection[Any], cast: dict[str, Person]
) -> None:
    """The database refuses to write what no clause collects, even where the function does not ask first."""
    body = owner.execute("SELECT pg_get_functiondef('troth.keep_earlier_name()'::regprocedure)").fetchone()
    assert body is not None
    asked = "has_column_privilege(current_user, 'troth.earlier_name', 'name', 'INSERT')"
    assert asked in body[0]
    owner.execute(body[0].replace(asked, "true"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        renamed(cast["alice"], "Alice Lovelace")


def test_who_sees_an_earlier_name_is_the_policys_to_say(owner: Connection[Any], kept: dict[str, Person]) -> None:
    from troth.people import queries

    renamed(kept["alice"], "Alice Lovelace")
    assert queries.earlier_names(kept["alice"].token) == []
    with (
        connect.acting("self", token=kept["alice"].token) as viewer,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        viewer.execute("SELECT name FROM troth.earlier_name")
    in_force(owner, 3, KEEPING + SHOWING)
    assert [each.name for each in queries.earlier_names(kept["alice"].token)] == ["Alice"]
    assert queries.earlier_names(kept["charlie"].token) == []


def test_earlier_names_go_when_a_version_keeps_none_any_more(owner: Connection[Any], kept: dict[str, Person]) -> None:
    renamed(kept["alice"], "Alice Lovelace")
    in_force(owner, 3)
    owner.execute("SELECT troth.sweep()")
    assert owner.execute("SELECT count(*) FROM troth.earlier_name").fetchone() == (0,)


def test_two_sides_that_rename_at_once_end_with_one_name(owner: Connection[Any], cast: dict[str, Person]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    tie(owner, cast["alice"], cast["dana"])
    with ThreadPoolExecutor(2) as both:
        for turn in range(6):
            list(both.map(lambda who, t=turn: renamed(cast[who], f"{who} {t}"), ("alice", "dana")))
            assert name_of(owner, cast["alice"]) == name_of(owner, cast["dana"])


def test_a_purpose_reads_the_new_name_at_its_next_statement(owner: Connection[Any], cast: dict[str, Person]) -> None:
    make(owner, "Eve")
    renamed(cast["alice"], "Alice Lovelace")
    with connect.acting("provide") as purpose:
        found = {row[0] for row in purpose.execute("SELECT name FROM troth.person")}
    assert "Alice Lovelace" in found
    assert "Alice" not in found
