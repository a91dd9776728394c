"""What the windows hide and what retention removes: not a row less, not a row more, and killed or beside another too."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Person, count, visit
from troth.database import connect, place, retention
from troth.database.catalog import load as load_catalog

TROTH = Path(sys.executable).with_name("troth")
BATCH = 5000


def aged(owner: Connection[Any], person: Person, days: float, table: str = "access") -> None:
    """Make a person's rows as old as if they had come then."""
    owner.execute(
        f"UPDATE troth.{table} SET at = statement_timestamp() - make_interval(secs => %s) WHERE subject = %s".encode(),
        (days * 86400, person.subject),
    )


def ended(owner: Connection[Any], person: Person, days: float) -> None:
    """Close somebody's account, and let so many days pass."""
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (person.subject,))
    for table in ("person", "device", "agreement", "choice", "access"):
        owner.execute(
            f"UPDATE troth.{table} SET ended_at = ended_at - make_interval(secs => %s) WHERE subject = %s".encode(),
            (days * 86400, person.subject),
        )


def left(owner: Connection[Any], person: Person, table: str = "access") -> int:
    row = owner.execute(f"SELECT count(*) FROM troth.{table} WHERE subject = %s".encode(), (person.subject,)).fetchone()
    assert row is not None
    return int(row[0])


def seen(purpose: str, person: Person) -> int:
    return count(purpose, f"SELECT count(*) FROM access WHERE subject = '{person.subject}'")


def many(owner: Connection[Any], person: Person, rows: int, days: int) -> None:
    owner.execute(
        "INSERT INTO troth.access (subject, at, id, url, uses) SELECT %s, statement_timestamp() - make_interval(days => %s),"
        " uuidv7(), '/', p.uses FROM generate_series(1, %s) AS g, troth.permitted AS p WHERE p.subject = %s",
        (person.subject, days, rows, person.subject),
    )


def told(owner: Connection[Any]) -> list[dict[str, int]]:
    found = owner.execute("SELECT facts FROM troth.ledger_entry WHERE action = 'retained' ORDER BY index")
    return [facts for (facts,) in found]


def of(table: str) -> retention.Kept:
    return next(kept for kept in retention.status() if kept.table == table)


SECOND = 1 / 86400


