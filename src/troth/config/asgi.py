"""The one application behind the one port: the lean plane, the pages, and the recorder of accesses around both."""

import asyncio
import gc
import ipaddress
import os
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote_from_bytes

from a2wsgi import WSGIMiddleware

from troth.api.answering import Ready
from troth.api.app import Lean
from troth.api.guessing import Guesses
from troth.api.intake import EVENTS
from troth.api.scim.mount import Mount
from troth.api.speaking import speaking
from troth.config.wsgi import application as pages
from troth.intake import hints
from troth.intake.event import Event
from troth.intake.objecting import objects
from troth.intake.recorder import Recorder, seen
from troth.web.guessing import Wrong

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
#: What applications send is judged event by event, and says more than that it came; a stream says less than its page.
UNRECORDED = ("/static/", "/health", "/favicon.ico", "/intake/", "/api/v1/activity")
#: What applications and directories ask for in an address says who somebody is: it is recorded without.
SAYING = ("/connect/", "/device", "/scim/")
LEAN = ("/api/", "/ledger/", "/intake/", "/health")
#: What was answered below it was answered by somebody who could ask who is asking.
FAILED = 500
#: The headers that are looked at, those with which somebody proves who they are among them.
PROVING = {b"cookie", b"authorization"}
NOTED = {b"referer", b"user-agent", *PROVING, *(name.lower().encode() for name in hints.HEADERS.values())}
#: Where a record of somebody's own has an address, it tells which, and when: it is recorded without.
ONES = re.compile(r"(/me/timeline/)[^?#]+")
DIRECTORIES = "/scim/v2"
ASCII = bytes(range(128)).decode()
THREADS = 8
#: A form is shorter, and quicker; settings refuse forms above half of it with a page.
LONGEST_BODY = 512 * 1024
SLOWEST_BODY = 20.0
#: What is posted may have three files of a megabyte, and a phone takes its time.
UPLOADING = re.compile(r"/posts/(?:new|[0-9a-f-]{36}/edit)")
LONGEST_UPLOAD, SLOWEST_UPLOAD = 3_500_000, 60.0


def proxies(listed: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Return the networks of the proxies that are believed. Raises ValueError, which stops the start."""
    return tuple(ipaddress.ip_network(part.strip()) for part in listed.split(",") if part.strip())


class Application:
    """Answers, and records what was asked."""

    def __init__(self, listed: str = "") -> None:
        """Put the planes together; `listed` names the proxies whose word counts for the client's address."""
        self.recorder = Recorder()
        guesses = Guesses(Wrong())
        self.lean = Lean(guesses)
        self.directories = Mount(guesses=guesses)
        self.pages: Any = WSGIMiddleware(cast("Any", pages), workers=THREADS)
        self.proxies = proxies(listed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the process's beginning and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    def directly(
        self, scope: Scope, body: bytes, give: Callable[[Ready | None], None], otherwise: Callable[[], None]
    ) -> bool:
        """Take a whole request that is answered without a task of its own (`answering.Directly`)."""
        return scope["path"] == EVENTS and self.lean.intake.directly(scope, body, give, otherwise)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.recorder.start()
                await self.lean.start()
                gc.freeze()  # what is here now stays: to look through it again and again would only take time
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.recorder.stop()
                await self.lean.stop()
                self.directories.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        told: dict[str, Any] = {}
        scope["troth.access"] = told
        scope["client"] = self._client(scope)
        if scope["path"].startswith(UNRECORDED) or speaking(scope["path"]) is not None:
            await self._answer(scope, receive, send)
        else:
            await self._recorded(scope, receive, send, told)

    async def _recorded(self, scope: Scope, receive: Receive, send: Send, told: dict[str, Any]) -> None:
        status, began = 0, time.monotonic()

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._answer(scope, receive, noted)
        finally:
            self.recorder.record(access(scope, status, told, began))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(LEAN) or speaking(scope["path"]) is not None:
            await self.lean(scope, receive, send)
        elif scope["path"] == DIRECTORIES or scope["path"].startswith(f"{DIRECTORIES}/"):
            await self.directories(scope, receive, send)
        else:
            await self._page(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a page answer once the whole body is there: a thread that waited for it would keep others waiting."""
        try:
            longest, slowest = limits(scope["path"])
            body = await whole(receive, longest, slowest)
        except TimeoutError:
            await refuse(send, 408)
            return
        if body is None:
            return
        if len(body) > longest:
            await refuse(send, 413)
            return
        # Raw bytes beyond ASCII are none of a query's, yet they arrive.
        scope["query_string"] = quote_from_bytes(scope["query_string"], ASCII).encode()
        parts = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> MutableMapping[str, Any]:
            return next(parts, None) or await receive()

        await self.pages(scope, again, send)

    def _client(self, scope: Scope) -> tuple[str, int]:
        """Return the client's address; a proxy is believed only when it is listed."""
        host, port = scope.get("client") or ("", 0)
        if not self.proxies:
            return host, port
        hops = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        for hop in reversed([part.strip() for part in ",".join(hops).split(",") if part.strip()]):
            if not self._listed(host):
                break
            host, port = hop, 0
        return host, port

    def _listed(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address  # as a socket that listens to both kinds says it
        return any(address in network for network in self.proxies)


def limits(path: str) -> tuple[int, float]:
    """Return how many bytes a body has at most, and how many seconds it may take."""
    return (LONGEST_UPLOAD, SLOWEST_UPLOAD) if UPLOADING.fullmatch(path) else (LONGEST_BODY, SLOWEST_BODY)


async def whole(receive: Receive, longest: int = LONGEST_BODY, slowest: float = SLOWEST_BODY) -> bytes | None:
    """Return a body, or as much of one as shows that it is too long; None when the client left before its end.

    Raises TimeoutError for one that takes too long.
    """
    held = bytearray()
    async with asyncio.timeout(slowest):
        while len(held) <= longest:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            held += message.get("body", b"")
            if not message.get("more_body"):
                break
    return bytes(held)


async def refuse(send: Send, status: int) -> None:
    """Answer without a page, and end the connection, on which the rest of a body may still come."""
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def access(scope: Scope, status: int, told: dict[str, Any], began: float) -> Event:
    """Return the event of a request that began at a moment of the monotonic clock."""
    headers = {name: value for name, value in scope["headers"] if name in NOTED}
    query = scope["query_string"].decode("latin-1")
    return Event(
        at=datetime.now(UTC),
        method=scope["method"],
        url=ONES.sub(r"\1*", scope["path"]) + (f"?{query}" if query and not scope["path"].startswith(SAYING) else ""),
        status=status or 499,
        referrer=ONES.sub(r"\1*", headers.get(b"referer", b"").decode("latin-1")) or None,
        ip=(scope.get("client") or ("",))[0] or None,
        agent=headers.get(b"user-agent", b"").decode("latin-1") or None,
        objects=objects(scope["headers"]),
        hints=hints.told(lambda name: headers.get(name.lower().encode(), b"").decode("latin-1")),
        asked=began,
        unsaid="subject" not in told and not 0 < status < FAILED and not PROVING.isdisjoint(headers),
        **seen(told),
    )


application = Application(os.environ.get("TROTH_PROXIES", ""))
