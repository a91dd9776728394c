"""A log holds no day that is past its window: however long PostgreSQL stood still, and whoever has a file open."""

import os
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection, sql

from tests.conftest import POLICY, QUICK
from troth.database import connect, embedded, logs, place, published
from troth.database.catalog import load
from troth.database.keeper import Keeper
from troth.policy import parse
from troth.policy.plan import plan

CANARY = "canary-of-weeks-ago"
WEEKS = 21


@pytest.fixture
def folder(database: place.Place) -> Iterator[Path]:
    """The log folder of a running server, with what a test puts there removed in the end."""
    log = database.data / "log"
    before = {file.name: file.read_bytes() for file in log.iterdir()}
    yield log
    for file in log.iterdir():
        if file.name not in before:
            file.unlink()


def today() -> date:
    return datetime.now(UTC).date()


def old(folder: Path, name: str, days: int = WEEKS) -> Path:
    """Write a log as it was written last so many days ago."""
    file = folder / name
    file.write_text(f"{CANARY}\n", encoding="utf-8")
    moment = time.time() - days * 86_400
    os.utime(file, (moment, moment))
    return file


def named(day: date) -> str:
    return f"postgresql-{day:%Y-%m-%d}.log"


def windows(*lines: str) -> int:
    """Return the window under the default policy with its windows of accesses replaced."""
    told = POLICY.read_text(encoding="utf-8")
    for line in lines:
        before, after = line.split(" -> ")
        assert before in told
        told = told.replace(before, after)
    return logs.window(plan(parse.read(told, "changed"), load()))


def test_the_window_is_the_policys_and_a_week_at_the_most() -> None:
    assert windows() == logs.MOST
    shorter = ("for protect 90 days\n", "for protect 3 days\n"), ("for protect 90 days as", "for protect 3 days as")
    fewer = [f"{before} -> {after}" for before, after in shorter]
    assert windows(*fewer, "understand 30 days -> understand 2 days") == 3


def test_a_round_removes_each_day_that_is_over_and_no_other(
    owner: Connection[Any], database: place.Place, folder: Path
) -> None:
    now = published.on(owner)
    assert now is not None
    days = logs.window(now.plan)
    stay = [old(folder, named(today() - timedelta(days=ago))) for ago in range(1, days)]
    gone = [old(folder, named(today() - timedelta(days=ago))) for ago in (days, days + 1, 400)]
    gone += [old(folder, "initdb.log"), old(folder, "another.txt", days)]
    stay.append(old(folder, "another.log", days - 1))
    counter = old(folder, "intake.waiting")
    keeper = logs.taught(Keeper(database))
    for chore in keeper.chores:
        chore(owner)
    assert [file.name for file in gone if file.exists()] == []
    assert [file.name for file in stay if not file.exists()] == []
    assert counter.exists()
    current = owner.execute("SELECT pg_current_logfile()").fetchone()
    assert current is not None
    assert (database.cluster / current[0]).exists()


def test_what_was_named_by_a_weekday_goes_whatever_its_time_says(
    owner: Connection[Any], database: place.Place, folder: Path
) -> None:
    """PostgreSQL went on in the file of a Monday weeks ago when it was started on a Monday."""
    file = old(folder, "postgresql-Mon.log", days=0)
    assert logs.forget_old(owner, database, logs.MOST) == []
    assert not file.exists()


def test_the_file_that_postgresql_writes_is_rotated_and_goes_the_next_time() -> None:
    with tempfile.TemporaryDirectory(prefix="troth-", ignore_cleanup_errors=True) as name:
        server = begun(Path(name) / "data")
        server.start()
        try:
            with connect.owning(server.place, database="postgres") as owner:
                tomorrow = today() + timedelta(days=1)
                written = server.place.data / "log" / named(today())
                assert logs.forget_old(owner, server.place, 1, tomorrow) == []
                assert written.exists(), "PostgreSQL has it open"
                # The clock of PostgreSQL says today still; its next file has another name.
                owner.execute("ALTER SYSTEM SET log_filename = 'postgresql-later.log'")
                owner.execute("SELECT pg_reload_conf()")
                until(lambda: "later" in current(owner))
                assert logs.forget_old(owner, server.place, 1, tomorrow) == []
                assert not written.exists()
        finally:
            server.stop()


def test_a_server_that_stood_still_for_weeks_does_not_go_on_in_an_old_file() -> None:
    with tempfile.TemporaryDirectory(prefix="troth-", ignore_cleanup_errors=True) as name:
        server = begun(Path(name) / "data")
        server.start()
        server.stop()
        log = server.place.data / "log"
        before = today() - timedelta(days=WEEKS)
        for file in list(log.glob("postgresql-*.log")):
            file.rename(log / named(before))
        old(log, named(before))
        old(log, f"postgresql-{today():%a}.log")
        old(log, "start.log")
        server = begun(Path(name) / "data")
        server.start()
        try:
            with connect.owning(server.place, database="postgres") as owner:
                assert (log / named(today())).exists()
                assert logs.forget_old(owner, server.place, logs.MOST) == []
                told = b"".join(file.read_bytes() for file in log.iterdir())
                assert CANARY.encode() not in told
                os.utime(log / "start.log", (0, 0))
                assert (log / "start.log").stat().st_size
                assert logs.forget_old(owner, server.place, logs.MOST) == []
                assert (log / "start.log").stat().st_size == 0, "it is open, and emptied"
        finally:
            server.stop()


def test_a_file_that_cannot_be_removed_is_told_and_holds_up_no_other(
    owner: Connection[Any], database: place.Place, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, gone = old(folder, "a-held.log"), old(folder, "b-other.log")
    real = Path.unlink

    def refusing(file: Path, **told: Any) -> None:
        if file == held:
            raise PermissionError(1, "Operation not permitted")
        real(file, **told)

    monkeypatch.setattr(Path, "unlink", refusing)
    (said,) = logs.forget_old(owner, database, logs.MOST)
    assert str(held) in said
    assert not gone.exists()
    monkeypatch.undo()


def test_what_postgresql_may_write_is_set_for_whole_days(owner: Connection[Any]) -> None:
    shown = sql.SQL("SHOW {}")
    told = {name: owner.execute(shown.format(sql.Identifier(name))).fetchone() for name in
            ("log_filename", "log_rotation_age", "log_rotation_size", "log_timezone")}  # fmt: skip
    assert told == {
        "log_filename": ("postgresql-%Y-%m-%d.log",),
        "log_rotation_age": ("1d",),
        "log_rotation_size": ("0",),
        "log_timezone": ("UTC",),
    }


def begun(data: Path) -> embedded.Server:
    place.prepare(data)
    return embedded.Server(embedded.located(data), settings=QUICK)


def current(owner: Connection[Any]) -> str:
    (told,) = owner.execute("SELECT pg_current_logfile()").fetchone() or ("",)
    return str(told)


def until(holds: Any) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
