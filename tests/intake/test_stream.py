"""While the database is away nodes keep what comes in a stream they share: a real NATS server, sealed, stored once by any."""

import asyncio
import contextlib
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.intake import test_recorder as accesses
from tests.intake.sending import Application, post, registered
from tests.intake.test_away import away, counted, drained, run, service, stored, use
from tests.intake.test_recorder import an_access
from tests.rights.asking import erased, held
from tests.seeding import REPLAY, SEED
from troth.api.app import Lean
from troth.database import connect
from troth.intake import bridging, gate, recorder, shelf, shelving, stream
from troth.intake.recorder import Recorder
from troth.intake.spool import LONGEST

CONFIGURED = """
host: 127.0.0.1
port: {port}
jetstream {{ store_dir: "{folder}", sync_interval: always }}
"""


class Server:
    """A NATS server of its own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.configuration = folder / "jetstream", folder / "nats.conf"
        self.configuration.write_text(CONFIGURED.format(port=self.port, folder=self.folder), "utf-8")
        self.start()

    @property
    def address(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [str(Path(sys.executable).parent / "nats-server"), "-c", str(self.configuration)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("the server does not come up")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def lying(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.folder.rglob("*") if file.is_file())


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    made = Server(tmp_path)
    monkeypatch.setenv(shelf.VARIABLE, made.address)
    monkeypatch.setattr(stream, "LOOKED", 0.2)
    monkeypatch.setattr(stream, "MINE", 2.0)
    monkeypatch.setattr(gate, "WATCHED", 0.2)
    yield made
    made.kill()


@pytest.fixture
def notes(owner: Connection[object], cast: dict[str, Person], monkeypatch: pytest.MonkeyPatch) -> Application:
    """Harbor Notes, which Alice and Bob use; what the database said is believed for as long as a busy machine needs."""
    monkeypatch.setattr(bridging, "LEASE", 600.0)
    monkeypatch.setattr(gate, "LEASE", 600.0)
    monkeypatch.setattr(gate, "PAUSE", 0.2)
    made = registered(owner)
    for name in ("alice", "bob"):
        made.knows(cast[name])
    return made


async def ready(lean: Lean, notes: Application, name: str = "Alice") -> None:
    """Let a node have asked the database about somebody."""
    assert (await post(lean, use(notes, name, f"before-{id(lean)}"), key=notes.key)).status == 201


async def coming(owner: Connection[object], many: int) -> None:
    async with asyncio.timeout(60):
        while len(stored(owner)) < many:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)


def test_it_is_acknowledged_when_the_stream_has_it_sealed_and_stored_once_when_the_database_is_back(
    notes: Application, cast: dict[str, Person], owner: Connection[object], server: Server
) -> None:
    async def play(lean: Lean) -> None:
        await ready(lean, notes)
        with away(owner):
            many = [use(notes, "Alice", f"during-{nth}") for nth in range(1, 4)]
            answer = await post(lean, [*many, many[0]], key=notes.key)
            assert [each["outcome"] for each in answer.body["events"]] == ["kept", "kept", "kept", "repeated"]
            told = server.lying()
            assert b"Troth-Events" in told
            for word in ("export", "feature_use", notes.names["Alice"], notes.application, "during"):
                assert word.encode() not in told
        await drained(lean)
        assert stored(owner) == [cast["alice"].subject] * 4
        assert [(await post(lean, each, key=notes.key)).status for each in many] == [200] * 3
        assert (await _state(server)).messages == 0

    run(play)


def test_who_was_erased_or_withdrew_meanwhile_has_nothing_stored_and_nothing_of_theirs_is_left_in_the_streams_files(
    notes: Application, cast: dict[str, Person], owner: Connection[object], server: Server
) -> None:
    """What lies there is sealed; were only told to be gone, the bytes and the key to them would still be there."""

    async def play(lean: Lean) -> None:
        for name in ("Alice", "Bob"):
            assert (await post(lean, use(notes, name, f"before-{name}"), key=notes.key)).status == 201
        with away(owner):
            for name in ("Alice", "Bob"):
                assert (await post(lean, use(notes, name, f"during-{name}"), key=notes.key)).status == 202
            shelf = lean.intake.gate.bridge.shelf
            assert isinstance(shelf, stream.Stream)
            sealed = await _sealed(shelf)
            assert len(sealed) == 2
            lying = server.lying()
            assert all(record in lying for record in sealed)
            erased(owner, cast["alice"])
            with connect.acting("self", token=cast["bob"].token) as viewer:
                viewer.execute("SELECT troth.choose('understand', 'objection')")
        after, before = {name: len(rows) for name, rows in held(owner).items()}, stored(owner)
        await drained(lean)
        assert stored(owner) == before
        told = {"refused_event": 1}  # Bob, who is there to read it
        assert {name: len(rows) for name, rows in held(owner).items()} == after | told
        assert (await _state(server)).messages == 0
        lying = server.lying()
        assert not [record for record in sealed if record in lying or record[-64:] in lying]
        assert notes.names["Alice"].encode() not in lying

    run(play)
    assert counted(owner, "refused") == {"person-declined": 1, "unknown-person": 1}


def test_what_was_taken_is_written_over_while_others_still_lie_in_the_same_file(server: Server) -> None:
    async def whole() -> None:
        shelf = stream.Stream(server.address, "test", bytes(32))
        try:
            for record in (b"first", b"second", b"third"):
                await shelf.put(record * 20, 1)
            first, *others = await _sealed(shelf)
            assert all(record in server.lying() for record in (first, *others))
            async with contextlib.aclosing(shelf.lots()) as lots:
                async for lot in lots:
                    assert list(lot.records) == [b"first" * 20]
                    await lot.done()
                    break
            lying = server.lying()
            assert all(record in lying for record in others)
            assert first not in lying
            assert first[-64:] not in lying
        finally:
            await shelf.close()

    asyncio.run(whole())


def test_were_it_only_acknowledged_its_bytes_would_still_be_there(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def left(self: Any, context: Any, number: int) -> None: ...

    monkeypatch.setattr(stream.Stream, "_erase", left)
    with pytest.raises(AssertionError, match="not in"):
        test_what_was_taken_is_written_over_while_others_still_lie_in_the_same_file(server)


def test_another_node_stores_what_one_kept_and_ended(
    notes: Application, cast: dict[str, Person], owner: Connection[object], server: Server
) -> None:
    async def whole() -> None:
        async with service() as other:
            await ready(other, notes)
            async with service() as one:
                await ready(one, notes)
                with away(owner):
                    for nth in range(3):
                        assert (await post(one, use(notes, "Alice", f"during-{nth}"), key=notes.key)).status == 202
                    await one.intake.gate.bridge.stop()
                    one.intake.gate.away_until = float("inf")
                await coming(owner, 5)
        assert len(stored(owner)) == 5

    asyncio.run(whole())


def test_what_two_nodes_kept_under_one_key_is_stored_once_and_a_conflict_is_counted(
    notes: Application, cast: dict[str, Person], owner: Connection[object], server: Server
) -> None:
    async def whole() -> None:
        async with service() as one, service() as other:
            for each in (one, other):
                await ready(each, notes)
            with away(owner):
                same, odd = use(notes, "Alice", "during-same"), use(notes, "Alice", "during-odd")
                for lean in (one, other):
                    assert (await post(lean, same, key=notes.key)).status == 202
                assert (await post(one, odd, key=notes.key)).status == 202
                odd["data"] = {"feature": "import"}
                assert (await post(other, odd, key=notes.key)).status == 202
            await coming(owner, 4)
            async with asyncio.timeout(30):
                while counted(owner, "refused") != {"conflict": 1}:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.05)
        assert len(stored(owner)) == 4

    asyncio.run(whole())


def test_delivered_twice_and_in_another_order_each_is_stored_once(
    notes: Application, cast: dict[str, Person], owner: Connection[object], server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    print(REPLAY)
    chance, calls, real = random.Random(SEED), [0], gate.Gate._commit

    async def stumbling(self: Any, batch: Any) -> None:
        """As if the node died behind a commit, before the stream was told: it delivers again."""
        await real(self, batch)
        calls[0] += 1
        if calls[0] < 6 and chance.random() < 0.5:
            raise ConnectionResetError

    async def play(lean: Lean) -> None:
        await ready(lean, notes)
        shelf = lean.intake.gate.bridge.shelf
        assert isinstance(shelf, stream.Stream)
        with away(owner):
            for nth in range(6):
                assert (await post(lean, use(notes, "Alice", f"during-{nth}"), key=notes.key)).status == 202
            records = await _sealed(shelf) * 2
            chance.shuffle(records)
            context = await shelf._context()
            await context.purge_stream(shelf.name)
            for record in records:
                await context.publish(shelf.subject, record, stream=shelf.name, headers={stream.EVENTS: "1"})
            monkeypatch.setattr(gate.Gate, "_commit", stumbling)
        await coming(owner, 7)
        await drained(lean)
        assert (await _state(server)).messages == 0

    run(play)
    assert owner.execute("SELECT count(*), count(DISTINCT id) FROM troth.feature_use").fetchone() == (7, 7)
    assert counted(owner, "refused") == counted(owner, "dropped") == {}


def test_accesses_lie_in_a_stream_of_their_own_until_any_node_stores_them(
    cast: dict[str, Person], owner: Connection[Any], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelving, "LEASE", 600.0)
    monkeypatch.setattr(recorder, "PAUSES", (0.2,) * 200)
    monkeypatch.setattr(recorder, "WATCHED", 0.2)
    alice, bob = cast["alice"], cast["bob"]

    async def whole() -> None:
        one, other = Recorder(), Recorder()
        await one.start()
        for person in (alice, bob):
            one.record(an_access(person.subject, "/before"))
        await accesses.stored(one)
        with away(owner):
            for person in (alice, bob):
                one.record(an_access(person.subject, "/during"))
            async with asyncio.timeout(30):
                while one.shelved.many < 2:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.05)
            shelf = one.shelved.shelf
            assert isinstance(shelf, stream.Stream)
            sealed = await _sealed(shelf)
            assert all(record in server.lying() for record in sealed)
            assert b"during" not in server.lying()
            assert one.task is not None
            assert one.pool is not None
            one.task.cancel()  # and no stop: the process is no more
            await asyncio.gather(one.task, return_exceptions=True)
            one.pool.terminate()
            await shelf.close()
            erased(owner, alice)
        await other.start()
        try:
            async with asyncio.timeout(30):
                while not accesses.rows(owner, "/during"):  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.05)
            await accesses.stored(other)
        finally:
            await other.stop()
        assert (await _state(server)).messages == 0
        assert not [record for record in sealed if record in server.lying()]

    asyncio.run(whole())
    assert [subject for subject, *_ in accesses.rows(owner, "/during")] == [bob.subject]


def test_what_was_acknowledged_outlives_the_end_of_the_server_and_of_the_node(
    notes: Application, cast: dict[str, Person], owner: Connection[object], server: Server
) -> None:
    async def before(lean: Lean) -> None:
        await ready(lean, notes)
        with away(owner):
            assert (await post(lean, use(notes, "Alice", "during-1"), key=notes.key)).status == 202
            server.kill()
            assert (await post(lean, use(notes, "Alice", "during-2"), key=notes.key)).status == 503
            lean.intake.gate.away_until = float("inf")

    async def after(_lean: Lean) -> None:
        await coming(owner, 2)

    run(before)
    server.start()
    run(after)
    assert len(stored(owner)) == 2


def test_a_stream_that_does_not_answer_holds_nobody_up_once_the_database_is_back(
    notes: Application, cast: dict[str, Person], owner: Connection[object], server: Server
) -> None:
    async def play(lean: Lean) -> None:
        await ready(lean, notes)
        with away(owner):
            assert (await post(lean, use(notes, "Alice", "during-1"), key=notes.key)).status == 202
            server.kill()
        async with asyncio.timeout(60):
            while (await post(lean, use(notes, "Alice", "afterwards-1"), key=notes.key)).status == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        server.start()
        await coming(owner, 3)

    run(play)


def test_what_cannot_be_unsealed_is_counted_and_what_stands_behind_it_stored(
    notes: Application, cast: dict[str, Person], owner: Connection[object], server: Server
) -> None:
    async def play(lean: Lean) -> None:
        await ready(lean, notes)
        with away(owner):
            assert (await post(lean, use(notes, "Alice", "during-1"), key=notes.key)).status == 202
            shelf = lean.intake.gate.bridge.shelf
            assert isinstance(shelf, stream.Stream)
            context = await shelf._context()
            await context.publish(shelf.subject, b"somebody else's, who has no key to it", stream=shelf.name)
            assert (await post(lean, use(notes, "Alice", "during-2"), key=notes.key)).status == 202
        await coming(owner, 3)
        await drained(lean)
        assert counted(owner, "dropped") == {"spool-torn": 1}

    run(play)


def test_what_lay_there_too_long_is_gone_and_counted(
    notes: Application, cast: dict[str, Person], owner: Connection[object], server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async def play(lean: Lean) -> None:
        await ready(lean, notes)
        with away(owner):
            many = [use(notes, "Alice", f"during-{nth}") for nth in range(3)]
            assert (await post(lean, many, key=notes.key)).status == 200
            shelf = lean.intake.gate.bridge.shelf
            assert isinstance(shelf, stream.Stream)
            shelf.clock = lambda: time.time() + 2 * LONGEST
            async with asyncio.timeout(30):
                while not lean.intake.gate.bridge.lost:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.05)
        await drained(lean)
        assert counted(owner, "dropped") == {"spool-expired": 3}
        assert len(stored(owner)) == 1

    run(play)


@pytest.mark.parametrize(("name", "value"), [("OLDEST", (99, 0)), ("ROOM", 100)])
def test_a_server_that_is_too_old_or_has_no_room_acknowledges_nothing(
    notes: Application, cast: dict[str, Person], owner: Connection[object], server: Server,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: object,
) -> None:  # fmt: skip
    monkeypatch.setattr(stream, name, value)

    async def play(lean: Lean) -> None:
        await ready(lean, notes)
        with away(owner):
            assert (await post(lean, use(notes, "Alice", "during-1"), key=notes.key)).status == 503
        async with asyncio.timeout(60):
            while (await post(lean, use(notes, "Alice", "during-1"), key=notes.key)).status == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert len(stored(owner)) == 2

    run(play)
    said = "run 2.10 or newer, with `sync_interval: always`"
    assert any(said in each.message for each in caplog.records) is (name == "OLDEST")


async def _sealed(shelf: stream.Stream) -> list[bytes]:
    """Return what lies in the stream, as it lies there."""
    context = await shelf._context()
    state = (await context.stream_info(shelf.name)).state
    numbers = range(state.first_seq, state.last_seq + 1)
    return [bytes((await context.get_msg(shelf.name, seq=each)).data or b"") for each in numbers]


async def _state(server: Server) -> Any:
    client = await nats.connect(server.address)
    try:
        (only,) = await client.jetstream().streams_info()
        return only.state
    finally:
        await client.close()
