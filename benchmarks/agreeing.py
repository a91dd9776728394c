"""What agreeing costs, in parts; of each part the lines in `results/agreeing.json` are written anew.

`publishing`: a version that people must agree to again, published to a million as to ten thousand while others read;
then the mails about it, put into the outbox as the keeper does, against bare rows of an outbox.

`choosing`: one consent written down, with what it changes and its entry in the ledger, against one bare row; and one
given on its page, against c15t's backend over the same server, where npm can bring that.
"""

import argparse
import http.client
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import Connection

from benchmarks import policy, signing
from benchmarks.governing import ROUNDS, Measured, server
from troth.consent import coming, publishing
from troth.consent.actions import choose
from troth.database import connect, place
from troth.policy.compare import Verdict

SQL = (Path(__file__).parent / "agreeing.sql").read_text(encoding="utf-8")
RESULTS = Path(__file__).parent / "results" / "agreeing.json"
PEOPLE = (10_000, 1_000_000)
#: People told at one turn, and turns after which the mails of both sides are taken out as if sent.
AT_ONCE, SENT_AFTER = coming.AT_ONCE, 10
#: Versions published over so many people; each makes another window wider.
VERSIONS = 3
CLIENTS, WRITES = 8, 50
PURPOSE = "announce"
#: What c15t's backend is run from.
BESIDE = ("@c15t/backend@2.2.1", "@hono/node-server@2", "kysely@0.28", "pg@8")


def statements() -> dict[str, str]:
    """Return the statements of the file beside this one, by name."""
    parts = SQL.split("-- name: ")[1:]
    return {part.split("\n", 1)[0].strip(): part.split("\n", 1)[1].strip() for part in parts}


# Publishing


def publish(where: place.Place, owner: Connection[Any]) -> Iterator[Measured]:
    """Publish to few and to many, and tell them."""
    versions, found, plain = policy.Versions(), {}, beside(where, owner)
    for people in asked().people:
        policy.fill(owner, people)
        for name in ("no_accounts", "accounts"):
            policy.run(owner, statements()[name])
        policy.run(plain, statements()["plain_addresses"], {"people": people})
        put(owner, versions.next(policy.WINDOWS[0], 0))
        effects, stalls, calm = published(where, owner, versions)
        found[people] = effects
        worst, quiet = max(stalls), max(calm)
        ratios = [stall / quiet for stall in stalls]
        name = f"longest stall of readers, {people:,} people"
        yield Measured(name, round(worst, 2), "ms", round(quiet, 2), *spread(worst / quiet, ratios), len(ratios))
        yield telling(owner, plain, people)
    few, many = found[min(found)], found[max(found)]
    yield policy.compared(f"publish to {max(found):,}, against {min(found):,}", few, many)


def put(owner: Connection[Any], text: str) -> None:
    """Publish with the operator's key, as `troth policy publish` asks the keeper to."""
    publishing.publish(owner, publishing.asked(text, policy.TERMS, Verdict.EDITORIAL, key=True))


def published(
    where: place.Place, owner: Connection[Any], versions: policy.Versions
) -> tuple[list[float], list[float], list[float]]:
    """Publish while others read; return times to effect, readers' longest gaps, and those of pauses of that length."""
    subjects = [str(subject) for (subject,) in owner.execute(policy.statements()["subjects"].encode())]
    spans: list[tuple[float, float, float]] = []
    with policy.readers(where, subjects) as end:
        time.sleep(0.5)
        for window in policy.WINDOWS[:VERSIONS]:
            text = versions.next(window, 5)
            paused = time.monotonic()
            time.sleep(spans[-1][2] - spans[-1][1] if spans else 0.5)
            began = time.monotonic()
            put(owner, text)
            spans.append((paused, began, time.monotonic()))
        moments = end()
    # It is in force at once for everybody: nobody who has not agreed is in a purpose that widened.
    assert policy.one(owner, "in_purpose", {"purpose": "understand"}) == 0
    effects = [(ended - began) * 1000 for _, began, ended in spans]
    stalls = [policy.gap(moments, began, ended) for _, began, ended in spans]
    return effects, stalls, [policy.gap(moments, paused, began) for paused, began, _ in spans]


