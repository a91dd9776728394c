"""What the database records: one entry in the action's own transaction, gap-free, linked, without personal data."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.ledger.conftest import Connect
from troth.ledger.actions import record
from troth.ledger.entry import ORIGIN, Fact, mark
from troth.ledger.errors import FactsRefusal, UnreadableRefusal
from troth.ledger.queries import about, entries
from troth.ledger.verify import Flaw, verify

ALICE = UUID("018f0000-0000-7000-8000-00000000a11c")
BOB = UUID("018f0000-0000-7000-8000-0000000000b0")


def test_an_entry_is_linked_to_the_one_before(owner: Connect) -> None:
    with owner() as connection:
        for index in range(3):
            assert record(connection, action="agreed", actor=ALICE, subject=ALICE, facts={"version": index}) == index
        found = list(entries(connection))
    assert [entry.previous for entry in found] == [ORIGIN, found[0].hash, found[1].hash]
    assert verify(found).sound


def test_the_database_and_the_verifier_hash_the_same_bytes_whatever_the_facts(owner: Connect) -> None:
    told: dict[str, Fact] = {
        "zz": 1,
        "a_b": True,
        "ab": None,
        "aa": -5,
        "b": 999_999_999_999_999,
        "c": "two.words-x_1",
        "d": "ab" * 32,
    }
    with owner() as connection:
        record(connection, action="consent", actor=None, subject=BOB, facts=told)
        record(connection, action="declined", actor=None, subject=None)
        found = list(entries(connection, batch=1))
    assert [entry.facts for entry in found] == [told, {}]
    assert verify(found).sound


def test_an_action_that_is_rolled_back_leaves_neither_entry_nor_gap(owner: Connect) -> None:
    with owner() as connection:
        record(connection, action="agreed", actor=ALICE, subject=ALICE)
        connection.commit()
        record(connection, action="consent", actor=ALICE, subject=ALICE)
        connection.rollback()
        assert record(connection, action="objection", actor=ALICE, subject=ALICE) == 1
        assert [entry.action for entry in entries(connection)] == ["agreed", "objection"]


def test_concurrent_recorders_leave_no_gap_and_no_fork(owner: Connect) -> None:
    connections = [owner() for _ in range(4)]

    def work(connection: psycopg.Connection[Any]) -> None:
        for turn in range(30):
            record(connection, action="consent", actor=uuid4(), subject=BOB, facts={"turn": turn})
            if turn % 3:
                connection.commit()
            else:
                connection.rollback()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, connections))
    with owner() as connection:
        found = list(entries(connection, batch=7))
    assert [entry.index for entry in found] == list(range(80))
    assert verify(found).sound


@pytest.mark.parametrize(
    "value",
    [
        "alice@example.org",
        "Alice",
        "alice smith",
        "192.0.2.7",
        "2001:db8::7",
        str(ALICE),
        "a" + str(ALICE)[1:],
        ALICE.hex,
        "a" * 64 + "b",
        "x" * 64,
        "",
        1.5,
        10**15,
        ["a"],
        {"a": 1},
    ],
)
def test_a_fact_that_could_say_who_somebody_is_is_refused_by_the_database(owner: Connect, value: Any) -> None:
    with owner() as connection:
        with pytest.raises(FactsRefusal, match="could say who somebody is") as refused:
            record(connection, action="consent", actor=None, subject=None, facts={"told": value})
        assert refused.value.code == "ledger-facts"
        assert str(value) not in str(refused.value) or value == ""
        connection.rollback()
        assert list(entries(connection)) == []


@pytest.mark.parametrize("action", ["", "Alice", "a b", "alice@example.org", "x" * 65])
def test_an_action_is_a_word(owner: Connect, action: str) -> None:
    with owner() as connection, pytest.raises(FactsRefusal, match="no word"):
        record(connection, action=action, actor=None, subject=None)


@pytest.mark.parametrize("told", [None, [], "x", 1])
def test_facts_are_an_object(owner: Connect, told: Any) -> None:
    with owner() as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute("SELECT troth.record('agreed', NULL, NULL, %s)", (Jsonb(told),))
    assert refused.value.sqlstate == "TR030"


def test_who_and_whom_are_digests_under_salts_of_their_own(owner: Connect) -> None:
    with owner() as connection:
        record(connection, action="agreed", actor=ALICE, subject=BOB)
        record(connection, action="agreed", actor=ALICE, subject=ALICE)
        first, second = entries(connection)
        rows = connection.execute("SELECT subject, entry, salt FROM troth.ledger_salt").fetchall()
    salts = {(subject, entry): salt for subject, entry, salt in rows}
    assert first.actor == mark(salts[ALICE, 0], ALICE)
    assert first.subject == mark(salts[BOB, 0], BOB)
    assert second.actor == second.subject == mark(salts[ALICE, 1], ALICE)
    assert first.actor != second.actor, "two entries about one person cannot be told to be"
    assert len(set(salts.values())) == 3


def test_a_person_finds_what_concerns_them_newest_first(owner: Connect) -> None:
    with owner() as connection:
        record(connection, action="agreed", actor=ALICE, subject=ALICE)
        record(connection, action="agreed", actor=BOB, subject=BOB)
        record(connection, action="opened", actor=BOB, subject=ALICE)
        assert [entry.index for entry in about(connection, ALICE)] == [2, 0]
        assert [entry.index for entry in about(connection, ALICE, before=2)] == [0]
        assert about(connection, uuid4()) == []


def test_erasing_a_person_deletes_salts_and_the_chain_still_holds(owner: Connect) -> None:
    with owner() as connection:
        record(connection, action="agreed", actor=ALICE, subject=ALICE)
        record(connection, action="agreed", actor=BOB, subject=BOB)
        connection.execute("DELETE FROM troth.ledger_salt WHERE subject = %s", (ALICE,))
        record(connection, action="erased", actor=None, subject=None)
        assert about(connection, ALICE) == []
        assert verify(entries(connection)).sound


FORGERIES = {
    "action": "'consent'",
    "at": "at + interval '1 microsecond'",
    "actor": "set_byte(actor, 7, get_byte(actor, 7) # 1)",
    "subject": "NULL",
    "facts": """'{"version": 2}'""",
    "hash": "set_byte(hash, 31, get_byte(hash, 31) # 128)",
}


@pytest.mark.asvs("16.4.2")
@pytest.mark.parametrize("column", FORGERIES)
def test_what_the_owner_edits_by_hand_is_seen(owner: Connect, column: str) -> None:
    forgery = f"UPDATE troth.ledger_entry SET {column} = {FORGERIES[column]} WHERE index = 1"
    with owner() as connection:
        for _ in range(3):
            record(connection, action="agreed", actor=ALICE, subject=BOB, facts={"version": 1})
        assert verify(entries(connection)).sound
        assert connection.execute(forgery.encode()).rowcount == 1
        verdict = verify(entries(connection))
    assert (verdict.flaw, verdict.index) == (Flaw.EDITED, 1)


def test_a_time_no_entry_can_have_is_reported_and_not_passed_over(owner: Connect) -> None:
    with owner() as connection:
        record(connection, action="agreed", actor=ALICE, subject=BOB)
        connection.execute("UPDATE troth.ledger_entry SET at = 'infinity'")
        with pytest.raises(UnreadableRefusal, match="after index -1"):
            verify(entries(connection))


def test_entries_swapped_in_the_database_are_seen(owner: Connect) -> None:
    with owner() as connection:
        for version in range(4):
            record(connection, action="agreed", actor=ALICE, subject=BOB, facts={"version": version})
        connection.execute("ALTER TABLE troth.ledger_salt DROP CONSTRAINT ledger_salt_entry_fkey")
        for old, new in ((1, 9), (2, 1), (9, 2)):
            connection.execute("UPDATE troth.ledger_entry SET index = %s WHERE index = %s", (new, old))
        verdict = verify(entries(connection))
    assert (verdict.flaw, verdict.index) == (Flaw.UNLINKED, 1)


def test_the_end_cut_off_and_recorded_over_is_seen_by_the_head_kept_outside(owner: Connect) -> None:
    with owner() as connection:
        for _ in range(4):
            record(connection, action="agreed", actor=ALICE, subject=ALICE)
        seen = verify(entries(connection)).head
        connection.execute("DELETE FROM troth.ledger_salt WHERE entry >= 2")
        connection.execute("DELETE FROM troth.ledger_entry WHERE index >= 2")
        assert verify(entries(connection)).sound, "in itself a cut ledger is a younger one"
        assert verify(entries(connection), remembered=seen).flaw is Flaw.TRUNCATED
        for _ in range(3):
            record(connection, action="agreed", actor=ALICE, subject=ALICE)
        assert verify(entries(connection), remembered=seen).flaw is Flaw.REPLACED
