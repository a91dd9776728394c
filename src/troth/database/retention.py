"""Retention: what is past its time goes in batches, each a transaction of its own, and what is left can be counted."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from troth.database import connect, published
from troth.database.statements import load
from troth.policy.catalog import Table
from troth.policy.meaning import Policy, Window
from troth.policy.planned import Coarsening

SQL = load("troth.database.sql")


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did, with what runs that were killed before it had done and not told: rows removed, made coarser."""

    removed: int
    coarsened: int


@dataclass(frozen=True, slots=True)
class Governing:
    """A window that keeps rows of a table: whose use it is, and the clauses that say so."""

    purpose: str
    window: Window
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LastRun:
    """What the run that finished last did to a table."""

    removed: int
    coarsened: int
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """One table's rows: how many, how many are past every window (`due`) or finer than their age allows (`fine`).

    `oldest` is the age of the oldest row; `next_due` is when the next row that has an end will be due.
    """

    table: str
    rows: int
    due: int
    fine: int
    oldest: timedelta | None
    next_due: datetime | None
    windows: tuple[Governing, ...]
    coarsenings: tuple[Coarsening, ...]
    last: LastRun | None


def run(*, seconds: float | None = None, advance: Callable[[int], None] = lambda _: None) -> Done:
    """Remove and coarsen what is due, until nothing is or `seconds` have passed; `advance` hears of each batch's rows.

    Acts as the steward. Can be killed anywhere: what was committed stays done, and the next run goes on and tells it.
    Another run at the same time takes other rows. What a transaction holds is left to the next run.
    """
    told = {"run": uuid4()}
    deadline = None if seconds is None else time.monotonic() + seconds
    while changed := _call("retain", told):
        advance(changed)
        if deadline is not None and time.monotonic() >= deadline:
            break
    with connect.acting("steward") as connection:
        connection.execute(SQL["end_run"].encode(), told)
        row = connection.execute(SQL["run_counts"].encode(), told).fetchone()
    removed, coarsened = row or (0, 0)
    return Done(int(removed), int(coarsened))


def _call(name: str, told: dict[str, Any]) -> int:
    with connect.acting("steward") as connection:
        row = connection.execute(SQL[name].encode(), told).fetchone()
    return int(row[0]) if row else 0


def status() -> list[Kept]:
    """Return how each stamped table stands, as the steward counts it; it reads every row."""
    published_now = published.current("steward")
    coarsenings = published_now.plan.coarsenings
    with connect.acting("steward") as connection:
        counted = connection.execute(SQL["retention_status"].encode()).fetchall()
        last = {table: LastRun(*did) for table, *did in connection.execute(SQL["last_run"].encode())}
    return [
        Kept(
            table=name,
            rows=rows,
            due=due,
            fine=fine,
            oldest=oldest and now - oldest,
            next_due=following,
            windows=tuple(windows(published_now.policy, published_now.catalog.table(name))),
            coarsenings=tuple(each for each in coarsenings if each.table == name),
            last=last.get(name),
        )
        for name, rows, due, fine, oldest, following, now in counted
    ]


def windows(policy: Policy, table: Table) -> Iterator[Governing]:
    """Yield each window that the policy gives a purpose over rows of a table."""
    held = {column.category for column in table.columns}
    clauses: dict[tuple[str, Window], set[str]] = defaultdict(set)
    for collection in policy.collections:
        if collection.occasion in table.occasions and held.intersection(collection.categories):
            for use in collection.uses:
                clauses[use.purpose, use.window].add(collection.clause.name)
    for (purpose, window), names in sorted(clauses.items()):
        yield Governing(purpose, window, tuple(sorted(names)))