def telling(owner: Connection[Any], bare: Connection[Any], people: int) -> Measured:
    """Put the mails of the newest version into the outbox, and as many bare rows into another, in turn."""
    owner.execute(b"DELETE FROM troth.policy_telling")
    coming.begin(owner)
    owner.execute(statements()["only_newest"].encode())
    ours, plain, after, queued = [], [], uuid.UUID(int=0), 0
    for turn in range(1, people // AT_ONCE + 1):
        ours.append(policy.seconds(lambda: steward(statements()["mails"], {"many": AT_ONCE})) * 1000 / AT_ONCE)
        began = time.perf_counter()
        row = bare.execute(statements()["plain_mails"].encode(), {"after": after, "many": AT_ONCE}).fetchone()
        plain.append((time.perf_counter() - began) * 1000 / AT_ONCE)
        assert row
        assert row[1] == AT_ONCE
        after = row[0]
        if turn % SENT_AFTER == 0 or turn == people // AT_ONCE:
            queued += int(one(owner, "queued"))
            owner.execute(statements()["sent"].encode())
            bare.execute(statements()["plain_sent"].encode())
    assert queued == people, (queued, people)
    return policy.compared(f"a mail queued, of {people:,}, against a bare row", plain, ours)


def beside(where: place.Place, owner: Connection[Any]) -> Connection[Any]:
    """Return a connection to another database of the same server, whose tables nothing governs."""
    owner.execute("CREATE DATABASE plain")
    told = connect.parameters("owner", where) | {"dbname": "plain", "options": ""}
    connection = psycopg.connect(**told, autocommit=True)
    policy.run(connection, statements()["plain"])
    return connection


def steward(statement: str, told: dict[str, Any]) -> None:
    """Ask as the steward, in a transaction of its own."""
    with connect.acting("steward") as connection:
        connection.execute(statement.encode(), told)


def one(owner: Connection[Any], name: str) -> Any:  # noqa: ANN401 - a number
    """Return the one number that a statement answers with."""
    row = owner.execute(statements()[name].encode()).fetchone()
    assert row
    return row[0]


def spread(ratio: float, ratios: list[float]) -> tuple[float, float, float]:
    """Return a ratio and how far single rounds stray."""
    return round(ratio, 3), round(min(ratios), 3), round(max(ratios), 3)


# Choosing


def choosing(where: place.Place, owner: Connection[Any]) -> Iterator[Measured]:
    """Write consents down, one by one and by many at once; then give them on pages."""
    beside(where, owner).close()
    os.environ["TROTH_UNLIMITED"] = "1"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "troth.config.settings")
    import django  # noqa: PLC0415 - settings read where the data folder is, which the caller says first

    django.setup()
    from tests.browsing import Browser  # noqa: PLC0415

    people = [Browser() for _ in range(CLIENTS)]
    subjects = [each.sign_up(owner, f"person{number}@harbor.example") for number, each in enumerate(people)]
    tokens = [viewer(each) for each in people]
    plain = [bare(where, subject) for subject in subjects]
    ours = [chosen(token) for token in tokens]
    yield signing.alternate("a consent, against a bare row", owner, plain[0], ours[0], few=WRITES)
    yield together(f"consents of {CLIENTS} at once, against bare rows", plain, ours)
    with other(where, owner) as c15t:
        if c15t is None:
            print("    npm cannot bring c15t's backend here: not held against it")
            return
        ask, process = c15t
        yield signing.alternate(
            "a consent on its page, against c15t's", owner, ask, paged(owner, people[0]), also=[process]
        )


def viewer(browser: Any) -> str:  # noqa: ANN401 - the framework's test client
    """Return the token that the pages ask the database with."""
    assert browser.get("/me").status_code == 200
    return str(browser.cookies["__Host-viewer"].value)


def kinds() -> Iterator[str]:
    """Return what somebody chooses, in turn: each time something else, so that each time something changes."""
    return cycle(("consent", "withdrawal"))


def chosen(token: str) -> Callable[[], None]:
    """Return a call that chooses, as the viewer."""
    turn = kinds()
    return lambda: choose(token=token, purpose=PURPOSE, kind=next(turn))


def bare(where: place.Place, subject: uuid.UUID) -> Callable[[], None]:
    """Return a call that inserts one row and commits it."""
    turn = kinds()
    told = connect.parameters("owner", where) | {"dbname": "plain", "options": ""}
    connection = psycopg.connect(**told, autocommit=True)

    def insert() -> None:
        told = {"subject": subject, "purpose": PURPOSE, "kind": next(turn)}
        connection.execute(statements()["plain_choice"].encode(), told)

    return insert


