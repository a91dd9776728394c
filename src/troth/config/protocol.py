"""How much of a request, and for how long, is listened to before anybody has been asked whether to answer."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 64 * 1024
SLOWEST_HEAD = 20.0


class Bounded(HttpToolsProtocol):
    """The library's protocol, which by itself takes a request line and headers without an end, and waits for ever."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the library's signature
        """Begin in a head."""
        super().__init__(*args, **kwargs)
        self.in_head, self.head = True, 0
        self.deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - asyncio's or uvloop's
        """Wait for a head."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._settle()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; a head that has grown too long ends the connection."""
        super().data_received(data)
        if self.in_head:
            self.head += len(data)
            if self.head > LONGEST_HEAD:
                self.transport.close()

    def on_message_begin(self) -> None:
        """Begin another head, perhaps behind a request that came before on the same connection."""
        super().on_message_begin()
        self.in_head, self.head = True, 0
        self._expect()

    def on_headers_complete(self) -> None:
        """Go on to the body: the head is whole."""
        self.in_head = False
        self._settle()
        super().on_headers_complete()

    def _expect(self) -> None:
        self._settle()
        self.deadline = self.loop.call_later(SLOWEST_HEAD, self.transport.close)

    def _settle(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None
