"""Event tables in months: made ahead, governed each, dropped whole once nothing of one lasts, and told to the ledger."""

import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person, visit
from tests.database.test_retention import told
from tests.intake.sending import registered
from troth.database import connect, months, place, published, retention
from troth.database.drift import drift
from troth.database.keeper import Keeper
from troth.policy.carrying import partition
from troth.policy.sql import security

EVENTS = ("access", "crash", "feature_use", "page_view", "location")
WHOLE = Path(months.__file__).parents[1] / "intake" / "migrations" / "0003_events.sql"


def months_of(owner: Connection[Any], table: str) -> set[str]:
    found = owner.execute(
        "SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass",
        (f"troth.{table}",),
    )
    return {name for (name,) in found}


def back(many: int) -> date:
    """Return the first day of the month so many months ago; of one to come below zero."""
    first = datetime.now(UTC).date().replace(day=1)
    for _ in range(abs(many)):
        first = (first + timedelta(days=32 if many < 0 else -1)).replace(day=1)
    return first


def cut(owner: Connection[Any], table: str, start: date) -> str:
    """Make a month as the keeper made it then."""
    name = f"{table}_{start:%Y_%m}"
    end = (start + timedelta(days=32)).replace(day=1)
    owner.execute(partition(table, name, start.isoformat(), end.isoformat()).encode())
    owner.execute(security(name).make.encode())
    return name


def old(owner: Connection[Any], person: Person, start: date, rows: int) -> None:
    """Accesses of a month long ago, stamped as they were, put there behind the intake's back."""
    owner.execute(
        "INSERT INTO troth.access (subject, at, id, url, uses)"
        " SELECT p.subject, %s + interval '12 hours', uuidv7(), '/old', p.uses"
        " FROM generate_series(1, %s), troth.permitted AS p WHERE p.subject = %s",
        (datetime(start.year, start.month, 2, tzinfo=UTC), rows, person.subject),
    )


def swept(owner: Connection[Any]) -> int:
    now = published.current("steward")
    return months.drop_past(owner, now.catalog, now.plan)


def test_the_months_to_come_stand_ready_for_each_table_of_events(owner: Connection[Any]) -> None:
    for table in EVENTS:
        assert {f"{table}_{back(-ahead):%Y_%m}" for ahead in range(months.AHEAD + 1)} <= months_of(owner, table)


