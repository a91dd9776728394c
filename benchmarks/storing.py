"""What storing costs: rows behind the stamp trigger, by `unnest` and by COPY, over btree and over BRIN, in one run."""

import argparse
import asyncio
import ipaddress
import json
import os
import platform
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
from psycopg import Connection

from benchmarks.governing import Measured, server
from troth.database import connect
from troth.intake.event import ordered_uuid
from troth.intake.store import ALWAYS, TYPES, arguments
from troth.policy.carrying import insert

Row = tuple[Any, ...]
Write = Callable[[Sequence[Row]], Awaitable[None]]
#: asyncpg's, which is generic to type checkers alone.
type Held = asyncpg.Connection[asyncpg.Record]

RESULTS = Path(__file__).parent / "results" / "storing.json"
COLUMNS = dict(ALWAYS) | dict(TYPES)
SUBJECTS = 300
PEOPLE = """
INSERT INTO troth.subject (subject, kind) SELECT id, 'person' FROM unnest(%s::uuid []) AS t (id);
INSERT INTO troth.permitted (subject, uses)
SELECT id, (SELECT bit_or(1::bigint << bit) FROM troth.unit) FROM unnest(%s::uuid []) AS t (id)
"""
BRIN = "DROP INDEX troth.access_at; CREATE INDEX access_at ON troth.access USING brin (at)"
BTREE = "DROP INDEX troth.access_at; CREATE INDEX access_at ON troth.access (at, subject)"


def rows(people: Sequence[uuid.UUID], uses: int, many: int) -> list[Row]:
    """Return a batch as it comes: people in no order, right hints, times of one moment."""
    now, ip = datetime.now(UTC), ipaddress.ip_interface("192.0.2.7/32")
    return [
        (people[(nth * 7919) % len(people)], now, uses, ordered_uuid(), "GET", f"/docs/page-{nth % 977}", 200, None, ip,
         "ES", "Harbor Networks", "Firefox 140", "Linux", "computer")
        for nth in range(many)
    ]  # fmt: skip


def unnesting(connection: Held) -> Write:
    """Return what the intake does."""
    statement = insert("access", COLUMNS)

    async def write(batch: Sequence[Row]) -> None:
        await connection.execute(statement, *map(list, zip(*batch, strict=True)))

    return write


def copying(connection: Held) -> Write:
    """Return binary COPY, which PostgreSQL refuses to whomever row security holds: only its owner can be measured."""

    async def write(batch: Sequence[Row]) -> None:
        await connection.copy_records_to_table("access", schema_name="troth", records=batch, columns=list(COLUMNS))

    return write


async def seconds(write: Write, batches: Sequence[Sequence[Row]]) -> float:
    """Return how long batches take, each its own commit."""
    began = time.perf_counter()
    for batch in batches:
        await write(batch)
    return time.perf_counter() - began


async def compared(name: str, baseline: Write, other: Write, made: Callable[[], list[Row]], rounds: int) -> Measured:
    """Write in turn with both; the value is microseconds a row of the other."""
    plain, ours = [], []
    for number in range(rounds + 1):
        batches = [[made() for _ in range(20)] for _ in range(2)]
        took = await seconds(baseline, batches[0]), await seconds(other, batches[1])
        if number:
            many = sum(map(len, batches[0]))
            plain.append(took[0] / many * 1e6)
            ours.append(took[1] / many * 1e6)
    return line(name, plain, ours)


def line(name: str, plain: Sequence[float], ours: Sequence[float]) -> Measured:
    """Return a line of the table: medians, and the ratio of each round."""
    ratios = [mine / theirs for mine, theirs in zip(ours, plain, strict=True)]
    value, beside = statistics.median(ours), statistics.median(plain)
    return Measured(name, round(value, 2), "µs a row", round(beside, 2), round(value / beside, 3),
                    round(min(ratios), 3), round(max(ratios), 3), len(ours))  # fmt: skip


async def measured(owner: Connection[Any], people: Sequence[uuid.UUID], uses: int, rounds: int) -> list[Measured]:
    """Measure COPY against `unnest` at several sizes, and BRIN against btree."""
    intake = await asyncpg.connect(**arguments("intake"))
    told = connect.parameters("owner")
    keys = {"host": told["host"], "port": told["port"], "database": told["dbname"], "user": told["user"]}
    held = await asyncpg.connect(**keys, password=told.get("password"), ssl=False)
    found = []
    for size in (10, 100, 500, 2_000):
        name = f"COPY past the row rules, {size} rows"
        found.append(await compared(name, unnesting(intake), copying(held), partial(rows, people, uses, size), rounds))
    return found + [
        await over_indexes(owner, intake, partial(rows, people, uses, size), size, rounds) for size in (100, 500)
    ]


async def over_indexes(
    owner: Connection[Any], intake: Held, made: Callable[[], list[Row]], size: int, rounds: int
) -> Measured:
    """Write as the intake does over the btree and over BRIN in turn; the value is microseconds a row over BRIN."""
    plain, ours = [], []
    for number in range(rounds + 1):
        for index, taken in ((BTREE, plain), (BRIN, ours)):
            for part in index.split("; "):
                owner.execute(part.encode())
            took = await seconds(unnesting(intake), [made() for _ in range(20)])
            if number:
                taken.append(took / 20 / size * 1e6)
    return line(f"BRIN on time, {size} rows", plain, ours)


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with server() as where, connect.owning(where) as owner:
        people = [uuid.uuid4() for _ in range(SUBJECTS)]
        for part in PEOPLE.split(";"):
            owner.execute(part.encode(), (people,))
        (uses,) = owner.execute("SELECT uses FROM troth.permitted WHERE subject = %s", (people[0],)).fetchone() or (0,)
        found = asyncio.run(measured(owner, people, uses, rounds))
        (version,) = owner.execute("SELECT version()").fetchone() or ("",)
    for each in found:
        print(f"{each.name:<36}{each.value:>9.2f} {each.unit}{each.ratio:>8.2f}{each.min:>8.2f}{each.max:>8.2f}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    told = {"rounds": rounds, **machine, "postgresql": version, "results": [asdict(each) for each in found]}
    RESULTS.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
