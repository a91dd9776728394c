"""What taking an event costs, over HTTP, acknowledged after the commit: against a server that parses and copies.

Both are asked in turn by wrk (Debian's package of that name) over one database server. What was acknowledged is counted
in the tables after each round.
"""

import argparse
import gc
import json
import os
import platform
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import Connection

from benchmarks import policy
from benchmarks.bugsink import PORT as BUGSINK_PORT
from benchmarks.bugsink import VERSION, running
from benchmarks.governing import Measured, server
from benchmarks.guarding import FRAMES, decided
from benchmarks.signing import cpu
from troth.database import connect, place
from troth.intake.bridging import Bridge
from troth.intake.kinds import KINDS
from troth.intake.sent import Known
from troth.people import registering

RESULTS = Path(__file__).parent / "results" / "intake.json"
LUA = Path(__file__).parent / "intake.lua"
SQL = (Path(__file__).parent / "intake.sql").read_text(encoding="utf-8")
PEOPLE, ROUNDS, SECONDS = 1_000, 5, 4
#: Rows that are there already, and people of whom the gate remembers what the database said.
STORED, REMEMBERED = (100_000, 1_000_000, 10_000_000), 1_000_000
#: Requests at once: no more than one application may have waiting, in events.
CONNECTIONS = {1: 64, 10: 64, 100: 24}
PORTS = {"plain": 18_911, "troth": 18_912, "floor": 18_913}
#: What leads every server of this project to its settings.
SETTINGS = {"DJANGO_SETTINGS_MODULE": "troth.config.settings"}
MANIFEST = """name = "Harbor Notes"
redirect_uris = ["https://notes.example/signed-in"]
purposes = ["provide", "understand"]
events = ["crash", "activity", "feature_use"]

[claims]
name = { category = "person.name", purpose = "provide" }
"""
ACTIVITY = {"event": "job.finished", "severity": "info", "message": "imported @N@ rows in 4.2 s from a file",
            "release": "1.4.2", "environment": "production"}  # fmt: skip
#: What an envelope carries beside its frames, so that it is as long as the SDKs make them.
CONTEXT = {f"module-{nth}": f"{nth}.{nth % 7}.0" for nth in range(330)}


@dataclass(frozen=True, slots=True)
class Form:
    """What is sent: its name, paths on both sides, events in a request, and how far off the baseline it may be."""

    name: str
    said: str
    plain: str
    ours: str
    many: int
    aim: float


def forms() -> Sequence[Form]:
    """Return what is measured."""
    one = json.dumps({"key": "@KEY@", "kind": "activity", "person": "@PERSON@", "data": ACTIVITY})
    use = {"key": "@KEY@", "kind": "feature_use", "person": "@PERSON@", "data": {"feature": "export"}}
    envelopes = "/api/1/envelope/"
    return (
        Form("one use of a feature", json.dumps(use), "/events", "/intake/v1/events", 1, 0.58),
        Form("one activity", one, "/events", "/intake/v1/events", 1, 0.58),
        Form("lines of 10", one, "/lines", "/intake/v1/events", 10, 0.5),
        Form("lines of 100", one, "/lines", "/intake/v1/events", 100, 0.5),
        Form("an envelope of 10 kB", envelope(), "/envelope", envelopes, 1, 0.55),
    )


def envelope() -> str:
    """Return a crash as Sentry's clients send it, of about 10 kB."""
    frames = [{"function": f["function"], "filename": f["file"], "abs_path": f"/srv/{f['file']}", "lineno": f["line"],
               "in_app": True, "context_line": "    store.save(note)"} for f in FRAMES]  # fmt: skip
    values = [{"type": "TypeError", "value": "cannot read property of undefined", "stacktrace": {"frames": frames}}]
    event = {"event_id": "@ID@", "platform": "python", "level": "error", "release": "1.4.2", "modules": CONTEXT,
             "environment": "production", "user": {"id": "@PERSON@"}, "exception": {"values": values}}  # fmt: skip
    return "\n".join(('{"event_id":"@ID@"}', '{"type":"event"}', json.dumps(event)))


def statements() -> dict[str, str]:
    """Return the statements of the file beside this one, by name."""
    parts = SQL.split("-- name: ")[1:]
    return {part.split("\n", 1)[0].strip(): part.split("\n", 1)[1].strip() for part in parts}


