"""Withdrawals against inserts: no row is over- or under-stamped, whatever the order in which they meet."""

import random
import threading
import time
import uuid
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Person
from troth.database import connect, place

SECONDS = 6.0
ROWS = 40
INSERT = (
    "INSERT INTO troth.access (subject, at, id, url, uses) SELECT s, statement_timestamp(), uuidv7(), '/', u"
    " FROM unnest(%s::uuid[], %s::bigint[]) AS t (s, u)"
)
LOCK = "PERFORM pg_advisory_xact_lock_shared(7276, bucket)"


def stress(where: place.Place, cast: dict[str, Person], seconds: float) -> tuple[int, int]:
    """Run inserters against people who change their minds; return batches and choices that were acknowledged."""
    stop = time.monotonic() + seconds
    people, done, failed = list(cast.values()), [0, 0], []

    def insert(seed: int) -> None:
        chance = random.Random(seed)
        with psycopg.connect(**connect.parameters("intake", where), autocommit=True) as connection:
            while time.monotonic() < stop:
                subjects = [chance.choice(people).subject for _ in range(ROWS)]
                connection.execute(INSERT, (subjects, [chance.choice((0, 7, 31)) for _ in subjects]))
                done[0] += 1

    def choose(person: Person, seed: int) -> None:
        chance = random.Random(seed)
        with psycopg.connect(**connect.parameters("self", where)) as connection:
            while time.monotonic() < stop:
                connection.execute("SELECT set_config('troth.token', %s, true)", (person.token,))
                purpose, kind = chance.choice(
                    (
                        ("understand", "objection"),
                        ("understand", "permission"),
                        ("announce", "consent"),
                        ("announce", "withdrawal"),
                    )
                )
                connection.execute("SELECT troth.choose(%s, %s)", (purpose, kind))
                connection.commit()
                done[1] += 1

    def guarded(work: Any, *told: Any) -> None:
        try:
            work(*told)
        except psycopg.Error as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(insert, seed)) for seed in range(3)]
    threads += [threading.Thread(target=guarded, args=(choose, person, n)) for n, person in enumerate(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 60)
    assert failed == []
    return done[0], done[1]


def misstamped(owner: Connection[Any]) -> list[Any]:
    return owner.execute("SELECT table_name, rows FROM troth.misstamped() WHERE rows > 0").fetchall()


def test_under_stress_no_row_is_over_or_under_stamped(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    batches, choices = stress(database, cast, SECONDS)
    print(f"{batches} batches of {ROWS} rows against {choices} choices")
    assert batches > 20
    assert choices > 20
    assert misstamped(owner) == []


def test_an_insert_that_began_before_a_withdrawal_is_stamped_after_it(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    """Stepped: the withdrawal waits for the insert's bucket, and then takes its rows along."""
    alice, told = cast["alice"], []
    with psycopg.connect(**connect.parameters("intake", database)) as slow:
        slow.execute(INSERT, ([alice.subject], [0]))

        def withdraw() -> None:
            with connect.acting("self", token=alice.token) as connection:
                connection.execute("SELECT troth.choose('understand', 'objection')")
            told.append("acknowledged")

        thread = threading.Thread(target=withdraw)
        thread.start()
        time.sleep(0.4)
        assert told == []  # it cannot be acknowledged while a row of before is still on its way
        slow.commit()
        thread.join(10)
    assert told == ["acknowledged"]
    with connect.acting("understand") as connection:
        assert connection.execute("SELECT count(*) FROM access WHERE subject = %s", (alice.subject,)).fetchone() == (0,)


def test_without_the_bucket_a_row_slips_through(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    """The control taken away: the same steps leave a row stamped for a purpose that was objected to."""
    body = owner.execute("SELECT pg_get_functiondef('troth.stamp_access'::regproc)").fetchone()
    assert body is not None
    assert LOCK in body[0]
    owner.execute(body[0].replace(LOCK, "PERFORM bucket").encode())
    alice = cast["alice"]
    with psycopg.connect(**connect.parameters("intake", database)) as slow:
        slow.execute(INSERT, ([alice.subject], [0]))
        with connect.acting("self", token=alice.token) as connection:
            connection.execute("SELECT troth.choose('understand', 'objection')")
        slow.commit()
    assert misstamped(owner) == [("access", 1)]


def test_an_old_snapshot_of_a_purpose_is_ended(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    from troth.database.keeper import Keeper

    keeper = Keeper(database, next_round=time.monotonic() + 1000)
    with psycopg.connect(**connect.parameters("understand", database)) as old:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert old.execute("SELECT count(*) FROM access").fetchone() == (8,)
        with connect.acting("self", token=cast["alice"].token) as connection:
            connection.execute("SELECT troth.choose('understand', 'objection')")
        time.sleep(5.2)
        keeper.turn()
        with pytest.raises(psycopg.OperationalError):
            old.execute("SELECT count(*) FROM access")


def test_claims_of_new_people_do_not_deadlock(cast: dict[str, Person], owner: Connection[Any]) -> None:
    from tests.conftest import make

    failed: list[BaseException] = []

    def sign_up(number: int) -> None:
        try:
            for turn in range(6):
                make(owner_of[number], f"P{number}x{turn}")
        except psycopg.Error as error:
            failed.append(error)

    owner_of = [psycopg.connect(**connect.parameters("owner"), autocommit=True) for _ in range(6)]
    threads = [threading.Thread(target=sign_up, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for each in owner_of:
        each.close()
    assert failed == []
    assert misstamped(owner) == []
    assert uuid.UUID(int=0) not in {person.subject for person in cast.values()}
