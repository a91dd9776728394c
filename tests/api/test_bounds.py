"""Nobody holds up the service with a request that is too long, or never comes to its end."""

import asyncio
import gc
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import uvicorn

from tests.api.test_application import plane, scope, served
from troth.api.answering import Ready, deliver
from troth.database.place import Place


def answered(parts: list[dict[str, Any]], pages: Any = plane, **asked: Any) -> list[Any]:
    """Serve one request that arrives in parts, and then nothing more; return statuses, or what else happened."""
    waiting = list(parts)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.sleep(60)
        return waiting.pop(0)

    sent, _ = served(scope("/sign-in") | {"method": "POST"} | asked, pages=pages, receive=receive)
    return [message["status"] for message in sent if "status" in message]


def part(size: int, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


def test_a_page_gets_the_whole_body_at_once(database: Place) -> None:
    got: list[Any] = []

    async def page(asked: Any, receive: Any, send: Any) -> None:
        got.append(await receive())
        await plane(asked, receive, send)

    assert answered([part(3, more=True), part(4, more=False)], page) == [204]
    assert got == [{"type": "http.request", "body": b"x" * 7, "more_body": False}]


@pytest.mark.asvs("15.2.2")
def test_a_body_that_never_ends_takes_no_page_from_others(database: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from troth.config import asgi

    async def page(*_: Any) -> None:
        pytest.fail("a page was held up")

    monkeypatch.setattr(asgi, "SLOWEST_BODY", 0.2)
    assert answered([part(3, more=True)], page) == [408]
    assert answered([part(asgi.LONGEST_BODY, more=True), part(1, more=True)], page) == [413]
    assert answered([part(3, more=True), {"type": "http.disconnect"}], page) == []


def test_a_query_of_raw_bytes_reaches_its_page(database: Place) -> None:
    got: list[str] = []

    async def page(asked: Any, receive: Any, send: Any) -> None:
        got.append(asked["query_string"].decode("ascii"))
        await plane(asked, receive, send)

    assert answered([part(0, more=False)], page, query_string=b"a=\xff&b=%20+c") == [204]
    assert got == ["a=%FF&b=%20+c"]


#: As the service is served.
SERVED: dict[str, Any] = {"port": 0, "ws": "none", "lifespan": "off", "log_level": "error", "proxy_headers": False}


def spoken(say: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]], app: Any = plane) -> bytes:
    """Return what a client heard of a server that listens as ours does."""
    from troth.config.protocol import Bounded

    async def whole() -> bytes:
        config = uvicorn.Config(app, **SERVED, http=Bounded)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - it says so by nothing else
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            return await asyncio.wait_for(say(reader, writer), 10)
        finally:
            writer.close()
            server.should_exit = True
            await task

    return asyncio.run(whole())


async def heard(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except ConnectionError:
        return b""


@pytest.mark.parametrize("endless", [b"x-more: y\r\n", b"yyyyyyyyyyy"])
def test_a_head_without_an_end_ends_the_connection(endless: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-long: ")
        try:
            for _ in range(4000):
                writer.write(endless * 100)
                await writer.drain()
        except ConnectionError:
            return b"ended"
        return await heard(reader) or b"ended"

    assert spoken(say) == b"ended"


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nhost: loc"])
def test_a_head_that_does_not_come_ends_the_connection(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from troth.config import protocol

    monkeypatch.setattr(protocol, "SLOWEST_HEAD", 0.3)

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(begun)
        return await heard(reader)

    assert spoken(say) == b""


def test_long_bodies_and_several_requests_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    from troth.config import protocol

    monkeypatch.setattr(protocol, "SLOWEST_HEAD", 0.3)
    size = 4 * protocol.LONGEST_HEAD
    head = f"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {size}\r\n\r\n".encode()

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        found = b""
        for _ in range(3):
            writer.write(head + b"x" * size)
            found += await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.5)
        return found

    assert spoken(say).count(b"204 No Content") == 3


CHUNKED = b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"


async def echoing(asked: Any, receive: Any, send: Any) -> None:
    """Answer with the headers, once the body is there."""
    while (await receive()).get("more_body"):
        pass
    names = b" ".join(name for name, _ in asked["headers"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(names))]})
    await send({"type": "http.response.body", "body": names})


