"""What somebody tied to their account is exported and erased with it, and of nobody else."""

import uuid
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.planting import knew
from tests.rights.asking import erased, exported, part, previewed


@pytest.fixture
def tied(cast: dict[str, Person], owner: Connection[Any]) -> dict[str, uuid.UUID]:
    """Alice and Bob each with a browser that they tied; what each left is one access."""
    found = {}
    for name in ("alice", "bob"):
        knew(owner, cast[name].subject)
        row = owner.execute("SELECT identifier FROM troth.tied WHERE subject = %s", (cast[name].subject,)).fetchone()
        assert row is not None
        found[name] = row[0]
    return found


def lefts(owner: Connection[Any], identifier: uuid.UUID) -> int:
    row = owner.execute("SELECT count(*) FROM troth.access WHERE subject = %s", (identifier,)).fetchone()
    return int(row[0]) if row else -1


def test_an_export_holds_what_was_tied_and_nothing_that_another_tied(
    tied: dict[str, uuid.UUID], cast: dict[str, Person], owner: Connection[Any]
) -> None:
    made = exported(owner, cast["alice"])
    subjects = {row.values["subject"] for row in part(made, "access").rows}
    assert str(tied["alice"]) in subjects
    assert str(tied["bob"]) not in subjects
    assert [row.values["subject"] for row in part(made, "identifier").rows] == [str(tied["alice"])]
    assert [row.values["identifier"] for row in part(made, "tied").rows] == [str(tied["alice"])]


def test_an_erasure_takes_it_as_its_preview_says(
    tied: dict[str, uuid.UUID], cast: dict[str, Person], owner: Connection[Any]
) -> None:
    told = previewed(owner, cast["alice"])
    assert (told["identifier"]["at_once"], told["tied"]["at_once"]) == (1, 1)
    assert lefts(owner, tied["alice"]) == 1
    erased(owner, cast["alice"])
    ended = "SELECT ended_at IS NOT NULL FROM troth.subject WHERE subject = %s"
    assert owner.execute(ended, (tied["alice"],)).fetchone() == (True,)
    assert owner.execute(ended, (tied["bob"],)).fetchone() == (False,)
    assert owner.execute("SELECT subject FROM troth.tied").fetchall() == [(cast["bob"].subject,)]
    assert owner.execute("SELECT subject FROM troth.identifier").fetchall() == [(tied["bob"],)]
