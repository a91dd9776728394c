"""What governing costs: the same question asked as a purpose, and as the owner over an ungoverned copy, in one run."""

import argparse
import json
import os
import platform
import re
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from troth.database import connect, embedded, place
from troth.database.keeper import Keeper

PROJECT = Path(__file__).parents[1]
SQL = (Path(__file__).parent / "governing.sql").read_text(encoding="utf-8")
RESULTS = Path(__file__).parent / "results" / "governing.json"
ROUNDS = 7
PERMITTED = 0.7
AIMS = {"point read": 1.2, "page of 20 rows": 1.1, "aggregate by day": 1.1, "count": 1.1}


@dataclass(frozen=True, slots=True)
class Measured:
    """One line: milliseconds of the governed question, ratio to the baseline of the same run, over `runs` rounds."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float
    min: float
    max: float
    runs: int


def statements() -> dict[str, str]:
    """Return the statements of the file beside this one, by name."""
    parts = SQL.split("-- name: ")[1:]
    return {part.split("\n", 1)[0].strip(): part.split("\n", 1)[1].strip() for part in parts}


@contextmanager
def server() -> Iterator[place.Place]:
    """Run an embedded server with its default settings in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="troth-bench-") as folder:
        os.environ["TROTH_DATA"] = folder
        place.prepare(Path(folder))
        where = embedded.located(Path(folder))
        running = embedded.Server(where)
        running.start()
        where.write()
        try:
            policy = (PROJECT / "policies" / "hosted-solutions.troth").read_text(encoding="utf-8")
            Keeper(where).prepare(policy, "Terms.")
            yield where
        finally:
            connect.close()
            running.stop()


def load(owner: Connection[Any], events: int, subjects: int) -> int:
    """Load governed rows and an ungoverned copy of the same layout; return the rows that `understand` may see."""
    told = {"events": events, "subjects": subjects}
    for name, text in statements().items():
        if name.startswith("load_"):
            for part in re.split(r";\n(?=[A-Z])", text):
                owner.execute(part.encode(), told if "%(" in part else None)
    row = owner.execute(statements()["permitted"].encode()).fetchone()
    return int(row[0])


def alternate(name: str, baseline: Callable[[], Any], governed: Callable[[], Any], *, same: bool = False) -> Measured:
    """Ask both in turn; with `same` their answers must agree, since a fast wrong answer is none."""
    plain, ours = [], []
    for number in range(ROUNDS + 1):
        began = time.perf_counter()
        expected = baseline()
        middle = time.perf_counter()
        got = governed()
        ended = time.perf_counter()
        if same and expected != got:
            raise SystemExit(f"{name}: the governed answer differs")
        if number:  # the first round warms both up
            plain.append((middle - began) * 1000)
            ours.append((ended - middle) * 1000)
    ratios = [mine / theirs for mine, theirs in zip(ours, plain, strict=True)]
    middle_value = statistics.median(ours)
    ratio = middle_value / statistics.median(plain)
    return Measured(name, round(middle_value, 4), "ms", round(statistics.median(plain), 4), round(ratio, 3),
                    round(min(ratios), 3), round(max(ratios), 3), ROUNDS)  # fmt: skip


def asking(connection: Connection[Any], statement: str, keys: list[Any]) -> Callable[[], list[Any]]:
    """Return a call that runs a prepared statement once for each key and returns all answers."""

    def ask() -> list[Any]:
        return [connection.execute(statement.encode(), key, prepare=True).fetchall() for key in keys]

    return ask


def readings(where: place.Place, owner: Connection[Any]) -> Iterator[Measured]:
    """Measure what a purpose reads. Where the copy holds rows that the purpose may not see, only ours are fewer."""
    told = connect.parameters("understand", where)
    # One plan for all keys on both sides: whether PostgreSQL plans anew each time is a coin that falls either way.
    told["options"] += " -c plan_cache_mode=force_generic_plan"
    # The same timeouts on both sides: what is compared is governing, not a timer.
    raw = connect.parameters("owner", where) | {
        "options": told["options"].replace("search_path=understand", "search_path=raw")
    }
    with psycopg.connect(**told, autocommit=True) as ours, psycopg.connect(**raw, autocommit=True) as plain:
        keys = owner.execute(statements()["keys"].encode()).fetchall()
        subjects = [(subject,) for subject, _ in keys]
        one = [None]
        for name, statement, values, same in (
            ("point read", "point", keys, True),
            ("page of 20 rows", "page", subjects, True),
            ("aggregate by day", "aggregate", one, False),
            ("count", "count", one, False),
            ("self-join", "self_join", one, False),
            ("prefix search", "prefix", one, False),
        ):
            text = statements()[statement]
            with one_core(ours, plain) if same else nullcontext():
                yield alternate(name, asking(plain, text, values), asking(ours, text, values), same=same)
        for line in ours.execute(
            ("EXPLAIN (ANALYZE, COSTS off, BUFFERS off) " + statements()["aggregate"]).encode()
        ).fetchall():
            print(f"    {line[0]}")