# Both servers


SERVE = """
import sys, uvicorn
from uvicorn.importer import import_from_string
http = import_from_string(sys.argv[3]) if ":" in sys.argv[3] else sys.argv[3]
uvicorn.run(sys.argv[1], host="127.0.0.1", port=int(sys.argv[2]), loop="uvloop", http=http, ws="none",
            access_log=False, log_level="warning", server_header=False, proxy_headers=False)
"""


@contextmanager
def serving(side: str, application: str, http: str, **told: str) -> Iterator[psutil.Process]:
    """Run an application on its port until it is not needed any more."""
    command = [sys.executable, "-c", SERVE, application, str(PORTS[side]), http]
    process = subprocess.Popen(command, env=os.environ | told)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", PORTS[side]), 1):
                break
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def beside(where: place.Place, owner: Connection[Any]) -> Connection[Any]:
    """Return a connection to another database of the same server, with the baseline's two tables."""
    owner.execute("CREATE DATABASE plain")
    told = connect.parameters("owner", where) | {"dbname": "plain", "options": ""}
    connection = psycopg.connect(**told, autocommit=True)
    policy.run(connection, statements()["plain"])
    return connection


def filled(owner: Connection[Any], people: int = PEOPLE) -> str:
    """Leave so many people who use one application; return its key."""
    policy.fill(owner, people)
    name = registering.register(owner, {"manifest": MANIFEST})["application"]
    policy.run(owner, statements()["use"], {"application": name})
    return str(registering.add_key(owner, {"application": name})["key"])


# Load


@dataclass(frozen=True, slots=True)
class Load:
    """What one round brought: events a second, and microseconds of CPU that server and database took for each."""

    rate: float
    cost: float


def send(folder: Path, url: str, form: Form, key: str, connections: int = 0) -> tuple[int, int]:
    """Let wrk send for some seconds; return how many requests were acknowledged, and the microseconds that it took."""
    body, kind = folder / "body", "lines" if form.many > 1 else "one"
    body.write_text(form.said, encoding="utf-8")
    many = connections or CONNECTIONS[form.many]
    command = ["wrk", "-t1", f"-c{many}", f"-d{SECONDS}s", "--timeout", "20s", "-s", str(LUA), url, "--"]
    told = [kind, str(form.many), secrets.token_hex(6), key, str(PEOPLE), str(body)]
    out = subprocess.run([*command, *told], capture_output=True, text=True, check=True).stdout
    requests, unfit, broken, took = map(int, out.rsplit("DONE", 1)[1].split())
    assert not unfit, (url, form.name, out)
    assert not broken, (url, form.name, out)
    return requests, took


class Bench:
    """Two servers, the databases behind them, and what of both is counted."""

    def __init__(self, owner: Connection[Any], plain: Connection[Any], key: str, folder: str) -> None:
        self.owner, self.plain, self.key, self.folder = owner, plain, key, Path(folder)
        self.processes: dict[str, psutil.Process] = {}

    def stored(self, side: str) -> int:
        """Return how many events a side's database holds."""
        connection, whose = (self.plain, "plain") if side == "plain" else (self.owner, "troth")
        row = connection.execute(statements()[f"{whose}_stored"].encode()).fetchone()
        assert row
        return int(row[0])

    def round(self, side: str, form: Form) -> Load:
        """Let wrk send for some seconds; make sure that what was acknowledged is stored."""
        path = form.ours if side == "troth" else form.plain
        before, began = self.stored(side), cpu(self.owner, self.processes[side]) - psutil_self()
        requests, took = send(self.folder, f"http://127.0.0.1:{PORTS[side]}{path}", form, self.key)
        time.sleep(0.5)  # what was sent and not waited for is stored too
        spent = cpu(self.owner, self.processes[side]) - psutil_self() - began
        events = self.stored(side) - before
        assert events >= requests * form.many, (side, form.name, events, requests)
        return Load(requests * form.many / took * 1e6, spent / events * 1e6)

    def compared(self, form: Form, side: str = "troth") -> Iterator[Measured]:
        """Ask the baseline and a side in turn, and compare how many events a second they took and what each cost."""
        found: dict[str, list[Load]] = {"plain": [], side: []}
        for number in range(ROUNDS + 1):
            for asked, loads in found.items():
                load = self.round(asked, form)
                if number:  # the first round warms both up
                    loads.append(load)
            policy.run(self.owner, statements()["checkpoint"])
        plain, ours = found["plain"], found[side]
        rate = [mine.rate / theirs.rate for mine, theirs in zip(ours, plain, strict=True)]
        cost = [mine.cost / theirs.cost for mine, theirs in zip(ours, plain, strict=True)]
        rates = [load.rate for load in ours], [load.rate for load in plain], rate
        costs = [load.cost for load in ours], [load.cost for load in plain], cost
        name = form.name if side == "troth" else f"{form.name}, {side}"
        yield line(f"{name}: events a second (aim {form.aim})", "/s", *rates)
        yield line(f"{name}: CPU of an event", "us", *costs)


