"""How the lean plane reads a request and answers it: JSON, with what keeps browsers safe."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import msgspec

from troth.api.refusals import Refusal

LONGEST_BODY = 64 * 1024
SLOWEST_BODY = 20.0
#: What a request's scope holds once its body is here, so that nobody waits for it.
WHOLE_HERE = "troth.whole"
#: And its headers by name, once one was asked for.
BY_NAME = "troth.headers"
#: What keeps browsers safe.
KEEPING_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Ready:
    """An answer that is whole: its status, its headers, written out, and its body (JSON)."""

    __slots__ = ("content", "head", "status")

    def __init__(self, status: int, content: bytes, *, retry: int = 0) -> None:
        """Write it once; `retry` is how many seconds later it may be tried again."""
        self.status, self.content = status, content
        headers = _headers(content, "application/json", "no-store", retry)
        self.head = b"".join([b"%b: %b\r\n" % each for each in headers])


#: What takes a request, whose body is here, without a task of its own, and says whether it does: then it gives an
#: answer once there is one (None ends the connection), or lets the request be answered otherwise.
type Directly = Callable[[Scope, bytes, Callable[[Ready | None], None], Callable[[], None]], bool]


async def answer(
    send: Send,
    status: int,
    body: Any,  # noqa: ANN401 - JSON
    *,
    head: bool = False,
    allowed: str = "",
    retry: int = 0,
) -> None:
    """Send JSON; `allowed` names the methods that a path takes (RFC 9110, 15.5.6), `retry` the seconds to wait."""
    await deliver(send, status, msgspec.json.encode(body, enc_hook=str), head=head, allowed=allowed, retry=retry)


async def deliver(  # noqa: PLR0913 - each of them is one header, or the body
    send: Send,
    status: int,
    content: bytes,
    *,
    kind: str = "application/json",
    lasting: str = "no-store",
    head: bool = False,
    allowed: str = "",
    retry: int = 0,
    more: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Send bytes of a kind, and how long they may be kept."""
    headers = _headers(content, kind, lasting, retry)
    if allowed:
        headers.append((b"allow", allowed.encode()))
    headers.extend(more)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else content})


def _headers(content: bytes, kind: str, lasting: str, retry: int) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", kind.encode()),
        (b"content-length", b"%d" % len(content)),
        (b"cache-control", lasting.encode()),
        *KEEPING_SAFE,
        *([(b"retry-after", b"%d" % retry)] if retry else []),
    ]


async def body_of(receive: Receive, *, longest: int = LONGEST_BODY, whole: bool = False, advice: str = "") -> bytes:
    """Return the whole body. Raises Refusal when it is too long, too slow, or when the client left before its end.

    With `whole` it is here already, and nothing waits for it. `advice` says how long it may be.
    """
    if whole:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal("body", "it has no end")
        body: bytes = message.get("body", b"")
        if len(body) > longest:
            raise Refusal("too-long", advice=advice)
        return body
    try:
        async with asyncio.timeout(SLOWEST_BODY):
            return await _read(receive, longest, advice)
    except TimeoutError:
        raise Refusal("too-slow") from None


async def _read(receive: Receive, longest: int, advice: str) -> bytes:
    held = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal("body", "it has no end")
        held += message.get("body", b"")
        if len(held) > longest:
            raise Refusal("too-long", advice=advice)
        if not message.get("more_body"):
            return bytes(held)


def header(scope: Scope, name: bytes) -> bytes:
    """Return a header's value, the first one's of several, or nothing."""
    told: dict[bytes, bytes] | None = scope.get(BY_NAME)
    if told is None:
        told = scope[BY_NAME] = dict(reversed(scope["headers"]))
    return told.get(name, b"")
