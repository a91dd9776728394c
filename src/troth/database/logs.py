"""What the log folder holds, and for how long: a file for each day, which goes before a line of it is past its window.

An external server keeps its logs elsewhere, and by its operator's rules.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg import Connection

from troth.database import published
from troth.database.keeper import Keeper
from troth.database.place import Place
from troth.database.statements import load
from troth.policy.planned import Plan

SQL = load("troth.database.sql")
#: What the rows are called that a log's lines are like: what happened, when, and from where.
LIKE = "access"
#: Days that lines stay where the policy keeps accesses longer, and where it keeps none by days.
MOST, LEAST = 7, 1
#: What lies there and is no log: a number.
KEPT = frozenset({"intake.waiting"})
#: PostgreSQL's terminal until its collector begins; it stays open for as long as PostgreSQL runs.
OPEN = "start.log"
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
#: As troth named them before, by weekdays: what stands in one may be of any week.
WEEKDAY = re.compile(r"postgresql-(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\.log")


def taught(keeper: Keeper) -> Keeper:
    """Return the keeper, who looks each round how old the logs are; a file that cannot be removed is told."""

    def forget(connection: Connection[Any]) -> None:
        now = published.on(connection)
        if now is not None:
            for refused in forget_old(connection, keeper.where, window(now.plan)):
                keeper.tell(refused)

    keeper.chores = (*keeper.chores, forget)
    return keeper


def window(plan: Plan) -> int:
    """Return for how many days lines stay: no longer than rows of accesses do, and a week at the most."""
    return max(LEAST, min(MOST, plan.longest(LIKE).days or LEAST))


def forget_old(connection: Connection[Any], where: Place, days: int, today: date | None = None) -> list[str]:
    """Remove what holds anything that is `days` old by `today` (UTC); return a sentence for each file that stays so.

    PostgreSQL begins a file each day. One that it still writes into is rotated, and goes the next time.
    """
    oldest = (today or datetime.now(UTC).date()) - timedelta(days=days - 1)
    writes = _written_now(connection, where)
    refused = list[str]()
    for file in sorted(_past(where.data / "log", oldest)):
        try:
            if file.name in writes:
                connection.execute(SQL["rotate_log"].encode())
            elif file.name == OPEN:
                file.write_bytes(b"")
            else:
                file.unlink(missing_ok=True)
        except OSError as error:
            refused.append(f"the old log `{file}` cannot be removed: {error.strerror}")
    return refused


def _past(folder: Path, oldest: date) -> Iterator[Path]:
    """Yield the files that may hold something from before a day."""
    for file in folder.iterdir():
        if file.name in KEPT or not file.is_file() or (file.name == OPEN and not file.stat().st_size):
            continue
        if WEEKDAY.fullmatch(file.name) or _day(file) < oldest:
            yield file


def _day(file: Path) -> date:
    """Return the day of a file: what its name says, else when it was written last."""
    named = DAY.search(file.name)
    try:
        return date.fromisoformat(named[0] if named else "")
    except ValueError:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC).date()


def _written_now(connection: Connection[Any], where: Place) -> set[str]:
    if where.external:
        return set()
    (told,) = connection.execute(SQL["current_log"].encode()).fetchone() or (None,)
    return {Path(told).name} if told else set()