def psutil_self() -> float:
    """Return the seconds of CPU of this process, which only waits."""
    times = psutil.Process().cpu_times()
    return times.user + times.system


def line(name: str, unit: str, ours: Sequence[float], plain: Sequence[float], ratios: Sequence[float]) -> Measured:
    """Return a line of the table."""
    value, base = statistics.median(ours), statistics.median(plain)
    spread = round(min(ratios), 3), round(max(ratios), 3)
    return Measured(name, round(value, 1), unit, round(base, 1), round(value / base, 3), *spread, len(ratios))


# Parts


def taking(where: place.Place, owner: Connection[Any]) -> Iterator[Measured]:
    """Take every form of event."""
    with measuring(where, owner) as bench:
        for form in forms():
            yield from bench.compared(form)


def flooring(where: place.Place, owner: Connection[Any]) -> Iterator[Measured]:
    """Take events into the same storage, without all else that an intake does (`benchmarks.floor`)."""
    with measuring(where, owner) as bench:
        told = {"KEY": bench.key, "PEOPLE": str(PEOPLE)} | SETTINGS
        with serving("floor", "benchmarks.floor:application", "httptools", **told) as floor:
            bench.processes["floor"] = floor
            for form in forms():
                if form.plain in ("/events", "/lines"):
                    yield from bench.compared(form, "floor")


@contextmanager
def measuring(where: place.Place, owner: Connection[Any]) -> Iterator[Bench]:
    """Run both servers over one database server."""
    with beside(where, owner) as plain, tempfile.TemporaryDirectory() as folder:
        bench = Bench(owner, plain, filled(owner), folder)
        told = connect.parameters("owner", where)
        reached = {"host": told["host"], "port": int(told["port"]), "user": told["user"], "database": "plain"}
        with (
            serving("plain", "benchmarks.plain:application", "httptools", PLAIN=json.dumps(reached)) as theirs,
            serving("troth", "troth.config.asgi:application", "troth.config.protocol:Bounded", **SETTINGS) as ours,
        ):
            bench.processes = {"plain": theirs, "troth": ours}
            yield bench


def others(where: place.Place, owner: Connection[Any]) -> Iterator[Measured]:
    """Take envelopes in turn with Bugsink, which acknowledges them before it stores them: its CPU is taken after."""
    form = next(each for each in forms() if each.ours.endswith("/envelope/"))
    rates: tuple[list[float], list[float]] = ([], [])
    costs: tuple[list[float], list[float]] = ([], [])
    with measuring(where, owner) as bench, tempfile.TemporaryDirectory() as folder, running(Path(folder)) as other:
        for number in range(ROUNDS + 1):
            ours = bench.round("troth", form)
            before, began = other.stored(), other.cpu()
            url = f"http://127.0.0.1:{BUGSINK_PORT}{form.ours}"
            requests, took = send(bench.folder, url, form, other.key, connections=8)
            other.settle()
            theirs = Load(requests / took * 1e6, (other.cpu() - began) / (other.stored() - before) * 1e6)
            if number:
                for each, mine, its in ((rates, ours.rate, theirs.rate), (costs, ours.cost, theirs.cost)):
                    each[0].append(mine)
                    each[1].append(its)
    for name, unit, (mine, its) in (("acknowledged a second", "/s", rates), ("CPU until it is stored", "us", costs)):
        ratios = [one / another for one, another in zip(mine, its, strict=True)]
        yield line(f"{form.name} beside Bugsink {VERSION}: {name}", unit, mine, its, ratios)


