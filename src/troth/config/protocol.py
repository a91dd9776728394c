"""How much of a request, and for how long, is listened to before anybody has been asked whether to answer."""

import asyncio
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from troth.api.answering import WHOLE_HERE, Directly, Ready

LONGEST_HEAD = 64 * 1024
SLOWEST_HEAD = 20.0


class Bounded(HttpToolsProtocol):
    """The library's protocol, which by itself takes what has no end, waits, and lets trailers pass for headers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the library's signature
        """Begin in a head."""
        super().__init__(*args, **kwargs)
        self.directly: Directly | None = getattr(self.app, "directly", None)
        self.in_head, self.over, self.told = True, False, False
        self.beginning = False
        self.unbegun: tuple[RequestResponseCycle, Any] | None = None
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
        self._begin()
        self._expect_more()
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
        self.beginning = True
        super().on_headers_complete()
        self.beginning = False

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
        self._begin(whole=True)

    def on_response_complete(self) -> None:
        """Wait for the end of a request that was answered before it, which nobody reads any more, but not for ever."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body and not self.transport.is_closing():
            self._expect()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - the library's signature
        """Wait until what came with the head is read: a request that is whole then may be answered directly."""
        if self.beginning:
            self.unbegun = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def _begin(self, *, whole: bool = False) -> None:
        if self.unbegun is None:
            return
        (cycle, app), self.unbegun = self.unbegun, None
        if cycle.disconnected or self.transport.is_closing():
            return
        otherwise = partial(super()._start_asgi_task, cycle, app)
        direct = self.directly if whole and app is self.app and not self.flow.write_paused else None
        scope = cast("dict[str, Any]", cycle.scope)
        if direct is None or not direct(scope, bytes(cycle.body), partial(self._answer, cycle), otherwise):
            otherwise()

    def _expect_more(self) -> None:
        """Wait not for ever where what came began nothing, and yet ended the library's own waiting: an empty line."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        idle = cycle is None or cycle.response_complete
        if idle and self.until is None and self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self._expect(self.timeout_keep_alive)

    def _answer(self, cycle: RequestResponseCycle, ready: Ready | None) -> None:
        """Write an answer's head and body as one; with None the connection ends."""
        cycle.body.clear()
        cycle.on_response, response = _nothing, cycle.on_response
        if cycle.disconnected:
            return
        cycle.response_started = cycle.response_complete = True
        if ready is not None:
            always = [b"%b: %b\r\n" % each for each in self.server_state.default_headers]
            end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
            self.transport.write(b"".join((STATUS_LINE[ready.status], *always, ready.head, end, ready.content)))
        if ready is None or not cycle.keep_alive:
            self.transport.close()
        response()

    def _expect(self, longest: float | None = None) -> None:
        self.until = self.loop.time() + (SLOWEST_HEAD if longest is None else longest)
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


def _nothing() -> None:
    """Do nothing: what was answered does not hold its connection any more."""