def paged(owner: Connection[Any], browser: Any) -> Callable[[], None]:  # noqa: ANN401 - the framework's test client
    """Return a call that gives it with the form of the page, which names the choice before."""
    turn = kinds()

    def post() -> None:
        form = {"kind": next(turn), "seen": one(owner, "last_choice")}
        assert browser.post(f"/me/purposes/{PURPOSE}", form).status_code == 302

    return post


def together(name: str, plain: list[Callable[[], None]], ours: list[Callable[[], None]]) -> Measured:
    """Let each client write `WRITES` at once with the others; compare milliseconds by the clock, a write."""
    times: tuple[list[float], list[float]] = ([], [])
    with ThreadPoolExecutor(CLIENTS) as pool:
        for number in range(ROUNDS + 1):
            for side, clients in enumerate((plain, ours)):
                began = time.perf_counter()
                list(pool.map(lambda write: [write() for _ in range(WRITES)], clients))
                if number:
                    times[side].append((time.perf_counter() - began) * 1000 / CLIENTS / WRITES)
    return policy.compared(name, *times)


@contextmanager
def other(where: place.Place, owner: Connection[Any]) -> Iterator[tuple[Callable[[], None], psutil.Process] | None]:
    """Run c15t's backend over a database of the same server; yield a call that saves a consent, and its process."""
    with tempfile.TemporaryDirectory(prefix="troth-beside-") as folder:
        node = shutil.which("node")
        if node is None or not brought(Path(folder)):
            yield None
            return
        owner.execute("CREATE DATABASE c15t")
        told = connect.parameters("owner", where)
        url = f"postgresql://{told['user']}@/c15t?host={told['host']}&port={told['port']}"
        environment = os.environ | {"DATABASE_URL": url, "PORT": "18999"}
        process = subprocess.Popen([node, "c15t.mjs"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            if process.stdout.readline() != "ready\n":
                raise SystemExit("c15t's backend does not start")
            yield saving(), psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


def brought(folder: Path) -> bool:
    """Whether npm brought what c15t's backend is run from into a folder."""
    shutil.copy(Path(__file__).parent / "c15t.mjs", folder)
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", *BESIDE]
    return bool(shutil.which("npm")) and not subprocess.run(command, cwd=folder, check=False).returncode


def saving() -> Callable[[], None]:
    """Return a call that saves one consent with c15t: another one each time, as ours are."""
    connection = http.client.HTTPConnection("127.0.0.1", 18999)
    moment, turn = int(time.time() * 1000), cycle((True, False))
    headers = {"content-type": "application/json", "origin": "http://localhost"}

    def save() -> None:
        nonlocal moment
        moment += 1
        wanted = {"necessary": True, "marketing": next(turn)}
        told = {"type": "cookie_banner", "subjectId": "sub_2VqkbY1r8cHTnS6oqXkFvd", "domain": "harbor.example"}
        body = json.dumps(told | {"preferences": wanted, "givenAt": moment})
        connection.request("POST", "/subjects", body, headers)
        answer = connection.getresponse()
        answered = json.loads(answer.read())
        assert answer.status == 200, answered
        assert answered["consentId"]

    return save


# All


PARTS = {"publishing": publish, "choosing": choosing}


def asked() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=PEOPLE)
    parser.add_argument("--part", choices=PARTS, action="append")
    return parser.parse_args()


def main() -> None:
    """Run the parts that are asked for, print a table, and write their lines anew."""
    before = json.loads(RESULTS.read_text(encoding="utf-8"))["parts"] if RESULTS.exists() else {}
    version = None
    for name in asked().part or PARTS:
        with server() as where, connect.owning(where) as owner:
            before[name] = [asdict(line) for line in PARTS[name](where, owner)]
            version = owner.execute("SELECT version()").fetchone()
        print(f"\n{name:<58}{'value':>10}{'baseline':>10}{'':<8}{'ratio':>8}{'min':>8}{'max':>8}")
        for line in before[name]:
            told = f"{line['value']:>10.3f}{line['baseline']:>10.3f} {line['unit']:<7}"
            print(f"{line['name']:<58}{told}{line['ratio']:>8.2f}{line['min']:>8.2f}{line['max']:>8.2f}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    told = {**machine, "postgresql": version[0] if version else "", "parts": before}
    RESULTS.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
