"""What a policy costs: compiling it, and applying a version, to few people and to many, under readers."""

import argparse
import json
import multiprocessing
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from benchmarks.governing import PROJECT, Measured, server
from troth.database import apply, connect, place
from troth.database.catalog import load as load_catalog
from troth.database.observe import observe
from troth.policy import parse
from troth.policy.catalog import Catalog, Column, Table
from troth.policy.meaning import Occasion
from troth.policy.plan import plan
from troth.policy.source import pieces, source

SQL = (Path(__file__).parent / "policy.sql").read_text(encoding="utf-8")
RESULTS = Path(__file__).parent / "results" / "policy.json"
#: The default policy, which lets its windows be made longer: what people may have erased is gone within a century.
POLICY = re.sub(
    r"within \d+ days unless",
    "within 36500 days unless",
    (PROJECT / "policies" / "hosted-solutions.troth").read_text(encoding="utf-8"),
)
TERMS = "Terms."
SMALL, LARGE = 50, 500
KINDS = {"narrower": "apply a narrower window", "wider": "apply a wider window"}
PEOPLE = (10_000, 100_000, 1_000_000)
ROUNDS = 7
READERS = 2
#: Those of the windows that are made wider; a purpose can be widened once until it is swept.
WINDOWS = (
    "for understand 30 days as network",
    "for protect 90 days",
    "for provide while the account exists then 30 days",
)
#: What is applied, in turn; with readers, each after a pause of the same length.
ALONE = ("narrower", "wider") * 2 + ("narrower",) * 4
READ = ("narrower", "wider") + ("narrower",) * 5
AIMS = {"compile, 500 clauses": 5.0, "apply a narrower window, 1,": 1.3, "apply a wider window, 1,": 1.3}


def statements() -> dict[str, str]:
    """Return the statements of the file beside this one, by name."""
    parts = SQL.split("-- name: ")[1:]
    return {part.split("\n", 1)[0].strip(): part.split("\n", 1)[1].strip() for part in parts}


# Compiling


