"""What comes whole from a sender who is known is answered without a task of its own, as it would be with one."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn
from psycopg import Connection

from tests.conftest import Person
from tests.intake.sending import Application, event, registered, sent
from troth.api import intake
from troth.api.answering import Ready
from troth.api.app import Lean
from troth.api.intake import LEAST, MOST, PARTED, TURN
from troth.config.protocol import Bounded
from troth.intake import gate, reading
from troth.intake.unpacking import LONGEST, LONGEST_PACKED

JSON, LINES = "application/json", "application/x-ndjson"
type Said = tuple[int, dict[str, str], Any]


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice uses."""
    made = registered(owner)
    made.knows(cast["alice"])
    return made


class Serving:
    """The lean plane behind a port, and how many requests it took directly, or by a task."""

    def __init__(self, *, direct: bool) -> None:
        self.lean, self.direct = Lean(), direct
        self.directly_taken, self.tasks = 0, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.tasks += 1
        await self.lean(scope, receive, send)

    def directly(self, scope: Any, body: bytes, give: Any, otherwise: Any) -> bool:
        taken = self.direct and self.lean.intake.directly(scope, body, give, otherwise)
        self.directly_taken += taken
        return taken


async def _said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes, **headers: str) -> Said:
    told = {"host": "localhost", "content-length": str(len(body))} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    writer.write(f"POST /intake/v1/events HTTP/1.1\r\n{head}\r\n".encode() + body)
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    heard = dict(line.split(": ", 1) for line in lines)
    content = await reader.readexactly(int(heard["content-length"]))
    del heard["date"]
    return int(first.split()[1]), heard, json.loads(content)