@contextmanager
def one_core(*connections: Connection[Any]) -> Iterator[None]:
    """Keep this process and the backends on one core: waking another costs more here than a short question itself.

    Left to the scheduler, the ratio of a point read falls anywhere between 0.3 and 3.7.
    """
    processes = [0, *(connection.info.backend_pid for connection in connections)]
    before = os.sched_getaffinity(0)
    for process in processes:
        with suppress(PermissionError):  # of a server that belongs to another user
            os.sched_setaffinity(process, {min(before)})
    try:
        yield
    finally:
        for process in processes:
            with suppress(PermissionError):
                os.sched_setaffinity(process, before)


def writings(where: place.Place, owner: Connection[Any]) -> Iterator[Measured]:
    """Measure inserts of 500 rows (with the right stamps, and with wrong ones), and a correction of a name."""
    subjects = [row[0] for row in owner.execute(statements()["subjects"].encode()).fetchall()]
    uses = [row[1] for row in owner.execute(statements()["subjects"].encode()).fetchall()]
    told = connect.parameters("intake", where)
    raw = connect.parameters("owner", where) | {
        "options": told["options"].replace("search_path=troth", "search_path=raw")
    }
    with psycopg.connect(**told, autocommit=True) as ours, psycopg.connect(**raw, autocommit=True) as plain:
        base = asking(plain, statements()["insert_raw"], [(subjects,)])
        for name, stamps in (("insert 500, stamps right", uses), ("insert 500, stamps wrong", [0] * len(uses))):
            yield alternate(name, run(base), run(asking(ours, statements()["insert"], [(subjects, stamps)])))


def run(ask: Callable[[], Any]) -> Callable[[], None]:
    """Return the same call for a statement without an answer."""

    def go() -> None:
        try:
            ask()
        except psycopg.ProgrammingError:
            return  # there is nothing to fetch

    return go


def withdrawals(owner: Connection[Any]) -> Iterator[Measured]:
    """Measure what a withdrawal restamps, against plainly updating as many rows of the copy."""
    for many in (10, 1_000, 100_000):
        subject = owner.execute(statements()["heavy"].encode(), {"many": many}).fetchone()[0]
        plain = asking(owner, statements()["update_raw"], [{"subject": subject}])
        yield alternate(f"withdrawal over {many:,} rows", run(plain), restamper(owner, subject))


def restamper(owner: Connection[Any], subject: uuid.UUID) -> Callable[[], None]:
    """Return a call that gives all rows of a subject another stamp each time."""
    stamps = count(1)

    def restamp() -> None:
        owner.execute(statements()["restamp"].encode(), {"subject": subject, "stamp": next(stamps)})

    return restamp


def main() -> None:
    """Run, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=3_000_000)
    asked = parser.parse_args()
    with server() as where, connect.owning(where) as owner:
        began = time.perf_counter()
        seen = load(owner, asked.events, max(100, asked.events // 10))
        seconds = time.perf_counter() - began
        print(f"{asked.events:,} events, {seen / asked.events:.0%} of them permitted, loaded in {seconds:.0f} s")
        results = [*readings(where, owner), *writings(where, owner), *withdrawals(owner)]
        version = owner.execute("SELECT version()").fetchone()[0]
    print(f"\n{'':<28}{'governed':>12}{'ungoverned':>12}{'ratio':>8}{'min':>8}{'max':>8}")
    for line in results:
        aim = f"  aim {AIMS[line.name]}" if line.name in AIMS else ""
        spread = f"{line.ratio:>8.2f}{line.min:>8.2f}{line.max:>8.2f}"
        print(f"{line.name:<28}{line.value:>9.2f} ms{line.baseline:>9.2f} ms{spread}{aim}")
    RESULTS.parent.mkdir(exist_ok=True)
    machine = {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "postgresql": version,
    }
    RESULTS.write_text(
        json.dumps({"events": asked.events, **machine, "results": [asdict(r) for r in results]}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