@pytest.mark.asvs("14.2.4")
def test_a_row_is_hidden_the_moment_its_window_passes_though_it_is_still_there(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice, bob = cast["alice"], cast["bob"]
    aged(owner, alice, 30 - 60 * SECOND)
    aged(owner, bob, 30)
    assert (seen("understand", alice), seen("understand", bob)) == (2, 0)
    assert (seen("protect", alice), seen("protect", bob)) == (2, 2)
    assert retention.run().removed == 0
    assert left(owner, bob) == 2


def test_it_goes_after_the_longest_window_and_not_before(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice, bob, charlie = cast["alice"], cast["bob"], cast["charlie"]
    aged(owner, alice, 90 - 60 * SECOND)
    aged(owner, bob, 90)
    with connect.acting("self", token=charlie.token) as mine:
        mine.execute("SELECT troth.choose('personalise', 'consent')")
    aged(owner, charlie, 90)
    assert of("access").due == 2
    assert retention.run() == retention.Done(removed=2, coarsened=0)
    # Charlie's consent still lasts, so their rows do; protect, whose window passed, sees none of them.
    assert [left(owner, cast[name]) for name in ("alice", "bob", "charlie", "dana")] == [2, 0, 2, 2]
    assert (seen("protect", charlie), seen("personalise", charlie)) == (0, 2)
    with connect.acting("self", token=charlie.token) as mine:
        mine.execute("SELECT troth.choose('personalise', 'withdrawal')")
    assert retention.run().removed == 2
    assert left(owner, charlie) == 0


def test_nothing_of_other_tables_and_people_goes(cast: dict[str, Person], owner: Connection[Any]) -> None:
    tables = ("person", "device", "agreement", "choice")
    aged(owner, cast["bob"], 400)
    for table in tables:
        aged(owner, cast["bob"], 400, table)
    before = [(name, table, left(owner, cast[name], table)) for name in cast for table in tables]
    assert retention.run().removed == 2
    # An account that exists keeps them, however old they are.
    assert [(name, table, left(owner, cast[name], table)) for name in cast for table in tables] == before
    assert sum(left(owner, cast[name]) for name in cast) == 6


def test_what_stays_for_days_after_the_account_goes_then(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice, bob = cast["alice"], cast["bob"]
    ended(owner, alice, 30 - 60 * SECOND)
    ended(owner, bob, 30)
    for person in (alice, bob):
        aged(owner, person, 90 + 30, "device")
    assert (of("person").due, of("device").due, of("agreement").due) == (1, 1, 0)
    assert retention.run().removed == 2
    tables = ("person", "device", "agreement")
    assert [left(owner, alice, table) for table in tables] == [1, 1, 1]
    assert [left(owner, bob, table) for table in tables] == [0, 0, 1]


def test_a_run_tells_the_ledger_counts_and_only_when_something_went(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    assert retention.run() == retention.Done(0, 0)
    assert told(owner) == []
    last = of("access").last
    assert last is not None
    assert last.removed == 0
    aged(owner, cast["bob"], 91)
    many(owner, cast["bob"], BATCH + 1, 91)
    batches: list[int] = []
    assert retention.run(advance=batches.append).removed == BATCH + 3
    assert batches == [BATCH, 3]
    assert told(owner) == [{"removed_access": BATCH + 3}]


def test_the_numbers_of_the_status_add_up(cast: dict[str, Person], owner: Connection[Any]) -> None:
    aged(owner, cast["alice"], 89)
    aged(owner, cast["bob"], 91)
    ended(owner, cast["charlie"], 31)
    before = {kept.table: kept for kept in retention.status()}
    assert set(before) == {table.name for table in load_catalog().stamped}
    assert set(before) >= {"agreement", "choice", "person", "device", "access", "session", "membership", "profile"}
    for table, kept in before.items():
        assert owner.execute(f"SELECT count(*) FROM troth.{table}".encode()).fetchone() == (kept.rows,)
    assert {table: kept.due for table, kept in before.items() if kept.due} == {"person": 1, "access": 2}
    assert retention.run().removed == sum(kept.due for kept in before.values())
    for kept in retention.status():
        assert kept.due == 0
        assert kept.last is not None
        assert (kept.rows, kept.last.removed) == (
            before[kept.table].rows - before[kept.table].due,
            before[kept.table].due,
        )
    access = of("access")
    row = owner.execute("SELECT min(at), min(at) + interval '90 days' FROM troth.access").fetchone()
    assert row is not None
    assert access.next_due == row[1]
    assert access.oldest is not None
    assert access.oldest.days == 89
    windows = {w.purpose: (w.window.kind.value, w.window.days) for w in access.windows}
    assert windows == {"protect": ("days", 90), "understand": ("days", 30), "personalise": ("consented", 0)}
    # Every clause that keeps such rows, whatever the occasion.
    assert {w.purpose: w.clauses for w in access.windows}["understand"] == (
        "collect-access-ip-on-access",
        "collect-access-url-on-visit",
    )


def test_two_runs_at_once_take_other_rows_and_neither_waits(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    many(owner, cast["bob"], 2 * BATCH + 500, 91)
    first, second = uuid.uuid4(), uuid.uuid4()
    with psycopg.connect(**connect.parameters("steward", database)) as one, connect.acting("steward") as two:
        two.execute("SET LOCAL lock_timeout = '1s'")
        assert one.execute("SELECT troth.retain(%s)", (first,)).fetchone() == (BATCH,)
        assert two.execute("SELECT troth.retain(%s)", (second,)).fetchone() == (BATCH,)
        # What both hold is skipped; nobody waits for anybody.
        assert two.execute("SELECT troth.retain(%s)", (second,)).fetchone() == (500,)
        assert two.execute("SELECT troth.retain(%s)", (second,)).fetchone() == (0,)
        two.execute("SELECT troth.end_run(%s)", (second,))
        two.commit()
        one.execute("SELECT troth.end_run(%s)", (first,))
    assert told(owner) == [{"removed_access": BATCH + 500}, {"removed_access": BATCH}]
    assert left(owner, cast["bob"]) == 2


def test_what_a_run_that_fell_silent_did_is_told_once_even_when_it_wakes_up(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    many(owner, cast["bob"], 2 * BATCH, 91)
    sleeper = uuid.uuid4()

    def steward(statement: str, run: uuid.UUID) -> None:
        with connect.acting("steward") as connection:
            connection.execute(statement.encode(), (run,))

    steward("SELECT troth.retain(%s)", sleeper)
    assert retention.run() == retention.Done(BATCH, 0)
    assert told(owner) == [{"removed_access": BATCH}]
    owner.execute("UPDATE troth.retention_run SET at = at - interval '6 minutes' WHERE run = %s", (sleeper,))
    assert retention.run() == retention.Done(BATCH, 0)
    many(owner, cast["bob"], 7, 91)
    steward("SELECT troth.retain(%s)", sleeper)
    steward("SELECT troth.end_run(%s)", sleeper)
    assert told(owner) == [{"removed_access": BATCH}, {"removed_access": BATCH}, {"removed_access": 7}]


def test_a_row_that_somebody_holds_is_left_to_the_next_run(cast: dict[str, Person], owner: Connection[Any]) -> None:
    aged(owner, cast["bob"], 91)
    with owner.transaction():
        owner.execute("SELECT 1 FROM troth.access WHERE subject = %s LIMIT 1 FOR UPDATE", (cast["bob"].subject,))
        assert retention.run().removed == 1
    assert of("access").due == 1
    assert retention.run().removed == 1


def test_a_purpose_cannot_run_it_and_the_steward_can_remove_nothing_else(cast: dict[str, Person]) -> None:
    for role in ("understand", "intake", "door", "self"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting(role) as connection:
            connection.execute("SELECT troth.retain(%s)", (uuid.uuid4(),))
    for statement in (
        "DELETE FROM troth.access",
        "SELECT count(*) FROM troth.access",
        "DELETE FROM troth.retention_run",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("steward") as steward:
            steward.execute(statement.encode())


def command(where: place.Place, *arguments: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TROTH_", "DJANGO_"))}
    environment |= {"TROTH_DATA": str(where.data)}
    return subprocess.Popen([TROTH, "retention", *arguments], env=environment, stdout=-1, stderr=-1, text=True)


@pytest.fixture
def slowly(owner: Connection[Any]) -> Iterator[None]:
    """Batches that last, so that they can be interrupted."""
    owner.execute(
        "CREATE FUNCTION public.slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END'"
    )
    owner.execute(
        "CREATE TRIGGER slowly AFTER DELETE ON troth.access FOR EACH STATEMENT EXECUTE FUNCTION public.slowly()"
    )
    yield
    owner.execute("DROP FUNCTION public.slowly() CASCADE")


def until(what: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_that_is_killed_in_mid_batch_is_finished_and_told_by_the_next(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place, slowly: None
) -> None:
    bob = cast["bob"]
    many(owner, bob, 4 * BATCH, 91)
    running = command(database, "run")
    until(lambda: left(owner, bob) == 3 * BATCH + 2)
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    until(lambda: owner.execute(asleep.encode()).fetchone() == (1,))
    running.send_signal(signal.SIGKILL)
    running.wait(10)
    running.communicate()
    until(lambda: owner.execute(asleep.encode()).fetchone() == (0,))
    time.sleep(0.2)
    # The batch under way is undone as a whole; the one before stays done, and is not told yet.
    assert left(owner, bob) == 3 * BATCH + 2
    assert told(owner) == []
    owner.execute("DROP TRIGGER slowly ON troth.access")
    owner.execute("UPDATE troth.retention_run SET at = at - interval '6 minutes'")
    again = command(database, "run", "--format", "json")
    said, wrong = again.communicate(timeout=60)
    assert again.returncode == 0, wrong
    assert json.loads(said) == {"removed": 4 * BATCH, "coarsened": 0, "left": 0}
    assert left(owner, bob) == 2
    assert told(owner) == [{"removed_access": 4 * BATCH}]


def test_the_status_is_said_as_a_table_and_as_data(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    aged(owner, cast["bob"], 91)
    said, wrong = command(database, "status", "--format", "json").communicate(timeout=60)
    found = {each["table"]: each for each in json.loads(said)}
    assert wrong == ""
    assert (found["access"]["rows"], found["access"]["due"], found["access"]["last_run"]) == (8, 2, None)
    assert found["access"]["oldest_seconds"] == pytest.approx(91 * 86400, abs=60)
    assert {
        k: v for w in found["access"]["windows"] if w["purpose"] == "protect" for k, v in w.items() if k != "clauses"
    } == {"purpose": "protect", "kind": "days", "days": 90}
    table, _ = command(database, "status").communicate(timeout=60)
    assert "protect 90 days (" in table
    assert "while the account exists then 30 days" in table
    ran, _ = command(database, "run").communicate(timeout=60)
    assert ran.strip() == "2 rows removed, 0 made coarser; nothing is due"


def test_without_the_age_in_the_row_rule_a_row_past_its_window_would_be_seen(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """The mutation: the row rule keeps the stamp and loses the window."""
    aged(owner, cast["bob"], 31)
    assert seen("understand", cast["bob"]) == 0
    owner.execute("ALTER POLICY understand_select ON troth.access USING (uses <> 0)")
    assert seen("understand", cast["bob"]) == 2


def test_without_the_longest_window_a_sweep_would_take_what_others_may_still_use(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """The mutation: `retain` judges by the shorter window."""
    visit(cast["bob"], days=40)
    assert retention.run().removed == 0
    row = owner.execute("SELECT pg_get_functiondef('troth.retain(uuid)'::regprocedure)").fetchone()
    assert row is not None
    assert "2160 hours" in row[0]
    owner.execute(row[0].replace("2160 hours", "720 hours").encode())
    assert retention.run().removed == 1