def test_what_comes_behind_a_body_is_no_header() -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(
            CHUNKED + b"1\r\nx\r\n0\r\nx-forwarded-for: 192.0.2.1\r\ncookie: a=b\r\nhost: evil.example\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        return await heard(reader)

    assert spoken(say, echoing) == b"host transfer-encoding"


@pytest.mark.parametrize("begun", [b"0\r\n", b"0\r\nx-long: ", b"1;"])
@pytest.mark.parametrize("app", [plane, echoing])
def test_lines_around_a_body_without_an_end_end_the_connection(begun: bytes, app: Any) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(CHUNKED + begun)
        try:
            for _ in range(4000):
                writer.write((b"x-more: y\r\n" if begun.endswith(b"\n") else b"yyyyyyyyyyy") * 100)
                await writer.drain()
        except ConnectionError:
            return b"ended"
        return await heard(reader)

    assert spoken(say, app) == b"ended"


READY = Ready(201, b'{"outcome":"stored"}')
WHOLE = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\nx"


class Direct:
    """What answers with what is ready: directly, a turn later, or (`unless`) by a task; it notes by which of both."""

    def __init__(self, *, taking: bool = True, ready: Ready = READY, unless: bytes = b"\0") -> None:
        self.taking, self.ready, self.unless = taking, ready, unless
        self.noted = list[str]()
        self.waiting = list[Callable[[Ready | None], None]]()
        self.holds = False

    async def __call__(self, _: Any, receive: Any, send: Any) -> None:
        self.noted.append("task")
        while (await receive()).get("more_body"):
            pass
        await deliver(send, self.ready.status, self.ready.content)

    def directly(self, asked: Any, body: bytes, give: Any, otherwise: Any) -> bool:
        if not self.taking or asked["method"] == "HEAD":
            return False
        assert body == (b"" if any(name == b"upgrade" for name, _ in asked["headers"]) else b"x")
        self.noted.append("directly")
        if self.holds:
            self.waiting.append(give)
        elif any(value == self.unless for _, value in asked["headers"]):
            asyncio.get_running_loop().call_soon(otherwise)
        else:
            asyncio.get_running_loop().call_soon(give, self.ready)
        return True


@pytest.mark.parametrize(
    ("said", "noted"),
    [
        (WHOLE, ["directly"]),
        (WHOLE + WHOLE, ["directly", "task"]),
        (WHOLE.replace(b"localhost", b"localhost\r\nconnection: close"), ["directly"]),
        (WHOLE.replace(b"1.1", b"1.0"), ["directly"]),
        (WHOLE.replace(b"localhost", b"otherwise"), ["directly", "task"]),
        (b"HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n", ["task"]),
        (CHUNKED + b"1\r\nx\r\n0\r\n\r\n", ["directly"]),
        (WHOLE.replace(b"localhost", b"localhost\r\nupgrade: h2c\r\nconnection: upgrade"), ["directly"]),
    ],
)
def test_what_is_answered_directly_is_said_as_a_task_says_it(said: bytes, noted: list[str]) -> None:
    many = said.count(b"HTTP/1.")

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(said)
        found = b""
        for _ in range(many):
            found += await reader.readuntil(b"\r\n\r\n")
            if not said.startswith(b"HEAD"):
                found += await reader.readexactly(len(READY.content))
        return re.sub(rb"date: [^\r]+", b"date:", found)

    direct, tasks = Direct(unless=b"otherwise"), Direct(taking=False)
    assert spoken(say, direct) == spoken(say, tasks)
    assert (direct.noted, tasks.noted) == (noted, ["task"] * many)


def test_who_waits_for_leave_to_send_a_body_gets_it() -> None:
    """A body that is here already needs no leave (RFC 9110, section 10.1.1)."""
    head, body = WHOLE[:-1].replace(b"localhost", b"localhost\r\nexpect: 100-continue"), WHOLE[-1:]

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(head)
        found = await reader.readuntil(b"\r\n\r\n")
        writer.write(body)
        return found + await reader.readuntil(b"}")

    async def does_not(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(head + body)
        return await reader.readuntil(b"}")

    app = Direct()
    assert spoken(waits, app).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201")
    assert spoken(does_not, app).startswith(b"HTTP/1.1 201")
    assert app.noted == ["task", "directly"]


def test_who_reads_no_answers_is_not_answered_directly() -> None:
    """A task waits until they are read; what is written directly would pile up."""
    app = Direct(ready=Ready(200, b"x" * 8_000_000))

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for _ in range(2):
            writer.write(WHOLE)
            await asyncio.sleep(0.2)
        return b""

    spoken(say, app)
    assert app.noted == ["directly", "task"]


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


def test_who_left_before_an_answer_disturbs_nobody() -> None:
    app = Direct()
    app.holds = True

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        _, another = await asyncio.open_connection(*writer.get_extra_info("peername"))
        another.write(WHOLE)
        await _until(lambda: len(app.waiting) == 1)
        another.close()
        await asyncio.sleep(0.1)
        app.waiting[0](READY)
        writer.write(WHOLE)
        await _until(lambda: len(app.waiting) == 2)
        app.waiting[1](READY)
        return await reader.readuntil(b"}")

    assert spoken(say, app).endswith(READY.content)


def test_nothing_stays_of_who_left_before_an_answer() -> None:
    """What they asked, with their key and their body, is let go of with the answer, not when the collector comes."""
    app = Direct()
    app.holds = True

    def noted(many: int) -> bool:
        return len(app.noted) == many

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        gc.collect()
        gc.disable()
        for nth in range(20):
            _, another = await asyncio.open_connection(*writer.get_extra_info("peername"))
            another.write(WHOLE)
            await _until(partial(noted, nth + 1))
            another.close()
        await asyncio.sleep(0.1)
        while app.waiting:
            app.waiting.pop()(READY)
        await asyncio.sleep(0.1)
        return b"%d" % sum(type(each).__name__ == "RequestResponseCycle" for each in gc.get_objects())

    try:
        assert int(spoken(say, app)) <= 2
    finally:
        gc.enable()


def test_what_cannot_be_said_ends_the_connection() -> None:
    app = Direct()
    app.holds = True

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(WHOLE)
        await _until(lambda: len(app.waiting) == 1)
        app.waiting[0](None)
        return await heard(reader) or b"ended"

    assert spoken(say, app) == b"ended"


def test_a_server_that_stops_answers_what_it_took_and_then_ends_the_connection() -> None:
    from troth.config.protocol import Bounded

    app = Direct()
    app.holds = True

    async def whole() -> bytes:
        config = uvicorn.Config(app, **SERVED, http=Bounded, timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        await _until(lambda: server.started)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
        writer.write(WHOLE)
        await _until(lambda: len(app.waiting) == 1)
        server.should_exit = True
        await asyncio.sleep(0.5)
        app.waiting[0](READY)
        found = await asyncio.wait_for(reader.read(), 5)
        await asyncio.wait_for(task, 5)
        writer.close()
        return found

    found = asyncio.run(whole())
    assert found.startswith(b"HTTP/1.1 201")
    assert found.endswith(b"connection: close\r\n\r\n" + READY.content)


@pytest.mark.parametrize("app", [plane, Direct()])
def test_nothing_of_a_request_stays_once_it_is_answered(app: Any) -> None:
    """Keys, cookies and bodies are let go of at once, not when the garbage collector comes."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for _ in range(20):
            writer.write(WHOLE)
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.01)
        gc.collect()
        gc.disable()
        for _ in range(20):
            writer.write(WHOLE)
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.01)
        return b"%d" % sum(type(each).__name__ == "RequestResponseCycle" for each in gc.get_objects())

    try:
        assert int(spoken(say, app)) <= 2
    finally:
        gc.enable()


@pytest.mark.parametrize("begun", [b"", b"1\r\nx\r\n", b"0\r\nx-more: y\r\n"])
def test_a_request_that_was_answered_is_not_waited_for_without_end(
    begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.config import protocol

    monkeypatch.setattr(protocol, "SLOWEST_HEAD", 0.3)

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(CHUNKED + begun)
        found = await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.write(b"1\r\nx\r\n" if begun[:1] != b"0" else b"x-more: y\r\n")
        return found + await heard(reader)

    assert b"204 No Content" in spoken(say)


@pytest.mark.parametrize("app", [plane, Direct()])
def test_an_empty_line_behind_an_answer_is_not_waited_upon_for_ever(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from troth.config import protocol

    monkeypatch.setattr(protocol, "SLOWEST_HEAD", 0.4)
    monkeypatch.setitem(SERVED, "timeout_keep_alive", 0.4)

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for _ in range(2):
            writer.write(WHOLE)
            await reader.readuntil(READY.content if app is not plane else b"\r\n\r\n")
            writer.write(b"\r\n")
            await asyncio.sleep(0.1)
        return await heard(reader) or b"ended"

    assert spoken(say, app) == b"ended"