def exchanged(
    key: str, every: Sequence[tuple[bytes, dict[str, str]]], *, direct: bool = True
) -> tuple[list[Said], Serving]:
    """Send bodies one after the other behind one that makes the sender known; return the answers."""

    async def whole() -> tuple[list[Said], Serving]:
        app = Serving(direct=direct)
        await app.lean.start()
        config = uvicorn.Config(
            app, port=0, http=Bounded, ws="none", lifespan="off", proxy_headers=False, log_level="error"
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - it says so by nothing else
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
        carried = {"authorization": f"Bearer {key}", "content_type": JSON}
        found = [await _said(reader, writer, body, **carried | told) for body, told in [(b"{", {}), *every]]
        writer.close()
        server.should_exit = True
        await task
        assert (app.lean.intake.held, app.lean.intake.held_of, app.lean.intake.gate.held) == (0, {}, 0)
        await app.lean.stop()
        return found[1:], app

    return asyncio.run(whole())


def _each(notes: Application, name: str) -> list[tuple[bytes, dict[str, str]]]:
    """Return bodies of all kinds; what of them is to be stored has keys with this name."""

    def use(key: str, **told: Any) -> dict[str, Any]:
        return event("feature_use", notes.names["Alice"], f"{name}-{key}") | told

    one, two, another = use("one-0001"), use("two-0001"), use("one-0001", data={"feature": "import"})
    lines = b"\n".join(json.dumps(use(f"line-{nth:04}")).encode() for nth in range(3))
    crash = event("crash", notes.names["Alice"], f"{name}-crash-01")
    return [
        (json.dumps(one).encode(), {}),
        (json.dumps(one).encode(), {}),
        (json.dumps(another).encode(), {}),
        (json.dumps(two).encode(), {"sec_gpc": "1"}),
        (json.dumps([use("many-001"), one, another, {}]).encode(), {}),
        (lines, {"content_type": LINES}),
        (lines + b"\n{", {"content_type": f"{LINES}; charset=utf-8"}),
        (gzip.compress(json.dumps(crash).encode()), {"content_encoding": "gzip"}),
        (json.dumps(use("who-0001", person="nobody-known")).encode(), {}),
        (json.dumps(use("odd-0001", kind="odd")).encode(), {}),
        (json.dumps(use("odd-0002", data={"feature": 4})).encode(), {}),
        (json.dumps(use("late-001", at="2020-01-01T00:00:00Z")).encode(), {"sent_at": "2026-01-01T00:00:00Z"}),
        (b"[", {}),
        (b"", {}),
        (b"x", {"content_encoding": "gzip"}),
        (b"x", {"content_encoding": "odd"}),
        (json.dumps(one).encode(), {"content_type": "text/odd"}),
        (json.dumps(one).encode(), {"authorization": "Bearer odd"}),
        (json.dumps([{}] * (MOST + 1)).encode(), {}),
        (b"\n".join(json.dumps(use(f"turn-{nth:04}")).encode() for nth in range(TURN + 1)), {"content_type": LINES}),
        (gzip.compress(b" " * (LONGEST + 1)), {"content_encoding": "gzip"}),
    ]


def _rows(owner: Connection[Any]) -> list[Any]:
    return owner.execute(
        "SELECT subject, application, uses, feature, outcome, NULL FROM troth.feature_use"
        " UNION ALL SELECT subject, application, uses, kind, message, stack FROM troth.crash ORDER BY 1, 2, 3, 4, 5, 6"
    ).fetchall()


def test_it_is_answered_and_stored_as_with_a_task(notes: Application, owner: Connection[Any]) -> None:
    found, app = exchanged(notes.key, _each(notes, "first"))
    stored = _rows(owner)
    owner.execute("DELETE FROM troth.feature_use")
    owner.execute("DELETE FROM troth.crash")
    wanted, with_tasks = exchanged(notes.key, _each(notes, "again"), direct=False)
    assert found == wanted
    assert stored == _rows(owner) != []
    assert {status for status, _, _ in found} == {200, 201, 401, 403, 409, 413, 415, 422}
    assert with_tasks.directly_taken == 0
    packed = [told for _, told in _each(notes, "") if "content_encoding" in told]
    assert app.directly_taken == len(found) - len(packed) - 1, "but of what is packed, and the key that opens nothing"
    refused = sum("code" in body for _, _, body in found)
    assert app.tasks == 1 + refused + 2, (
        "the first, what is refused whole, what is packed, and would keep others waiting"
    )


def test_what_is_long_comes_by_a_task(notes: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SHORT", 2_000)  # what is longer than a packet comes in parts on some machines
    body = json.dumps(event("feature_use", notes.names["Alice"], "long-0001")).encode()
    _, app = exchanged(notes.key, [(body.ljust(2_000), {}), (body.ljust(2_001), {})])
    assert app.directly_taken == 1


@asynccontextmanager
async def known(notes: Application) -> AsyncIterator[tuple[Lean, Callable[..., bool]]]:
    """The lean plane, to which the sender is known, and what offers it a body directly."""
    lean = Lean()
    await lean.start()
    headers = [(b"authorization", f"Bearer {notes.key}".encode()), (b"content-type", JSON.encode())]
    scope = {"path": "/intake/v1/events", "method": "POST", "headers": headers, "client": ("192.0.2.7", 1)}
    await lean.intake.sender(notes.key.encode(), scope)
    yield lean, lambda body, give, otherwise: lean.intake.directly({**scope}, body, give, otherwise)
    await lean.stop()


def test_a_turn_ends_after_so_many_bytes_and_others_have_theirs(
    notes: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SHORT", 2_000)
    bodies = [
        json.dumps(event("feature_use", notes.names["Alice"], f"turn-{nth:04}")).encode().ljust(1_200)
        for nth in range(5)
    ]

    async def whole() -> tuple[list[int], list[Ready | None]]:
        left, given = list[int](), list[Ready | None]()
        async with known(notes) as (lean, offer):
            for body in bodies:
                assert offer(body, given.append, pytest.fail)
            for _ in range(3):
                await asyncio.sleep(0)
                left.append(len(lean.intake.unread))
            async with asyncio.timeout(5):
                while len(given) < len(bodies):  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.01)
        return left, given

    left, given = asyncio.run(whole())
    assert left == [3, 1, 0]
    assert [each and each.status for each in given] == [201] * len(bodies)


def test_of_what_is_stored_and_cannot_be_said_nothing_is_said_or_written_down(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its sender sends it again, under the same key."""

    def failing(*_: Any) -> Any:
        raise ZeroDivisionError("unsaid-0001")

    monkeypatch.setattr("troth.api.intake._Brought.answer", failing)
    body = json.dumps(event("feature_use", notes.names["Alice"], "unsaid-0001")).encode()

    async def whole() -> list[Ready | None]:
        given = list[Ready | None]()
        async with known(notes) as (lean, offer):
            assert offer(body, given.append, pytest.fail)
            async with asyncio.timeout(5):
                while not given:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.01)
            assert (lean.intake.held, lean.intake.gate.held) == (0, 0)
        return given

    assert asyncio.run(whole()) == [None]
    assert owner.execute("SELECT count(*) FROM troth.feature_use").fetchone() == (1,)
    assert "an answer could not be said (ZeroDivisionError)" in caplog.text
    assert "unsaid-0001" not in caplog.text


@pytest.mark.parametrize("each", [b"1,", b"1,1,1,1,1\n,", b" {}\t, ", b'"[,",', b"[[],2],"])
def test_of_a_list_without_end_no_more_is_held_than_is_taken(notes: Application, each: bytes) -> None:
    body = b" [" + each * ((LONGEST - 10) // len(each)) + b"1]"
    tracemalloc.start()
    try:
        answer = sent(gzip.compress(body), key=notes.key, content_encoding="gzip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (answer.status, answer.body["code"]) == (413, "too-much")
    assert peak < 5 * LONGEST, "a body, its text, and little more"


def test_of_lines_without_words_none_is_held(notes: Application) -> None:
    tracemalloc.start()
    try:
        for line in (b"\n", b" \n", b"1\n"):
            body = gzip.compress(line * (LONGEST // len(line)))
            answer = sent(body, key=notes.key, content_encoding="gzip", content_type=LINES)
            assert answer.status == (413 if line == b"1\n" else 200)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * LONGEST


@pytest.mark.parametrize("many", [PARTED // MOST, 2 * PARTED])
def test_a_list_with_many_commas_and_few_items_is_taken(notes: Application, many: int) -> None:
    wide = event("feature_use", notes.names["Alice"], "wide-0001", metadata={"list": [1] * many})
    whole = [event("feature_use", notes.names["Alice"], f"wide-{nth:04}") for nth in range(2, 5)]
    answer = sent([wide, *whole], key=notes.key)
    assert answer.status == 200
    assert answer.body["stored"] == 3


def test_what_has_no_room_is_shed_as_with_a_task(notes: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps(event("feature_use", notes.names["Alice"], "room-0001")).encode()
    monkeypatch.setattr(gate, "SHARE", 0)
    (found,), _ = exchanged(notes.key, [(body, {})])
    (wanted,), _ = exchanged(notes.key, [(body, {})], direct=False)
    assert found == wanted
    assert (found[0], found[1]["retry-after"], found[2]["code"]) == (503, "5", "busy")


def test_bodies_count_as_long_as_they_wait(notes: Application) -> None:
    body = json.dumps(event("feature_use", notes.names["Alice"], "held-0001")).encode()
    seen = list[int]()

    async def whole() -> list[Ready | None]:
        given, answered = list[Ready | None](), asyncio.Event()

        def give(ready: Ready | None) -> None:
            given.append(ready)
            answered.set()

        async with known(notes) as (lean, offer):
            lean.intake.held = 10**12
            assert offer(body, give, answered.set)
            await answered.wait()
            assert given == [], "no room: it is left to the call"
            lean.intake.held = 0
            answered.clear()
            assert offer(body, give, answered.set)
            await asyncio.sleep(0)
            seen.append(lean.intake.held)
            await answered.wait()
            seen.append(lean.intake.held)
        return given

    (ready,) = asyncio.run(whole())
    assert ready is not None
    assert ready.status == 201
    assert seen == [LEAST + len(body), 0]


def test_what_cannot_be_read_for_whatever_reason_keeps_nobody_else_waiting(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reading.decode

    def failing(raw: bytes, *told: Any, **more: Any) -> Any:
        if b"odd-0001" in raw:
            raise ZeroDivisionError
        return real(raw, *told, **more)

    monkeypatch.setattr("troth.api.intake.decode", failing)
    bodies = [json.dumps(event("feature_use", notes.names["Alice"], key)).encode() for key in ("fit-0001", "odd-0001")]

    async def whole() -> tuple[list[int], int]:
        otherwise, given = list[int](), list[Ready | None]()
        async with known(notes) as (lean, offer):
            for nth, body in enumerate(bodies):
                assert offer(body, given.append, partial(otherwise.append, nth))
            await asyncio.sleep(0.01)
        assert not given
        return otherwise, lean.intake.held

    assert asyncio.run(whole()) == ([0, 1], 0)


def test_of_what_was_not_committed_it_is_said_that_it_may_come_again(
    notes: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: Any, **__: Any) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(gate.Gate, "_attempt", failing)
    body = json.dumps(event("feature_use", notes.names["Alice"], "lost-0001")).encode()
    (found,), app = exchanged(notes.key, [(body, {})])
    assert (found[0], found[1]["retry-after"], found[2]["code"]) == (503, "5", "unavailable")
    assert (app.directly_taken, app.tasks) == (1, 1)


@pytest.mark.parametrize(
    ("path", "body", "told", "advice"),
    [
        ("/intake/v1/events", b" " * (LONGEST_PACKED + 1), {}, "1 MB as it is sent, and 4 MB unpacked"),
        ("/intake/v1/events", b"x", {"content_encoding": "gzip"}, "as `Content-Encoding` says"),
        ("/intake/v1/events", b"[NaN]", {}, "a list of them"),
        ("/intake/v1/events", b"", {"method": "GET"}, "with POST"),
        ("/intake/v1/odd", b"", {}, "/intake/v1/schema"),
    ],
)
def test_what_is_refused_whole_says_what_to_do_here(
    notes: Application, path: str, body: bytes, told: dict[str, Any], advice: str
) -> None:
    answer = sent(body, key=notes.key, path=path, **told)
    assert advice in answer.body["what_next"]
    assert answer.headers.get(b"allow", b"POST") == b"POST"
