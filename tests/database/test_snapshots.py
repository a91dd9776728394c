"""A withdrawal reaches whoever holds on to an older view of the rows, idle or busy."""

import threading
import time
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Person
from troth.database import connect, keeper, place

QUERY = "SELECT count(*) FROM access WHERE subject = %s"


def object_to(person: Person) -> None:
    with connect.acting("self", token=person.token) as connection:
        connection.execute("SELECT troth.choose('understand', 'objection')")


def reading(where: place.Place) -> Connection[Any]:
    """A purpose's connection that will not let go of its snapshot."""
    connection = psycopg.connect(**connect.parameters("understand", where))
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.execute("SET statement_timeout = 0")
    connection.commit()
    return connection


def kept(where: place.Place, seconds: float) -> None:
    """Let the keeper turn as it does in service."""
    turning, end = keeper.Keeper(where, next_round=time.monotonic() + 1000), time.monotonic() + seconds
    while time.monotonic() < end:
        turning.turn()
        time.sleep(0.25)


def test_being_busy_does_not_keep_an_old_snapshot(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    """One long transaction of short statements is never found idle, and still has to end."""
    alice, seen = cast["alice"], list[tuple[float, int]]()
    began = time.monotonic()

    def hold() -> None:
        try:
            with reading(database) as connection:
                while time.monotonic() < began + 9:
                    row = connection.execute(QUERY, (alice.subject,)).fetchone()
                    seen.append((time.monotonic(), row[0] if row else 0))
                    connection.execute("SELECT pg_sleep(0.9)")
        except psycopg.OperationalError:
            pass

    thread = threading.Thread(target=hold)
    thread.start()
    time.sleep(1)
    object_to(alice)
    acknowledged = time.monotonic()
    kept(database, 8)
    thread.join(20)
    late = [moment - acknowledged for moment, rows in seen if rows and moment > acknowledged]
    assert max(late, default=0) < 6.5, late


def test_an_ordinary_transaction_of_many_statements_goes_on(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    """Statement by statement it sees what holds now, so that there is nothing to end."""
    alice = cast["alice"]
    done = []

    def read() -> None:
        with psycopg.connect(**connect.parameters("understand", database)) as connection:
            for _ in range(8):
                row = connection.execute(QUERY, (alice.subject,)).fetchone()
                done.append(row[0] if row else 0)
                time.sleep(0.5)  # thinks: what the last statement saw is still held by its portal
                connection.execute("SELECT pg_sleep(0.4)")

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(1.5)
    object_to(alice)
    kept(database, 6)
    thread.join(20)
    assert len(done) == 8
    assert (done[0], done[-1]) == (2, 0)


@pytest.mark.parametrize("statement", ["DECLARE c CURSOR FOR SELECT subject FROM access", "SELECT pg_sleep(20)"])
def test_an_open_cursor_or_a_statement_without_end_is_ended(
    cast: dict[str, Person],
    owner: Connection[Any],
    database: place.Place,
    statement: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper, "LONGEST", 5.0)
    connection = reading(database)
    connection.execute(QUERY, (cast["alice"].subject,))
    pid = connection.info.backend_pid
    thread = threading.Thread(target=lambda: swallow(connection, statement))
    thread.start()
    kept(database, 6.5)
    assert owner.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone() == (0,)
    thread.join(20)
    connection.close()


def swallow(connection: Connection[Any], statement: str) -> None:
    try:
        connection.execute(statement.encode())
    except psycopg.OperationalError:
        return
