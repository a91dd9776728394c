"""How much of a request, and for how long, is listened to before anybody has been asked whether to answer."""

import asyncio
from functools import partial
from typing import Any, cast
from weakref import ref

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from troth.api.answering import AT_ONCE, WHOLE_HERE, Ready

LONGEST_HEAD = 64 * 1024
SLOWEST_HEAD = 20.0


class Bounded(HttpToolsProtocol):
    """The library's protocol, which by itself takes what has no end, waits, and lets trailers pass for headers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the library's signature
        """Begin in a head."""
        super().__init__(*args, **kwargs)
        self.in_head, self.over, self.told = True, False, False
        self.lines = 0
        self.until: float | None = None
        self.deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - asyncio's or uvloop's
        """Wait for a head."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._settle()
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; a head, or lines around a body, that have grown too long end the connection."""
        self.told = False
        super().data_received(data)
        self.lines = 0 if self.told or self.over else self.lines + len(data)
        if self.lines > LONGEST_HEAD:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin another head, perhaps behind a request that came before on the same connection."""
        super().on_message_begin()
        self.in_head, self.over, self.lines = True, False, 0
        self._expect()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. A trailer is none: a proxy judged the head without it (RFC 9110, section 6.5.1)."""
        if self.in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go on to the body: the head is whole."""
        self.in_head = False
        self._settle()
        super().on_headers_complete()
        cast("dict[str, Any]", self.scope)[AT_ONCE] = partial(written, ref(self.cycle), self.server_state)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, whose length whoever reads it bounds."""
        self.told = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Be done with a request, whether or not it was answered before its end."""
        self.over = True
        cast("dict[str, Any]", self.scope)[WHOLE_HERE] = True
        self._settle()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the end of a request that was answered before it, which nobody reads any more, but not for ever."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body and not self.transport.is_closing():
            self._expect()

    def _expect(self) -> None:
        self.until = self.loop.time() + SLOWEST_HEAD
        if self.deadline is None:
            self.deadline = self.loop.call_at(self.until, self._due)

    def _settle(self) -> None:
        """Wait for nothing; the timer stays for what is waited for next, which costs less than one for each."""
        self.until = None

    def _due(self) -> None:
        self.deadline = None
        if self.until is None:
            return
        if self.loop.time() < self.until:
            self.deadline = self.loop.call_at(self.until, self._due)
        else:
            self.transport.close()


def written(of: ref[RequestResponseCycle], state: ServerState, ready: Ready) -> bool:
    """Write an answer's head and body as one; False where the connection ends behind it, waits or is gone.

    What a request's scope holds must not hold the request: nobody would let go of its body but the garbage collector.
    """
    cycle = of()
    if cycle is None or not cycle.keep_alive or cycle.disconnected or cycle.response_started:
        return False
    if cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.message_event.set()
    told = (b"%b: %b\r\n" % each for each in state.default_headers)
    cycle.transport.write(b"".join((STATUS_LINE[ready.status], *told, ready.rest)))
    cycle.on_response()
    return True