def generated(clauses: int) -> tuple[str, Catalog]:
    """Return a sound policy of so many clauses, and a catalog with a table that holds what it names."""
    categories, purposes = clauses // 5, clauses // 25
    collections = clauses - 2 - categories - purposes
    lines = ['policy "Made" version 1 effective 2026-11-01', 'operator "Made, Inc." contact privacy@made.example']
    lines += [f"category made.c{number}" for number in range(categories)]
    lines += [f'purpose p{number} "do thing {number}" by legitimate interest' for number in range(purposes)]
    for number in range(collections):
        category, other = number % categories, (number + 1 + number // categories) % categories
        lines.append(f"collect made.c{category}, made.c{other} on transaction\n    for p{number % purposes} 30 days")
    columns = tuple(Column(f"c{number}", category=f"made.c{number}") for number in range(categories))
    held = Table("made", "made", columns, key=("subject", "at"), stamped=True, occasions=(Occasion.TRANSACTION,))
    known = load_catalog()
    return "\n".join(lines) + "\n", Catalog((*known.tables, held), known.functions)


def compiling() -> Iterator[Measured]:
    """Measure parsing, checking and planning, against the parser alone over the same text and against a tenth."""
    (large, catalog), (small, less) = generated(LARGE), generated(SMALL)
    read = parse.read(large, "large")
    assert len(pieces(source(large, "large"))) == LARGE
    assert len(plan(read, catalog).readings) > LARGE // 25

    def alone() -> None:
        for piece in pieces(source(large, "large")):
            parse.grammar().parse(piece.text)

    few = parse.read(small, "small")
    whole = f"compile, {LARGE} clauses"
    yield alternate(whole, alone, lambda: plan(parse.read(large, "large"), catalog))
    yield alternate(
        f"parse and check, {LARGE} to {SMALL}", lambda: parse.read(small, "small"), lambda: parse.read(large, "large")
    )
    yield alternate(f"plan, {LARGE} to {SMALL}", lambda: plan(few, less), lambda: plan(read, catalog))


def alternate(name: str, baseline: Callable[[], object], measured: Callable[[], object]) -> Measured:
    """Do both in turn."""
    plain, ours = [], []
    for number in range(ROUNDS + 1):
        times = [seconds(each) * 1000 for each in (baseline, measured)]
        if number:  # the first round warms both up
            plain.append(times[0])
            ours.append(times[1])
    return compared(name, plain, ours)


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compared(name: str, plain: list[float], ours: list[float], unit: str = "ms") -> Measured:
    """Return the median of ours over the median of the baseline, and how far single rounds stray."""
    base, value = statistics.median(plain), statistics.median(ours)
    ratios = [mine / base for mine in ours]
    return Measured(name, round(value, 3), unit, round(base, 3), round(value / base, 3),
                    round(min(ratios), 3), round(max(ratios), 3), len(ours))  # fmt: skip


# Applying


@dataclass(slots=True)
class Versions:
    """Versions of the default policy, one after another, each with one window other than the one before."""

    number: int = 1
    days: dict[str, int] | None = None

    def next(self, window: str, by: int) -> str:
        """Return the next version, where a window lasts `by` days more, or less."""
        self.days = self.days or dict.fromkeys(WINDOWS, 0)
        self.days[window] += by
        self.number += 1
        text = POLICY.replace("version 1 effective", f"version {self.number} effective")
        for each, more in self.days.items():
            days = re.findall(r"\d+", each)[0]
            text = re.sub(rf"{each}\b", each.replace(days, str(int(days) + more)), text)
        return text


def reading(pipe: Pipe, told: dict[str, Any], subjects: list[str]) -> None:
    """Read people's rows by key as a purpose, without a pause, until told to end; answer with when each read ended."""
    moments = []
    with psycopg.connect(**told, autocommit=True, prepare_threshold=None) as connection:
        pipe.send(None)
        while not pipe.poll():
            for subject in subjects:
                connection.execute(statements()["read"].encode(), {"subject": subject})
                moments.append(time.monotonic())
                if pipe.poll():
                    break
    pipe.send(moments)


@contextmanager
def readers(where: place.Place, subjects: list[str]) -> Iterator[Callable[[], list[list[float]]]]:
    """Run readers in processes of their own; the call ends them and returns when their reads ended."""
    context = multiprocessing.get_context("spawn")
    started = []
    for number in range(READERS):
        ours, theirs = context.Pipe()
        told = connect.parameters(("understand", "protect")[number % 2], where)
        process = context.Process(target=reading, args=(theirs, told, subjects), daemon=True)
        process.start()
        started.append((process, ours))
    for _, pipe in started:
        pipe.recv()

    def end() -> list[list[float]]:
        for _, pipe in started:
            pipe.send(None)
        return [pipe.recv() for _, pipe in started]

    try:
        yield end
    finally:
        for process, _ in started:
            process.join(10)
            process.terminate()


def gap(moments: list[list[float]], began: float, ended: float) -> float:
    """Return the longest time, in milliseconds, in which some reader got no answer between two moments."""
    longest = 0.0
    for each in moments:
        inside = [began, *(m for m in each if began < m < ended), ended]
        longest = max(longest, *(later - sooner for sooner, later in pairwise(inside)))
    return longest * 1000


@dataclass(frozen=True, slots=True)
class Applied:
    """What observing and applying cost at one size, in milliseconds; readers' longest gaps with and without it."""

    costs: dict[str, list[tuple[float, float]]]
    held: list[float]
    stalls: list[float]
    calm: list[float]

    def with_more(self, other: "Applied") -> "Applied":
        """Return both measurements of one size."""
        costs = {kind: self.costs[kind] + other.costs[kind] for kind in self.costs}
        return Applied(costs, self.held + other.held, self.stalls + other.stalls, self.calm + other.calm)


def applying(where: place.Place, owner: Connection[Any], versions: Versions, people: int) -> Applied:
    """Apply versions over so many people, with readers and pauses of the same length without an apply in turn."""
    fill(owner, people)
    text = versions.next(WINDOWS[0], 0)
    apply.apply(owner, text, TERMS)
    subjects = [str(subject) for (subject,) in owner.execute(statements()["subjects"].encode())]
    changes = iter(WINDOWS[::-1])
    costs: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for kind in ALONE:
        text = changed(kind, versions, changes)
        # Observing reads PostgreSQL's catalog and no row: how busy the machine is just now falls out of the ratio.
        looked = seconds(lambda: observe(owner, load_catalog())) * 1000
        began = time.perf_counter()
        apply.apply(owner, text, TERMS)
        costs[kind].append((looked, (time.perf_counter() - began) * 1000))
    spans: list[tuple[float, float, float]] = []
    held = []
    with readers(where, subjects) as end:
        time.sleep(0.5)
        for kind in READ:
            text = changed(kind, versions, changes)
            paused = time.monotonic()
            time.sleep(spans[-1][2] - spans[-1][1] if spans else 0.5)
            began = time.monotonic()
            held.append(apply.apply(owner, text, TERMS).held * 1000)
            spans.append((paused, began, time.monotonic()))
        moments = end()
    check(owner, people)
    stalls = [gap(moments, began, ended) for _, began, ended in spans]
    calm = [gap(moments, paused, began) for paused, began, _ in spans]
    return Applied(costs, held, stalls, calm)


def changed(kind: str, versions: Versions, changes: Iterator[str]) -> str:
    """Return the version to apply next: one that narrows a window, or one that widens the next of them."""
    return versions.next(next(changes), 5) if kind == "wider" else versions.next(WINDOWS[0], -1)


def fill(owner: Connection[Any], people: int) -> None:
    """Leave so many people and nobody else."""
    run(owner, statements()["empty"])
    for _ in range(2):
        owner.execute(statements()["sweep"].encode())
    run(owner, statements()["fill"], {"people": people})
    assert one(owner, "counted") == people


def check(owner: Connection[Any], people: int) -> None:
    """Make sure that versions were applied: who was in a purpose that widened was asked, and has not answered."""
    assert one(owner, "in_purpose", {"purpose": "understand"}) == 0
    assert one(owner, "in_purpose", {"purpose": "protect"}) == 0
    assert one(owner, "in_purpose", {"purpose": "provide"}) == 0
    assert one(owner, "counted") == people


def run(owner: Connection[Any], text: str, told: dict[str, Any] | None = None) -> None:
    """Run statements one by one."""
    for part in re.split(r";\n(?=[A-Z])", text):
        owner.execute(part.encode(), told if "%(" in part else None)


def one(owner: Connection[Any], name: str, told: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - a number
    """Return the one number that a statement answers with."""
    row = owner.execute(statements()[name].encode(), told).fetchone()
    assert row
    return row[0]


def growth(found: dict[int, Applied]) -> Iterator[Measured]:
    """Hold what applying cost over many people against few, and the readers' gaps against those without it."""
    few = min(found)
    for kind, name in KINDS.items():
        for people in sorted(found):
            plain, ours = ([cost[place] for cost in found[people].costs[kind]] for place in (0, 1))
            print(f"    {name}, {people:,} people: {statistics.median(ours):.0f} ms")
            if people == few:
                yield compared(f"{name}, to observing the facts", plain, ours)
            else:
                less, more = ([mine / base for base, mine in found[many].costs[kind]] for many in (few, people))
                yield compared(f"{name}, {people:,} to {few:,} people", less, more, "looks")
    for people, applied in sorted(found.items()):
        worst, calm = max(applied.stalls), max(applied.calm)
        ratios = [stall / calm for stall in applied.stalls]
        yield Measured(f"longest stall of readers, {people:,} people", round(worst, 2), "ms", round(calm, 2),
                       round(worst / calm, 2), round(min(ratios), 2), round(max(ratios), 2), len(ratios))  # fmt: skip
        print(f"    {people:,} people: locks held {max(applied.held):.0f} ms at most")


def main() -> None:
    """Run, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=PEOPLE)
    asked = parser.parse_args()
    results = list(compiling())
    with server() as where, connect.owning(where) as owner:
        versions = Versions()
        found: dict[int, Applied] = {}
        # The first size comes again at the end: what the machine does meanwhile is on both sides of the ratio.
        for people in (*asked.people, asked.people[0]):
            began = time.perf_counter()
            done = applying(where, owner, versions, people)
            found[people] = found[people].with_more(done) if people in found else done
            print(f"{people:,} people: {time.perf_counter() - began:.0f} s")
        results += growth(found)
        version = owner.execute(statements()["version"].encode()).fetchone()
    print(f"\n{'':<52}{'value':>9}{'baseline':>12}{'':<8}{'ratio':>8}{'min':>8}{'max':>8}")
    for line in results:
        aim = next((f"  aim {aim}" for name, aim in AIMS.items() if line.name.startswith(name)), "")
        spread = f"{line.ratio:>8.2f}{line.min:>8.2f}{line.max:>8.2f}"
        print(f"{line.name:<52}{line.value:>9.2f}{line.baseline:>12.2f} {line.unit:<7}{spread}{aim}")
    RESULTS.parent.mkdir(exist_ok=True)
    machine = {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "postgresql": version[0] if version else "",
    }
    told = {"people": list(asked.people), **machine, "results": [asdict(each) for each in results]}
    RESULTS.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
