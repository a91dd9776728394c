"""The intake's baseline: parse, queue, one COPY and one commit for many requests, an answer after it. No judging.

`PLAIN` says where the database is; `/events` takes one JSON object, `/lines` many lines, `/envelope` an envelope.
"""

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

SAID = ("event", "severity", "message", "release", "environment", "url", "browser", "system", "place", "provider")
TEXTS = ("kind", *SAID)
COLUMNS = ("id", "at", "person", *TEXTS)
MOST = 2_000

type Message = MutableMapping[str, Any]


class Event(msgspec.Struct):
    """An event as it is sent."""

    key: str
    kind: str
    person: str
    data: dict[str, Any]


class Plain:
    """One table of events and one of envelopes, without an index."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, list[tuple[Any, ...]], asyncio.Future[None]]] = []
        self.wake = asyncio.Event()
        self.one, self.pool = msgspec.json.Decoder(Event), None
        self.task: asyncio.Task[None] | None = None

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Serve one request, or the process's beginning and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await self._take(scope["path"], body)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"outcome":"stored"}'})

    async def _live(
        self, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        await receive()
        await self._begin()
        self.task = asyncio.create_task(self._run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.task.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _begin(self) -> None:
        self.connection = await asyncpg.connect(**msgspec.json.decode(os.environ["PLAIN"]))

    async def _take(self, path: str, body: bytes) -> None:
        if path == "/envelope":
            table, rows = "envelope", [(uuid.uuid4(), datetime.now(UTC), _json(body))]
        else:
            lines = [body] if path == "/events" else body.split(b"\n")
            table, rows = "event", [_row(self.one.decode(line)) for line in lines if line]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((table, rows, done))
        self.wake.set()
        await done

    async def _run(self) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.waiting:
                batch, many = [], 0
                while self.waiting and many < MOST:
                    batch.append(self.waiting.pop(0))
                    many += len(batch[-1][1])
                async with self.connection.transaction():
                    for table in {table for table, _, _ in batch}:
                        rows = [row for each, some, _ in batch if each == table for row in some]
                        await self.connection.copy_records_to_table(table, records=rows, columns=_columns(table))
                for _, _, done in batch:
                    done.set_result(None)


def _columns(table: str) -> tuple[str, ...]:
    return COLUMNS if table == "event" else ("id", "at", "said")


def _row(event: Event) -> tuple[Any, ...]:
    said = event.data
    return (uuid.uuid4(), datetime.now(UTC), event.person, event.kind, *(said.get(name) for name in SAID))


def _json(body: bytes) -> str:
    """Return the item of an envelope, parsed and written again."""
    return msgspec.json.encode(msgspec.json.decode(body.split(b"\n")[2])).decode()


application = Plain()
