"""A retention run under which the database dies loses nothing it should keep, and the ledger tells every row once."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest

from tests.serving import Serving
from troth.database import connect, place

pytestmark = pytest.mark.xdist_group("faults")
DUE, KEPT = 50_000, 5_000
#: Batches last, so that the kill comes in the middle of one.
SLOWLY = """CREATE FUNCTION public.slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END';
CREATE TRIGGER slowly AFTER DELETE ON troth.access FOR EACH STATEMENT EXECUTE FUNCTION public.slowly()"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Serving]:
    serving = Serving(tmp_path / "data").start()
    yield serving
    serving.stop()


def asked(service: Serving, statement: str) -> list[tuple[Any, ...]]:
    with connect.owning(place.read(service.data)) as owner:
        answer = owner.execute(statement.encode())
        return answer.fetchall() if answer.description else []


def visits(service: Serving, rows: int, days: int) -> None:
    """Visits of so long ago, put there behind the intake's back, stamped as it would have."""
    asked(
        service,
        "SET session_replication_role = replica;"
        " INSERT INTO troth.access (subject, at, id, url, uses) SELECT p.subject,"
        f" statement_timestamp() - interval '{days} days', uuidv7(), '/old', p.uses FROM generate_series(1, {rows}),"
        " troth.permitted AS p WHERE p.subject = '00000000-0000-0000-0000-000000000000'",
    )


def until(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if what():
                return
        except psycopg.Error:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.02)


def left(service: Serving, days: int) -> int:
    found = asked(
        service,
        f"SELECT count(*) FROM troth.access WHERE url = '/old' AND at < statement_timestamp() - interval '{days} days'",
    )
    return int(found[0][0])


def test_the_database_killed_under_a_run(service: Serving) -> None:
    visits(service, KEPT, 89)
    visits(service, DUE, 91)
    asked(service, SLOWLY)
    codes: list[int] = []
    before = service.children()["postmaster"]
    running = Thread(target=lambda: codes.append(service.run("retention", "run", check=False).returncode))
    running.start()
    until(lambda: left(service, 90) < DUE)
    os.kill(before[0], signal.SIGKILL)
    running.join(60)
    assert codes == [1]
    until(lambda: bool([pid for pid in service.children()["postmaster"] if pid not in before]))
    until(lambda: left(service, 88) >= KEPT)
    after = left(service, 90)
    print(f"killed with {after} of {DUE} left")
    assert after % 5_000 == 0
    asked(service, "DROP FUNCTION public.slowly() CASCADE")
    asked(service, "UPDATE troth.retention_run SET at = at - interval '6 minutes' WHERE finished_at IS NULL")
    service.run("retention", "run")
    assert (left(service, 90), left(service, 88)) == (0, KEPT)
    told = "SELECT sum((facts ->> 'removed_access')::bigint) FROM troth.ledger_entry WHERE action = 'retained'"
    until(lambda: asked(service, told) == [(DUE,)])
    service.run("ledger", "verify")
    service.run("policy", "drift")
