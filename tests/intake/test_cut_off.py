"""Two nodes, one cut off from the database: what it seals after a withdrawal that the other took is never stored, nor read."""

import asyncio
import contextlib
import dataclasses
import json
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.intake.sending import Application, post, registered
from tests.intake.test_away import counted, service, stored, use
from tests.intake.test_outdated import lenient
from troth.database import connect, place
from troth.intake import queries, timeline
from troth.intake.spool import SEGMENT

LONG, MOMENT = 600.0, 0.5
#: Seconds after which a wire looks whether it was cut.
LOOK = 0.05


class Wire:
    """The way of one node to the database, which can be cut: a socket that passes on what comes."""

    def __init__(self, where: place.Place) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="troth-wire-"))
        self.name, self.behind = f".s.PGSQL.{where.port}", f"{where.host}/.s.PGSQL.{where.port}"
        self.threads = list[threading.Thread]()
        self.mend()

    def mend(self) -> None:
        """Let the node in."""
        self.whole = threading.Event()
        self.whole.set()
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(self.folder / self.name))
        door.listen()
        self._run(self._serve, door, self.whole)

    def cut(self) -> None:
        """Let nobody in any more, and put out whoever is; return when they are."""
        self.whole.clear()
        for thread in self.threads:
            thread.join()
        self.threads.clear()
        (self.folder / self.name).unlink(missing_ok=True)

    def _run(self, work: Callable[..., None], *told: Any) -> None:
        self.threads.append(threading.Thread(target=work, args=told))
        self.threads[-1].start()

    def _serve(self, door: socket.socket, whole: threading.Event) -> None:
        with door:
            while whole.is_set():
                if select.select([door], [], [], LOOK)[0]:
                    self._run(self._pass, door.accept()[0], whole)

    def _pass(self, near: socket.socket, whole: threading.Event) -> None:
        with near, socket.socket(socket.AF_UNIX) as far, contextlib.suppress(OSError):
            far.connect(self.behind)
            other = {near: far, far: near}
            while whole.is_set():
                for line in select.select([near, far], [], [], LOOK)[0]:
                    told = line.recv(65536)
                    if not told:
                        return
                    other[line].sendall(told)


class Node:
    """A node in a process of its own, with a folder and a wire of its own and the secrets that nodes share."""

    def __init__(self, where: place.Place, folder: Path, lease: float, *, believing: bool = False) -> None:
        self.wire, self.data = Wire(where), folder / "node"
        place.prepare(self.data)
        shutil.rmtree(self.data / "secrets")
        shutil.copytree(where.secrets, self.data / "secrets")
        dataclasses.replace(where, data=self.data, host=str(self.wire.folder)).write()
        command = [
            sys.executable,
            "-m",
            "tests.intake.node",
            str(self.data),
            str(lease),
            "believing" if believing else "",
        ]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        assert self._said() == "ready\n"

    def _said(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def take(self, notes: Application, event: dict[str, Any]) -> tuple[int, str]:
        """Return the status of the answer to an event, and what became of it."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"event": event, "key": notes.key}) + "\n")
        self.process.stdin.flush()
        status, outcome = json.loads(self._said())
        return status, outcome

    def lying(self) -> bytes:
        return b"".join(file.read_bytes() for file in sorted((self.data / "spool").glob(f"*{SEGMENT}")))

    def end(self) -> None:
        with self.process:  # whose ends are closed, and which is waited for
            pass
        self.wire.cut()
        shutil.rmtree(self.wire.folder)


@pytest.fixture
def nodes(database: place.Place, tmp_path: Path) -> Iterator[Any]:
    made = list[Node]()

    def make(lease: float, **told: bool) -> Node:
        made.append(Node(database, tmp_path, lease, **told))
        return made[-1]

    yield make
    for node in made:
        node.end()


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice and Bob use."""
    made = registered(owner)
    for name in ("alice", "bob"):
        made.knows(cast[name])
    return made


def withdrawn(notes: Application, alice: Person) -> int:
    """Let Alice object, at another node; return what that answers to an event about her from then on."""

    async def whole() -> int:
        async with service() as other:
            assert (await post(other, use(notes, "Alice", "before-2"), key=notes.key)).status == 201
            with connect.acting("self", token=alice.token) as mine:
                mine.execute("SELECT troth.choose('understand', 'objection')")
            return (await post(other, use(notes, "Alice", "after-00"), key=notes.key)).status

    return asyncio.run(whole())


def nothing_stored(node: Node, notes: Application, cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice, bob = cast["alice"], cast["bob"]
    for name in ("Alice", "Bob"):
        assert node.take(notes, use(notes, name, f"before-{name}")) == (201, "stored")
    node.wire.cut()
    assert node.take(notes, use(notes, "Alice", "during-1")) == (202, "kept")
    assert withdrawn(notes, alice) == 403
    before = stored(owner)
    assert before.count(alice.subject) == 2
    assert node.take(notes, use(notes, "Alice", "after-01")) == (202, "kept"), "it cannot have heard of it"
    assert node.take(notes, use(notes, "Bob", "after-02")) == (202, "kept")
    assert stored(owner) == before
    sealed = node.lying()
    assert sealed
    for word in ("export", "feature_use", "after-01", notes.names["Alice"], str(alice.subject), notes.application):
        assert word.encode() not in sealed
    with connect.acting("understand") as understand:
        assert understand.execute(
            "SELECT count(*) FROM feature_use WHERE subject = %s", (alice.subject,)
        ).fetchone() == (0,)
    node.wire.mend()
    deadline = time.monotonic() + 60
    while node.lying() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert node.lying() == b""
    assert sorted(stored(owner)) == sorted([*before, bob.subject])
    assert counted(owner, "refused") == {"person-declined": 3}
    assert [(each.reason, each.count) for each in queries.refusals(alice.token)] == [("person-declined", 3)]
    assert len(timeline.items(alice.token, of=["feature_use"])) == 2


def test_what_is_sealed_after_a_withdrawal_elsewhere_is_never_stored_nor_read(
    nodes: Any, notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    nothing_stored(nodes(LONG), notes, cast, owner)


def test_the_mutation_nobody_judges_it_again(
    nodes: Any, notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    lenient(owner, "feature_use")
    with pytest.raises(AssertionError):
        nothing_stored(nodes(LONG, believing=True), notes, cast, owner)
    assert stored(owner).count(cast["alice"].subject) > 2


def test_a_node_that_is_cut_off_for_longer_than_the_lease_takes_nothing_more(
    nodes: Any, notes: Application, cast: dict[str, Person]
) -> None:
    node = nodes(MOMENT)
    assert node.take(notes, use(notes, "Alice", "before-1")) == (201, "stored")
    node.wire.cut()
    time.sleep(MOMENT)
    assert node.take(notes, use(notes, "Alice", "after-01"))[0] == 503
    assert node.lying() == b""
