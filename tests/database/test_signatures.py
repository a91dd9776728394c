"""What was in force stays what was signed, and none of it goes: against whoever has the database, and not the key."""

import json
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person
from troth.database import apply, place, signatures
from troth.database.drift import drift
from troth.database.keeper import Keeper
from troth.database.signatures import AlteredVersion

FIRST = POLICY.read_text(encoding="utf-8")
SECOND = FIRST.replace(" version 1 ", " version 2 ", 1)
#: The second version goes, with whatever hangs on it.
PUT_BACK = """
DELETE FROM troth.policy_signature WHERE version = 2;
DELETE FROM troth.version_retention WHERE version = 2;
DELETE FROM troth.policy_version WHERE version = 2;
"""
UNSIGNED = """
DELETE FROM troth.policy_signature;
UPDATE troth.policy_version SET terms = 'All is ours.', terms_digest = encode(sha256('All is ours.'), 'hex') WHERE version = 2;
"""


@pytest.fixture
def second(owner: Connection[Any]) -> Connection[Any]:
    """Two versions were in force, one after the other."""
    assert FIRST != SECOND
    apply.apply(owner, SECOND, TERMS)
    return owner


def started(database: place.Place) -> apply.Outcome:
    return Keeper(database).prepare(FIRST, TERMS)


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (PUT_BACK, "version 2 was in force here, and the database has it no more"),
        (UNSIGNED, "version 2 is in force, and is not what"),
        (
            "UPDATE troth.policy_version SET source = source || ' ' WHERE version = 1",
            "version 1 was in force, and is not",
        ),
        (
            "UPDATE troth.policy_version SET terms = terms || ' ' WHERE version = 1",
            "version 1 was in force, and is not",
        ),
        ("UPDATE troth.policy_version SET effective_on = '2020-01-01' WHERE version = 1", "version 1 was in force"),
        (
            "UPDATE troth.policy_version SET floor = NOT floor WHERE version = 2",
            "version 2 is in force, and is not what",
        ),
        ("UPDATE troth.policy_version SET floor = NOT floor WHERE version = 1", "version 1 was in force, and is not"),
        ("UPDATE troth.policy_version SET raised = 3 WHERE version = 2", "version 2 is in force, and is not what"),
        ("UPDATE troth.policy_version SET digest = repeat('0', 64) WHERE version = 1", "version 1 was in force"),
        ("UPDATE troth.policy_version SET terms_digest = repeat('0', 64) WHERE version = 1", "version 1 was in force"),
    ],
)
def test_what_the_database_says_of_before_is_held_against_what_was_signed(
    second: Connection[Any], database: place.Place, done: str, said: str
) -> None:
    started(database)
    assert signatures.broken(second) == []
    second.execute(done.encode())
    with pytest.raises(AlteredVersion, match=said):
        started(database)
    with pytest.raises(AlteredVersion, match=said):
        apply.apply(second, SECOND.replace(" version 2 ", " version 3 ", 1), TERMS)
    (sentence,) = signatures.broken(second)
    assert sentence.startswith(said)


@pytest.mark.parametrize("done", [PUT_BACK, UNSIGNED])
def test_without_the_memory_an_older_or_altered_one_would_pass(
    second: Connection[Any], database: place.Place, done: str
) -> None:
    """The control taken away."""
    second.execute(done.encode())
    (database.data / signatures.FILE).unlink()
    started(database)


def test_each_version_is_remembered_when_it_is_in_force_and_no_sooner(second: Connection[Any]) -> None:
    remembered = signatures.recall()
    assert remembered.keys() == {1, 2}

    def stumbles(_: Connection[Any]) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        apply.apply(second, SECOND.replace(" version 2 ", " version 3 ", 1), TERMS, and_then=stumbles)
    assert signatures.recall() == remembered


def test_what_is_altered_while_another_version_takes_effect_is_not_learnt(second: Connection[Any]) -> None:
    def alters(connection: Connection[Any]) -> None:
        connection.execute("UPDATE troth.policy_version SET raised = 3 WHERE version = 1")

    apply.apply(second, SECOND.replace(" version 2 ", " version 3 ", 1), TERMS, and_then=alters)
    assert signatures.recall().keys() == {1, 2, 3}
    (sentence,) = signatures.broken(second)
    assert sentence.startswith("version 1 was in force, and is not")


def test_whoever_died_between_the_commit_and_the_memory_goes_on(
    second: Connection[Any], database: place.Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(signatures, "remember", lambda _: None)
        apply.apply(second, SECOND.replace(" version 2 ", " version 3 ", 1), TERMS)
    assert signatures.recall().keys() == {1, 2}
    assert started(database).version == 3
    assert signatures.recall().keys() == {1, 2, 3}


def test_another_data_folder_learns_what_the_signatures_vouch_for(
    second: Connection[Any], database: place.Place
) -> None:
    """As after a backup was restored: without a memory, what is signed counts."""
    memory = database.data / signatures.FILE
    memory.unlink()
    second.execute("UPDATE troth.policy_version SET source = source || ' ' WHERE version = 1")
    with pytest.raises(AlteredVersion, match="version 1 was in force"):
        started(database)
    assert not memory.exists()
    second.execute("UPDATE troth.policy_version SET source = rtrim(source, ' ') WHERE version = 1")
    started(database)
    assert signatures.recall().keys() == {1, 2}


def earlier(owner: Connection[Any]) -> None:
    """As a troth left it that signed less, and remembered nothing."""
    (place.current().data / signatures.FILE).unlink()
    held = signatures._held(owner)[-1]
    owner.execute(
        "UPDATE troth.policy_signature SET signature = %s WHERE version = %s",
        (signatures.seal(held.covered(signatures.EARLIER)), held.version),
    )


def test_what_was_signed_in_the_earlier_form_is_signed_again_once(
    second: Connection[Any], database: place.Place
) -> None:
    earlier(second)
    started(database)
    assert signatures._held(second)[-1].vouched(signatures._signer())
    second.execute("UPDATE troth.policy_version SET raised = 3 WHERE version = 2")
    with pytest.raises(AlteredVersion):
        started(database)
    second.execute("UPDATE troth.policy_version SET raised = 0 WHERE version = 2")
    memory = json.loads((database.data / signatures.FILE).read_text("utf-8"))
    earlier(second)
    (database.data / signatures.FILE).write_text(json.dumps(memory))
    with pytest.raises(AlteredVersion):  # what is remembered was signed in the form of now
        started(database)


def test_a_memory_that_cannot_be_read_is_no_empty_one(second: Connection[Any], database: place.Place) -> None:
    (database.data / signatures.FILE).write_text('{"versions": 3}')
    with pytest.raises(AlteredVersion, match="does not say which versions were signed"):
        started(database)


def test_whoever_is_put_into_a_purpose_by_hand_is_found(owner: Connection[Any], cast: dict[str, Person]) -> None:
    assert not drift(owner)
    owner.execute(
        "UPDATE troth.permitted SET uses = uses | (SELECT 1::bigint << bit FROM troth.unit WHERE purpose = 'announce')"
        " WHERE subject = %s",
        (cast["alice"].subject,),
    )
    owner.execute("SELECT troth.restamp(subject, uses) FROM troth.permitted")
    assert drift(owner).lines() == ["permitted: 1 people are in announce and nothing says so"]
    owner.execute("SELECT troth.fold(%s)", (cast["alice"].subject,))
    assert not drift(owner)
