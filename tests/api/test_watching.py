"""Whoever may look at counts is told that some changed, in a stream that ends with the session and that not many hold open."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from psycopg import Connection

from tests.api.test_lean import asked
from tests.browsing import Browser
from tests.conftest import Person
from tests.web.conftest import browser, settings
from tests.web.second import hire
from troth.api import watching
from troth.api.app import Lean
from troth.intake import beating
from troth.intake.health import PULSE

__all__ = ["browser", "settings"]
CHANGED = b"event: changed"


@pytest.fixture
def token(browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> str:
    """What proves somebody who owns the service and showed a second factor; streams look around quickly."""
    monkeypatch.setattr(watching, "EVERY", 0.05)
    monkeypatch.setattr(watching, "ASKED", 0.05)
    monkeypatch.setattr(beating, "EVERY", 0.05)
    hire(owner, browser, browser.sign_up(owner, "olga@harbor.example"), "owner")
    browser.get("/operator")
    return str(browser.cookies["__Host-viewer"].value)


class Stream:
    """A stream that is open; `left` closes it as a browser does."""

    def __init__(self, lean: Lean, token: str) -> None:
        self.content, self.status = b"", 0
        self.left, self.said = asyncio.Event(), asyncio.Event()
        self.scope: dict[str, Any] = {
            "type": "http", "method": "GET", "path": watching.PATH, "query_string": b"", "troth.access": {},
            "headers": [(b"host", b"harbor.example"), (b"cookie", f"__Host-viewer={token}".encode())],
        }  # fmt: skip
        self.begun = False
        self.task = asyncio.create_task(lean(self.scope, self.receive, self.send))

    async def receive(self) -> dict[str, Any]:
        if not self.begun:
            self.begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.content += message.get("body", b"")
        self.said.set()

    async def says(self, what: bytes) -> None:
        async with asyncio.timeout(20):
            while what not in self.content:
                self.said.clear()
                await self.said.wait()

    async def end(self) -> None:
        self.left.set()
        async with asyncio.timeout(20):
            await self.task


def run(scenario: Callable[[Lean], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        lean = Lean()
        await lean.start()
        try:
            await scenario(lean)
        finally:
            await lean.stop()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, whole()).result()


async def said(lean: Lean) -> None:
    """Let this process say how it does, and learn how much was stored by all, by now."""
    await beating.beat(await lean.intake.gate._pool())


async def looked() -> None:
    """Let streams look around some times."""
    await asyncio.sleep(10 * watching.EVERY)


def test_a_change_is_told_and_nothing_of_what_it_was(token: str) -> None:
    async def scenario(lean: Lean) -> None:
        await said(lean)
        stream = Stream(lean, token)
        await stream.says(watching.RETRY)
        PULSE.committed(other=False)
        await said(lean)
        await looked()
        assert CHANGED not in stream.content
        PULSE.committed()
        await stream.says(CHANGED)
        await stream.end()
        assert stream.content == watching.RETRY + b"event: changed\ndata:\n\n"
        assert lean.watching.open.total() == 0

    run(scenario)


def test_what_another_process_stored_is_a_change(token: str, owner: Connection[Any]) -> None:
    async def scenario(lean: Lean) -> None:
        await said(lean)
        stream = Stream(lean, token)
        await stream.says(watching.RETRY)
        assert CHANGED not in stream.content
        other = "INSERT INTO troth.intake_node (node, started, seen, commits, figures) VALUES (gen_random_uuid(), now(), now(), 1, '{0,0,0,0,0,0,0}')"
        await asyncio.to_thread(owner.execute, other)
        await stream.says(CHANGED)
        await stream.end()

    run(scenario)


def test_looks_at_the_figures_themselves_are_no_change() -> None:
    before = PULSE.commits
    PULSE.committed(other=False)
    assert before == PULSE.commits
    assert PULSE.latest is not None


def test_a_stream_ends_with_the_session(token: str, owner: Connection[Any]) -> None:
    async def scenario(lean: Lean) -> None:
        stream = Stream(lean, token)
        await stream.says(watching.RETRY)
        await asyncio.to_thread(owner.execute, "DELETE FROM troth.request_token")
        async with asyncio.timeout(20):
            await stream.task
        assert stream.content == watching.RETRY
        assert lean.watching.open.total() == 0

    run(scenario)


def test_a_stream_ends_with_the_role(token: str, owner: Connection[Any]) -> None:
    async def scenario(lean: Lean) -> None:
        stream = Stream(lean, token)
        await stream.says(watching.RETRY)
        await asyncio.to_thread(owner.execute, "UPDATE troth.staff SET until = now()")
        async with asyncio.timeout(20):
            await stream.task
        assert stream.content == watching.RETRY

    run(scenario)


def test_not_many_are_open_at_once(token: str) -> None:
    async def scenario(lean: Lean) -> None:
        streams = [Stream(lean, token) for _ in range(watching.EACH)]
        for each in streams:
            await each.says(watching.RETRY)
        more = Stream(lean, token)
        await more.says(b'"busy"')
        assert more.status == 503
        await streams[0].end()
        again = Stream(lean, token)
        await again.says(watching.RETRY)
        for each in (*streams[1:], again):
            await each.end()

    run(scenario)


def test_nobody_else_is_told_anything(cast: dict[str, Person], owner: Connection[Any]) -> None:
    assert asked(watching.PATH).code == "sign-in-needed"
    assert asked(watching.PATH, token=cast["alice"].token).code == "not-found"
    owner.execute("INSERT INTO troth.staff (subject, role) VALUES (%s, 'owner')", (cast["alice"].subject,))
    assert asked(watching.PATH, token=cast["alice"].token).code == "not-found", "who showed no second factor"
    assert asked(watching.PATH, method="POST").code == "not-found"
