"""Under load: from the moment a withdrawal is acknowledged on no row of that person's comes in, whoever was storing then."""

import asyncio
import random
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.intake.sending import Application, event, post, registered
from tests.intake.test_outdated import REFUSAL
from tests.intake.test_recorder import an_access
from tests.seeding import REPLAY, SEED
from troth.api.app import Lean
from troth.consent import actions
from troth.database import connect
from troth.intake.recorder import Recorder

ROUNDS = 4
USE = (
    "INSERT INTO troth.feature_use (subject, at, id, application, feature, uses)"
    " SELECT whose, statement_timestamp(), uuidv7(), %s, 'export', ~(1::bigint << 63)"
    " FROM unnest(%s::uuid []) AS people (whose), generate_series(1, 20)"
)
#: What the recorder stores; `understand` and `protect` may use it.
ACCESS = (
    "INSERT INTO troth.access (subject, at, id, url, uses)"
    " SELECT whose, statement_timestamp(), uuidv7(), '/raced', ~(1::bigint << 63)"
    " FROM unnest(%s::uuid []) AS people (whose), generate_series(1, 20)"
)
LOCK = "PERFORM pg_advisory_xact_lock_shared(7276, bucket)"


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice and Bob use."""
    made = registered(owner)
    for name in ("alice", "bob"):
        made.knows(cast[name])
    return made


class Load:
    """Whoever stores at once: the gate or the recorder, and two that insert as its role, slowly."""

    def __init__(self, notes: Application, people: list[uuid.UUID], table: str) -> None:
        self.notes, self.people, self.table = notes, people, table
        whole = self._gate if table == "feature_use" else self._recorder
        self.ended, self.answers = threading.Event(), list[int]()
        self.threads = [threading.Thread(target=self._insert, args=(random.Random(SEED + nth),)) for nth in range(2)]
        self.threads.append(threading.Thread(target=lambda: asyncio.run(whole())))

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_told: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(60)

    def _insert(self, chance: random.Random) -> None:
        while not self.ended.is_set():
            try:
                with connect.acting("intake") as intake:
                    if self.table == "access":
                        intake.execute(ACCESS.encode(), (self.people,))
                    else:
                        intake.execute(USE.encode(), (self.notes.application, self.people))
                    time.sleep(chance.uniform(0, 0.1))  # judged, and not committed yet
            except psycopg.Error as error:
                assert error.sqlstate == "TR070", error
                time.sleep(0.02)

    async def _gate(self) -> None:
        lean, nth = Lean(), 0
        await lean.start()
        while not self.ended.is_set():
            nth += 1
            keys = [f"load-{nth:05d}-{each}" for each in range(6)]
            many = [event("feature_use", self.notes.names["Alice"], key) for key in keys]
            requests = [post(lean, body, key=self.notes.key) for body in (*many[:3], many[3:])]
            self.answers += [each.status for each in await asyncio.gather(*requests)]
        await lean.stop()

    async def _recorder(self) -> None:
        """Record what everybody permitted when it was captured."""
        each = Recorder()
        await each.start()
        while not self.ended.is_set():
            for whose in self.people * 3:
                each.record(an_access(whose, "/raced"))
            await asyncio.sleep(0.01)
        await each.stop()


def many(owner: Connection[Any], whose: uuid.UUID, table: str) -> int:
    row = owner.execute(f"SELECT count(*) FROM troth.{table} WHERE subject = %s".encode(), (whose,)).fetchone()
    assert row is not None
    return int(row[0])


def withdrawn(owner: Connection[Any], alice: Person, table: str) -> Iterator[tuple[int, int]]:
    """Object and permit again and again; yield how many rows stood at each acknowledgement, and how many a while later."""
    chance = random.Random(SEED)
    for _ in range(ROUNDS):
        before, deadline = many(owner, alice.subject, table), time.monotonic() + 30
        while many(owner, alice.subject, table) == before:  # rows of hers do come in
            assert time.monotonic() < deadline
        time.sleep(chance.uniform(0, 0.1))
        with connect.acting("self", token=alice.token) as viewer:
            viewer.execute("SELECT troth.choose('understand', 'objection')")
            standing = many(owner, alice.subject, table)  # whoever stores for her now waits until this is committed
        time.sleep(0.4)
        yield standing, many(owner, alice.subject, table)
        with connect.acting("self", token=alice.token) as viewer:
            viewer.execute("SELECT troth.choose('understand', 'permission')")


@pytest.mark.parametrize("table", ["feature_use", "access"])
def test_no_row_comes_in_once_a_withdrawal_is_acknowledged(
    notes: Application, cast: dict[str, Person], owner: Connection[Any], table: str
) -> None:
    print(REPLAY)
    alice, bob = cast["alice"], cast["bob"]
    actions.choose(token=alice.token, purpose="protect", kind="objection")
    with Load(notes, [alice.subject, bob.subject], table) as load:
        for standing, later in withdrawn(owner, alice, table):
            assert later == standing
    if table == "feature_use":
        assert {200, 201, 403} <= set(load.answers) <= {200, 201, 403, 503}
    assert many(owner, bob.subject, table) > 0
    assert owner.execute("SELECT reason FROM troth.intake_count WHERE outcome = 'dropped'").fetchall() == []
    with connect.acting("steward") as steward:
        assert steward.execute("SELECT * FROM troth.misstamped() WHERE rows > 0").fetchall() == []


@pytest.mark.parametrize(
    ("table", "control", "instead"), [("feature_use", LOCK, "PERFORM bucket"), ("access", REFUSAL, "")]
)
def test_without_the_control_some_would(
    notes: Application, cast: dict[str, Person], owner: Connection[Any], table: str, control: str, instead: str
) -> None:
    (body,) = owner.execute(f"SELECT pg_get_functiondef('troth.stamp_{table}'::regproc)".encode()).fetchone() or ("",)
    assert control in body
    owner.execute(body.replace(control, instead).encode())
    actions.choose(token=cast["alice"].token, purpose="protect", kind="objection")
    with Load(notes, [cast["alice"].subject, cast["bob"].subject], table):
        assert any(later > standing for standing, later in withdrawn(owner, cast["alice"], table))
