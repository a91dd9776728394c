"""Event tables cut into months: those to come stand ready, and one of which no row lasts any more goes as a whole."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from psycopg import Connection, errors

from troth.database import connect
from troth.database.statements import load
from troth.policy import carrying
from troth.policy.catalog import Catalog
from troth.policy.planned import Plan, Retention
from troth.policy.sql import security

SQL = load("troth.database.sql")
#: Months that stand ready before and after the present one.
BEFORE, AHEAD = 4, 3
#: Days for which a month stands after its end, however short the windows are: what comes in late still finds it.
LATE = 31


def prepare(connection: Connection[Any], catalog: Catalog, plan: Plan | None) -> list[str]:
    """Make the months that are missing, each governed from its first moment; return their names.

    None is made of which no row would last. What was stored while a month was not there stays where it is.
    """
    today, made = datetime.now(UTC).date(), []
    for table in (table for table in catalog if table.partitioned):
        there = {name for name, _ in _months(connection, table.name)}
        for start in _wanted(today, plan.longest(table.name) if plan else None):
            name = f"{table.name}_{start:%Y_%m}"
            if name not in there and _make(connection, table.name, name, start):
                made.append(name)
    return made


def _wanted(today: date, retention: Retention | None) -> Iterator[date]:
    first = today.replace(day=1)
    for _ in range(BEFORE):
        first = (first - timedelta(days=1)).replace(day=1)
    for _ in range(BEFORE + AHEAD + 1):
        if retention is None or not _is_past(_next(first), retention, today):
            yield first
        first = _next(first)


def _is_past(end: date, retention: Retention, today: date) -> bool:
    """Whether whatever happened before a day is past every window that ends with age."""
    return today - end > timedelta(days=max(retention.days or 0, LATE))


def _next(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def _make(connection: Connection[Any], parent: str, name: str, start: date) -> bool:
    try:
        with connection.transaction():
            told = carrying.partition(parent, name, start.isoformat(), _next(start).isoformat())
            connection.execute(told.encode())
            connection.execute(security(name).make.encode())
    except errors.CheckViolation:
        return False  # rows of that month stand in the partition for what has none
    return True


def drop_past(connection: Connection[Any], catalog: Catalog, plan: Plan) -> int:
    """Drop months of which no row lasts any more; return how many rows went, which the ledger is told.

    Nobody waits for this: a month that somebody is looking at is left for the next time. Its rows are hidden from
    purposes since their own day, and `retain` takes them one by one meanwhile.
    """
    run, gone, today = uuid.uuid4(), 0, datetime.now(UTC).date()
    for table in (table for table in catalog if table.partitioned):
        retention = plan.longest(table.name)
        for name, end in _months(connection, table.name):
            if end is not None and _is_past(end.astimezone(UTC).date(), retention, today):
                gone += _drop(connection, table.name, name, retention, run)
    if gone:
        with connect.acting("steward") as steward:
            steward.execute(SQL["end_run"].encode(), {"run": run})
    return gone


def _drop(connection: Connection[Any], parent: str, name: str, retention: Retention, run: uuid.UUID) -> int:
    lasts = carrying.lasts(name, retention).encode()
    try:
        with connection.transaction():
            connection.execute(SQL["brief_wait"].encode())
            if connection.execute(lasts).fetchone() == (True,):
                return 0
            # An owner who is no superuser saw nothing yet, because of the partition's own row security.
            connection.execute(carrying.unforced(name).encode())
            if connection.execute(lasts).fetchone() == (True,):
                connection.execute(security(name).make.encode())
                return 0
            (many,) = connection.execute(carrying.held(name).encode()).fetchone() or (0,)
            if many:
                told = {"run": run, "table": parent, "removed": many}
                connection.execute(SQL["count_removed"].encode(), told)
            connection.execute(carrying.drop_month(name).encode())
    except (errors.LockNotAvailable, errors.DeadlockDetected):
        return 0
    return int(many)


def _months(connection: Connection[Any], parent: str) -> list[tuple[str, datetime | None]]:
    return connection.execute(SQL["months"].encode(), {"parent": f"troth.{parent}"}).fetchall()
