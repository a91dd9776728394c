"""A version is applied while PostgreSQL tidies up its tables: the tidying gives way, and not the people who read."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS
from troth.database import apply

NARROWER = (
    POLICY.read_text(encoding="utf-8")
    .replace("version 1 effective", "version 2 effective")
    .replace("then 30 days", "then 20 days")
)
TIDYING = "SELECT count(*) FROM pg_stat_progress_vacuum WHERE datname = current_database() AND relid = 'troth.person'::regclass"
#: So slow that it would take minutes over a few pages.
SLOW = (
    "autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,"
    " autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"
)


def number(owner: Connection[Any], query: str) -> int:
    row = owner.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


@pytest.fixture
def tidying(owner: Connection[Any]) -> Iterator[None]:
    """An autovacuum of `person` that is under way, and goes on for minutes."""
    owner.execute(
        "INSERT INTO troth.subject (subject, kind) SELECT gen_random_uuid(), 'person' FROM generate_series(1, 9000)"
    )
    owner.execute(
        "INSERT INTO troth.person (subject, name) SELECT subject, repeat('x', 99) FROM troth.subject WHERE kind = 'person'"
    )
    owner.execute(f"ALTER TABLE troth.person SET ({SLOW})".encode())
    owner.execute("UPDATE troth.person SET name = 'y'")
    owner.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
    owner.execute("SELECT pg_reload_conf()")
    deadline = time.monotonic() + 60
    while not number(owner, TIDYING):
        assert time.monotonic() < deadline, "no autovacuum began"
        time.sleep(0.1)
    yield
    owner.execute("ALTER SYSTEM RESET autovacuum_naptime")
    owner.execute("ALTER TABLE troth.person RESET (autovacuum_vacuum_cost_delay, autovacuum_vacuum_cost_limit)")
    owner.execute("SELECT pg_reload_conf()")
    owner.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_progress_vacuum WHERE datname = current_database()")


def applied(owner: Connection[Any]) -> apply.Outcome:
    return apply.apply(owner, NARROWER, TERMS)


@pytest.mark.usefixtures("tidying")
def test_a_vacuum_gives_way(owner: Connection[Any]) -> None:
    assert applied(owner).tries <= 3


@pytest.mark.usefixtures("tidying")
def test_without_it_a_version_would_wait_as_long_as_the_vacuum_takes(
    owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "GIVE_WAY", "1s")
    monkeypatch.setattr(apply, "TRIES", 8)
    with pytest.raises(apply.ApplyRefusal, match="stayed locked"):
        applied(owner)