def test_a_month_of_which_nothing_lasts_goes_whole_and_the_ledger_is_told_how_many_rows(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    swept(owner)  # the first months stood there before a policy said how long anything lasts
    past, standing = cut(owner, "access", back(9)), months_of(owner, "access")
    old(owner, cast["alice"], back(9), 300)
    assert swept(owner) == 300
    assert months_of(owner, "access") == standing - {past}
    assert told(owner) == [{"removed_access": 300}]
    assert swept(owner) == 0
    Keeper(place.current()).turn()
    assert past not in months_of(owner, "access")
    assert drift(owner).lines() == []


def test_a_month_of_which_a_row_lasts_stays(cast: dict[str, Person], owner: Connection[Any]) -> None:
    """Charlie consented to a use that lasts while they do."""
    past = cut(owner, "access", back(9))
    with connect.acting("self", token=cast["charlie"].token) as mine:
        mine.execute("SELECT troth.choose('personalise', 'consent')")
    for name in ("alice", "charlie"):
        old(owner, cast[name], back(9), 10)
    assert swept(owner) == 0
    assert past in months_of(owner, "access")
    assert retention.run().removed == 10
    with connect.acting("self", token=cast["charlie"].token) as mine:
        mine.execute("SELECT troth.choose('personalise', 'withdrawal')")
    assert swept(owner) == 10
    assert past not in months_of(owner, "access")
    assert drift(owner).lines() == []


def test_the_mutation_what_lasts_is_not_asked(
    cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("troth.policy.carrying.alive", lambda _retention: "false")
    with pytest.raises(AssertionError):
        test_a_month_of_which_a_row_lasts_stays(cast, owner)


def test_whoever_looks_at_a_month_is_not_waited_for(cast: dict[str, Person], owner: Connection[Any]) -> None:
    past = cut(owner, "access", back(9))
    old(owner, cast["alice"], back(9), 3)
    with connect.acting("protect") as looking:
        looking.execute("SELECT count(*) FROM access")
        assert swept(owner) == 0
    assert past in months_of(owner, "access")
    assert told(owner) == []
    assert swept(owner) == 3


def test_rows_of_a_month_that_was_not_there_stay_where_they_are(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    name = f"access_{back(1):%Y_%m}"
    owner.execute(f"DROP TABLE troth.{name}".encode())
    old(owner, cast["alice"], back(1), 5)
    now = published.current("steward")
    assert months.prepare(owner, now.catalog, now.plan) == []
    assert owner.execute("SELECT count(*) FROM troth.access_other").fetchone() == (5,)
    owner.execute("DELETE FROM troth.access_other")
    assert months.prepare(owner, now.catalog, now.plan) == [name]
    assert drift(owner).lines() == []


def test_what_applications_sent_before_is_moved_into_months_and_stays_governed(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    """From a database of the version before, with rows."""
    notes = registered(owner)
    for name in ("alice", "bob"):
        notes.knows(cast[name])
    owner.execute("DROP TABLE troth.crash CASCADE")
    owner.execute("DROP TABLE troth.feature_use CASCADE")
    owner.execute("DROP TABLE troth.intake_taken CASCADE")
    tables = ("crash", "feature_use", "intake_taken")
    made = [part for part in WHOLE.read_text("utf-8").split(";\n") if any(table in part for table in tables)]
    for part in made:
        if "CREATE" in part:
            owner.execute(part.encode())
    for table in ("crash", "feature_use"):
        owner.execute(f"ALTER TABLE troth.{table} ADD COLUMN metadata jsonb".encode())
    Keeper(database)._reapply(owner)
    for later in ("activity", "page_view", "transaction", "location", "rollup", "rollup_salt", "intake_node"):
        owner.execute(f"DROP TABLE troth.{later} CASCADE".encode())
    for table, later in (
        ("access", "place"),
        ("access", "provider"),
        ("crash", "metadata"),
        ("feature_use", "metadata"),
    ):
        owner.execute(f"ALTER TABLE troth.{table} DROP COLUMN {later} CASCADE".encode())
    owner.execute("DROP INDEX troth.imported_at")
    owner.execute("DELETE FROM troth.django_migrations WHERE app = 'intake' AND name >= '0004'")
    before = {}
    owner.execute("SET session_replication_role = replica")  # the trigger is of now
    for table, column in (("crash", "kind"), ("feature_use", "feature")):
        for name, days in (("alice", 0), ("alice", 20), ("bob", 20), ("bob", 400)):
            owner.execute(
                f"INSERT INTO troth.{table} (subject, at, id, application, {column}, uses) SELECT subject,"
                " statement_timestamp() - make_interval(days => %s), uuidv7(), %s, 'moved', uses"
                " FROM troth.permitted WHERE subject = %s".encode(),
                (days, notes.application, cast[name].subject),
            )
        before[table] = owner.execute(f"SELECT * FROM troth.{table} ORDER BY id".encode()).fetchall()
    owner.execute("RESET session_replication_role")
    Keeper(database).prepare(POLICY.read_text("utf-8"), TERMS)
    for table, rows in before.items():
        assert len(rows) == 4
        assert owner.execute(f"SELECT * FROM troth.{table} ORDER BY id".encode()).fetchall() == [
            (*row, None)  # what came with a later migration
            for row in rows
        ]
        assert owner.execute(f"SELECT count(*) FROM troth.{table}_other".encode()).fetchone() == (0,)
        assert f"{table}_{datetime.now(UTC) - timedelta(days=400):%Y_%m}" in months_of(owner, table)
    assert drift(owner).lines() == []
    with connect.acting("understand") as understand:
        assert understand.execute("SELECT count(*) FROM feature_use").fetchone() == (3,)


@pytest.mark.parametrize("table", ["crash", "feature_use"])
def test_the_intake_stores_only_through_the_table_and_a_month_refuses_it(
    cast: dict[str, Person], owner: Connection[Any], table: str
) -> None:
    """Past the table there is neither the trigger that judges nor a grant; with a grant, the month's own row security."""
    notes = registered(owner)
    notes.knows(cast["alice"])
    month = f"{table}_{back(0):%Y_%m}"
    insert = (
        "INSERT INTO troth.{} (subject, at, id, application, uses) VALUES (%s, statement_timestamp(), uuidv7(), %s, 0)"
    )

    def tried(where: str, whose: uuid.UUID) -> str:
        try:
            with connect.acting("intake") as intake:
                intake.execute(insert.format(where).encode(), (whose, notes.application))
        except psycopg.Error as error:
            return error.sqlstate or "?"
        return ""

    assert (tried(table, cast["alice"].subject), tried(table, cast["bob"].subject)) == ("", "TR071")
    assert tried(month, cast["bob"].subject) == "42501"
    owner.execute(f"GRANT INSERT ON troth.{month} TO troth_intake".encode())
    assert tried(month, cast["bob"].subject) == "42501"
    owner.execute(f"ALTER TABLE troth.{month} DISABLE ROW LEVEL SECURITY".encode())
    assert tried(month, cast["bob"].subject) == ""


def test_an_access_of_now_goes_into_its_month(cast: dict[str, Person], owner: Connection[Any]) -> None:
    visit(cast["alice"], url="/monthly")
    found = owner.execute("SELECT tableoid::regclass::text FROM troth.access WHERE url = '/monthly'").fetchone()
    assert found == (f"access_{back(0):%Y_%m}",)
