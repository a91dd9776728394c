"""Each control of the recording function, taken away: what it keeps out gets in."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.ledger.conftest import Connect
from troth.database import statements
from troth.ledger.actions import record
from troth.ledger.queries import entries

LOCK = "PERFORM pg_advisory_xact_lock(7277);"
CHECK = "IF EXISTS (\n        SELECT FROM jsonb_each"


def without(owner: Connect, control: str, instead: str) -> None:
    function = statements.load("troth.ledger.sql")["append"]
    assert function.count(control) == 1
    with owner() as connection:
        connection.execute(function.replace(control, instead).encode())


def second_while_the_first_is_open(owner: Connect) -> int:
    """Record in two transactions, the second begun before the first commits; return the second's index."""
    first, second = owner(), owner()
    record(first, action="agreed", actor=None, subject=None)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(record, second, action="agreed", actor=None, subject=None)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.2)
        first.commit()
        index = waiting.result(timeout=10)
    second.commit()
    return index


def test_the_second_recorder_waits_and_comes_next(owner: Connect) -> None:
    assert second_while_the_first_is_open(owner) == 1


def test_without_the_lock_the_second_recorder_fails(owner: Connect) -> None:
    without(owner, LOCK, "")
    with pytest.raises(psycopg.errors.UniqueViolation):
        second_while_the_first_is_open(owner)


def test_without_the_check_an_address_would_be_recorded_for_good(owner: Connect) -> None:
    without(owner, CHECK, CHECK.replace("EXISTS", "false AND EXISTS"))
    with owner() as connection:
        record(connection, action="agreed", actor=None, subject=None, facts={"told": "alice@example.org"})
        assert next(entries(connection)).facts == {"told": "alice@example.org"}
