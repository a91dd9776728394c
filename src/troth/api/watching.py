"""Server-sent events for whoever looks at the operator's figures: that something was stored since, and nothing of what.

The page asks again for itself, through the same door as before: this holds no figure, and no thread waits for anybody.
Source: html.spec.whatwg.org, 9.2 (server-sent events).
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from uuid import UUID

from psycopg import Error

from troth.api.answering import Receive, Scope, Send
from troth.api.refusals import Refusal
from troth.intake.health import PULSE

PATH = "/api/v1/activity"
#: Streams at once, and of one person; seconds between two looks, until the viewer is asked for again, and until a
#: stream ends, after which the browser asks anew.
MOST, EACH = 50, 4
EVERY, ASKED, LONGEST = 5.0, 10.0, 60.0
RETRY = b"retry: 3000\n\n"
HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]

#: Returns who looks. Raises Refusal for whoever may not, or may no longer.
type Asks = Callable[[], Awaitable[UUID]]


class Watching:
    """The streams that are open."""

    def __init__(self) -> None:
        """Begin without any."""
        self.open: Counter[UUID] = Counter()

    async def stream(self, _scope: Scope, receive: Receive, send: Send, asks: Asks) -> None:
        """Tell of each change until the viewer leaves or may look no longer. Raises Refusal before the first byte."""
        who = await asks()
        if self.open[who] >= EACH or self.open.total() >= MOST:
            raise Refusal("busy", retry=10)
        self.open[who] += 1
        left = asyncio.create_task(_left(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await send({"type": "http.response.body", "body": RETRY, "more_body": True})
            with contextlib.suppress(Refusal, Error, TimeoutError):
                await _told(send, asks, left)
            if not left.done():
                await send({"type": "http.response.body", "body": b""})
        finally:
            left.cancel()
            self.open[who] -= 1
            self.open += Counter()  # nobody is remembered who has no stream


async def _told(send: Send, asks: Asks, left: "asyncio.Task[None]") -> None:
    seen, began = PULSE.everywhere, time.monotonic()
    asked = began
    while time.monotonic() - began < LONGEST:
        done, _ = await asyncio.wait([left], timeout=EVERY)
        if done:
            return
        if time.monotonic() - asked >= ASKED:
            asked = time.monotonic()
            await asks()
        if seen != PULSE.everywhere:
            seen = PULSE.everywhere
            await send({"type": "http.response.body", "body": b"event: changed\ndata:\n\n", "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