def growing(where: place.Place, owner: Connection[Any]) -> Iterator[Measured]:
    """Take events where ever more of them are stored already: what one costs, against what it cost over the fewest.

    Each cost is taken as a ratio to that of the server that copies, in the same rounds.
    """
    form = next(each for each in forms() if each.name == "lines of 100")
    first: Measured | None = None
    held = 0
    with measuring(where, owner) as bench:
        for rows in STORED:
            policy.run(owner, statements()["grow"], {"rows": rows - held, "people": PEOPLE})
            held = rows
            *_, cost = bench.compared(form)
            first = first or cost
            ratio = round(cost.ratio / first.ratio, 3)
            spread = round(cost.min / first.ratio, 3), round(cost.max / first.ratio, 3)
            name = f"{form.name}, {rows:,} stored: CPU of an event"
            yield Measured(name, cost.value, "us", first.value, ratio, *spread, cost.runs)


def remembering(_where: place.Place, _owner: Connection[Any]) -> Iterator[Measured]:
    """Remember a million people as the gate does, against a table from a number to a number."""

    def filled(add: Callable[[int], None]) -> float:
        gc.collect()
        before = psutil.Process().memory_info().rss
        for nth in range(REMEMBERED):
            add(nth)
        return (psutil.Process().memory_info().rss - before) / REMEMBERED

    bridge, moment, decisions, kinds = Bridge(b""), time.monotonic(), decided()[0], list(KINDS)

    def remember(_nth: int) -> None:
        asked = b"digest", uuid.uuid4().hex
        bridge.learn({asked: Known("notes", kinds, uuid.uuid4(), 1)}, [asked], decisions, moment)

    plain: dict[uuid.UUID, int] = {}
    ours, theirs = filled(remember), filled(lambda nth: plain.update({uuid.uuid4(): nth}))
    assert len(bridge.known) == len(plain) == REMEMBERED
    yield line(f"a person who is remembered, of {REMEMBERED:,}", "B", [ours], [theirs], [ours / theirs])


def judging(_where: place.Place, _owner: Connection[Any]) -> Iterator[Measured]:
    """Look up whom an event is about and what is kept of it, against one look into a table of that size."""
    decisions, uses = decided()
    names = [f"person-{nth}" for nth in range(1_000)]
    known = {(b"key", name): (uuid.uuid4(), uses) for name in names}
    kind, many = KINDS["activity"], 200

    def ours() -> None:
        for name in names:
            _, bits = known[b"key", name]
            assert decisions.part(kind, bits, objects=False).kept

    def plain() -> None:
        for name in names:
            assert known[b"key", name]

    spent: tuple[list[float], list[float]] = ([], [])
    gc.disable()
    for _ in range(ROUNDS + 1):
        for mine, each in zip(spent, (ours, plain), strict=True):
            began = time.perf_counter()
            for _ in range(many):
                each()
            mine.append((time.perf_counter() - began) / many / len(names) * 1e6)
    gc.enable()
    ratios = [mine / theirs for mine, theirs in zip(*spent, strict=True)]
    yield line("judged from the table (aim: 1 us)", "us", *spent, ratios)


PARTS = {
    "taking": taking,
    "flooring": flooring,
    "judging": judging,
    "others": others,
    "growing": growing,
    "remembering": remembering,
}


def asked() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append")
    return parser.parse_args()


def main() -> None:
    """Run the parts that are asked for, print a table, and write their lines anew."""
    wanted = asked().part or PARTS
    if shutil.which("wrk") is None:
        raise SystemExit("bench-intake needs wrk (Debian: apt-get install wrk)")
    before = json.loads(RESULTS.read_text(encoding="utf-8"))["parts"] if RESULTS.exists() else {}
    version = None
    for name in wanted:
        with server() as where, connect.owning(where) as owner:
            version = owner.execute("SELECT version()").fetchone()
            before[name] = []
            print(f"\n{name:<52}{'value':>10}{'baseline':>10}{'':<4}{'ratio':>8}{'min':>8}{'max':>8}")
            for each in PARTS[name](where, owner):
                before[name].append(asdict(each))
                told = f"{each.value:>10.1f}{each.baseline:>10.1f} {each.unit:<3}"
                print(f"{each.name:<52}{told}{each.ratio:>8.2f}{each.min:>8.2f}{each.max:>8.2f}", flush=True)
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    told = {**machine, "postgresql": version[0] if version else "", "parts": before}
    RESULTS.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
