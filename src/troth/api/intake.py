"""`/intake/v1`: what applications send of people, one event or many, acknowledged once it is committed."""

import asyncio
import json
import logging
import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from hashlib import sha256
from itertools import islice, zip_longest
from typing import Any, cast

import msgspec
from msgspec import Struct

from troth.api.answering import WHOLE_HERE, Ready, answer, body_of, deliver, header
from troth.api.guessing import Guesses
from troth.api.refusals import Refusal
from troth.intake.answers import Request
from troth.intake.event import Refused
from troth.intake.gate import Answer, Away, Full, Gate, Outcome
from troth.intake.objecting import objects
from troth.intake.reading import ahead_of, decode
from troth.intake.schema import schema
from troth.intake.sent import Sender, Sent
from troth.intake.unpacking import LONGEST, LONGEST_PACKED, TooLong, Unpackable, unpack

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
LOG = logging.getLogger(__name__)
ROOT = "/intake/"
OWN = EVENTS, SCHEMA = "/intake/v1/events", "/intake/v1/schema"
#: Below it, what is asked for how; `speaking` names what applications say by protocols of their own.
ROUTES = {EVENTS: "POST", SCHEMA: "GET"}
LINES = (b"application/x-ndjson", b"application/jsonl", b"application/ndjson")
WHOLE = (b"", b"application/json")
MOST = 1_000
#: Events after which others are answered before more are read.
TURN = 100
#: Bytes of a body that is answered directly, at most, and of those that are read in one turn.
SHORT = 64 * 1024
#: Line ends and commas from which on it is looked how many events there are before all are held, which may take a
#: hundred times as much as they are long; what begins a line that says something.
PARTED, LINE = 50 * MOST, re.compile(rb"[^\s][^\n]*")
ITEM, SPACE, COMMA = json.JSONDecoder(), re.compile(r"\s*"), re.compile(r"\s*,")
#: Bodies of the longest kind that are held at once, until they are committed; and of one application, which may send
#: slowly, or much. One that says how short it is counts for that, and for what is made of it: so many times as much.
BODIES, BODIES_OF_ONE = 64, 24
SHORTER = f"send at most {LONGEST_PACKED >> 20} MB as it is sent, and {LONGEST >> 20} MB unpacked, in several bodies"
UNFOLDED, LEAST = LONGEST // LONGEST_PACKED, 16 * 1024
RETRY = 5
#: What stands between the moments of events that say none and came together: they stay in their order.
LEAST_TIME = timedelta(microseconds=1)
STATUS = {Outcome.STORED: 201, Outcome.KEPT: 202, Outcome.REPEATED: 200, Outcome.CONFLICT: 409, Outcome.REFUSED: 403}
#: What is said of one event of which there is nothing more to say.
TOLD: Mapping[Outcome, dict[str, Any]] = {outcome: {"outcome": outcome} for outcome in Outcome}
SAID = {outcome: Ready(STATUS[outcome], msgspec.json.encode(TOLD[outcome])) for outcome in STATUS}
#: What is answered to events of which it is not known that they are committed.
_AWAY = Refusal("unavailable")
UNSURE = Ready(_AWAY.status, msgspec.json.encode(_AWAY.body), retry=RETRY)
#: What was refused because of what it is, not because of what the policy or its person says.
UNFIT = frozenset({"malformed", "unknown-kind", "metadata-unfit"})


class Intake:
    """Answers below `/intake/`."""

    def __init__(self, guesses: Guesses) -> None:
        """Begin with an empty gate."""
        self.gate, self.guesses = Gate(), guesses
        self.held, self.held_of = 0, dict[str, int]()
        self.unread = deque[_Unread]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises Refusal."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        known = ROUTES.get(scope["path"])
        if known is None:
            raise Refusal("not-found", advice=f"send events to {EVENTS}; {SCHEMA} says what they may be")
        if method != known:
            raise Refusal(
                "method",
                allowed="GET, HEAD" if known == "GET" else known,
                advice=f"send events to {EVENTS} with POST, read {SCHEMA} with GET",
            )
        if scope["path"] == SCHEMA:
            await answer(send, 200, schema(), head=scope["method"] == "HEAD")
        else:
            await self._events(scope, receive, send)

    async def _events(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.opened(bearer(scope), scope) as sender:
            brought = _Brought(scope, await unpacked(scope, receive))
            events = list[Sent | Refused]()
            while len(events) < len(brought.parts):
                if events:
                    await asyncio.sleep(0)  # others are answered meanwhile
                events += brought.events(sender, len(events))
            found = await self.gate.take(sender, events)
        ready = brought.answer(found)
        await deliver(send, ready.status, ready.content)

    def directly(
        self, scope: Scope, body: bytes, give: Callable[[Ready | None], None], otherwise: Callable[[], None]
    ) -> bool:
        """Take events whose sender is known: answer them once they are committed, as a call would, or call `otherwise`.

        Whatever is to be refused whole, or would keep others waiting, is left to the call. Returns whether it is taken.
        """
        sender = self.gate.remembered(sha256(bearer(scope)).digest())
        if sender is None or scope["method"] != "POST" or len(body) > SHORT or header(scope, b"content-encoding"):
            return False
        if not self.unread:
            asyncio.get_running_loop().call_soon(self._read)
        self.unread.append(_Unread(asking(sender, scope), scope, body, give, otherwise))
        return True

    def _read(self) -> None:
        """Read what came in one turn: each step for all, which is quicker than all steps for each."""
        turn, many, long = list[tuple[_Unread, _Brought]](), 0, 0
        while self.unread and many < TURN and long < SHORT:
            each = self.unread.popleft()
            brought = each.brought()
            many, long = many + (len(brought.parts) if brought else 1), long + len(each.body)
            if brought is not None:
                turn.append((each, brought))
        if self.unread:
            asyncio.get_running_loop().call_soon(self._read)
        try:
            events = [brought.events(each.sender) for each, brought in turn]
        except Exception:  # noqa: BLE001 - whatever it is, the call meets it again, and answers the others
            events = []
        for (each, brought), some in zip_longest(turn, events):
            if some is None or not self._put(each, brought, some):
                each.otherwise()

    def _put(self, each: "_Unread", brought: "_Brought", events: Sequence[Sent | Refused]) -> bool:
        """Let events wait for their commit, if they can."""
        many = LEAST + brought.many
        if self._full(each.sender.application, many):
            return False
        try:
            request = self.gate.put(each.sender, events)
        except Full:
            return False
        self.hold(each.sender.application, many)
        request.done.add_done_callback(partial(self._done, request, brought, each.give))
        return True

    def _done(
        self,
        request: Request,
        brought: "_Brought",
        give: Callable[[Ready | None], None],
        done: asyncio.Future[list[Answer] | None],
    ) -> None:
        """Answer directly what is committed, or could not be."""
        self.gate.over(request)
        self.release(request.sender.application, LEAST + brought.many)
        found, ready = None if done.cancelled() else done.result(), None
        try:
            ready = brought.answer(found) if found is not None else UNSURE
        except Exception as error:  # noqa: BLE001 - and nothing of what was sent is written down with it
            LOG.warning("an answer could not be said (%s)", type(error).__name__)
        give(ready)

    def opened(self, key: bytes, scope: Scope) -> "Opened":
        """Return what yields whose key it is, and counts its body as long as that is held."""
        return Opened(self, key, scope)

    async def sender(self, key: bytes, scope: Scope) -> Sender:
        """Return whose key it is. Raises Refusal, also of a network that guesses, and Away."""
        digest = sha256(key).digest()
        sender = self.gate.remembered(digest) or await self._asked(key, digest, (scope.get("client") or ("",))[0])
        return asking(sender, scope)

    async def _asked(self, key: bytes, digest: bytes, address: str) -> Sender:
        """Return whose key it is that nothing was said of lately."""
        known = self.guesses.knows(key)
        if not known and key and (wait := await asyncio.to_thread(self.guesses.stopped, address)):
            raise Refusal("guessing", retry=wait)
        sender = await self.gate.sender(digest)
        if sender is None:
            if key:
                await asyncio.to_thread(self.guesses.wrong, address, key)
            raise Refusal("key-needed")
        if not known:
            self.guesses.right(key)
        return sender

    def hold(self, application: str, many: int) -> None:
        """Count a body of so many bytes. Raises Full where no more may be held."""
        if self._full(application, many):
            raise Full
        self.held += many
        self.held_of[application] = self.held_of.get(application, 0) + many

    def _full(self, application: str, many: int) -> bool:
        of_one = self.held_of.get(application, 0)
        return self.held + many > BODIES * LONGEST or of_one + many > BODIES_OF_ONE * LONGEST

    def release(self, application: str, many: int) -> None:
        """Count it no longer."""
        self.held -= many
        left = self.held_of[application] - many
        if left:
            self.held_of[application] = left
        else:
            del self.held_of[application]


class _Brought:
    """What a body of our own protocol has: one event, or many, as they were sent."""

    __slots__ = ("ahead", "many", "parts", "received", "single")

    def __init__(self, scope: Scope, body: bytes) -> None:
        """Find them. Raises Refusal."""
        lines = _lined(header(scope, b"content-type"))
        self.many, self.received = len(body), datetime.now(UTC)
        self.ahead = ahead_of(_clock(header(scope, b"sent-at")), self.received)
        self.single, self.parts = _parts(body, lines=lines)
        if len(self.parts) > MOST:
            raise Refusal("too-much")

    def events(self, sender: Sender, first: int = 0) -> list[Sent | Refused]:
        """Read some of them, from one of them on."""
        return [
            decode(part, sender, self.ahead, received=self.received + nth * LEAST_TIME)
            for nth, part in enumerate(self.parts[first : first + TURN], start=first)
        ]

    def answer(self, found: Sequence[Answer]) -> Ready:
        """Return what is answered to what became of them."""
        if self.single and found[0].refused is None:
            return SAID[found[0].outcome]
        if self.single:
            return Ready(422 if _unfit(found[0]) else STATUS[found[0].outcome], _json(told(found[0])))
        many = Counter([each.outcome for each in found])
        counts = {outcome.value: many[outcome] for outcome in STATUS}
        content = _json(counts | {"events": [told(each) for each in found]})
        return Ready(409 if many[Outcome.CONFLICT] else 200, content)


class _Unread(Struct, eq=False):
    """A request that is to be answered directly, or otherwise, and has not been read yet."""

    sender: Sender
    scope: Scope
    body: bytes
    give: Callable[[Ready | None], None]
    otherwise: Callable[[], None]

    def brought(self) -> _Brought | None:
        """Return its events as they were sent; do otherwise where they are not to be read here."""
        try:
            brought = _Brought(self.scope, self.body)
        except Exception:  # noqa: BLE001 - a Refusal, or whatever it is, which the call meets again
            brought = None
        if brought is None or len(brought.parts) > TURN:
            self.otherwise()
            return None
        return brought


class Opened:
    """A request that a key opens: its body is counted as long as it is held, and what the gate raises is answered."""

    __slots__ = ("application", "intake", "key", "many", "scope")

    def __init__(self, intake: Intake, key: bytes, scope: Scope) -> None:
        """Hold nothing yet."""
        self.intake, self.key, self.scope = intake, key, scope
        self.application, self.many = "", weight(scope)

    async def __aenter__(self) -> Sender:
        """Return whose key it is. Raises Refusal."""
        try:
            sender = await self.intake.sender(self.key, self.scope)
            self.intake.hold(sender.application, self.many)
        except (Full, Away) as error:
            raise _refusal(error) from None
        self.application = sender.application
        return sender

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Count the body no longer. Raises Refusal for what the gate raised."""
        self.intake.release(self.application, self.many)
        if isinstance(error, (Full, Away)):
            raise _refusal(error) from None


def _refusal(error: Full | Away) -> Refusal:
    return Refusal("busy" if isinstance(error, Full) else "unavailable", retry=RETRY)


def asking(sender: Sender, scope: Scope) -> Sender:
    """Return a sender as a request says that it asks: with an objection, or without."""
    return replace(sender, objects=True) if objects(scope["headers"]) else sender


def weight(scope: Scope) -> int:
    """Return how many bytes a request may come to hold, by what it says of its body."""
    said = header(scope, b"content-length")
    if header(scope, b"content-encoding") or not said.isdigit() or len(said) > len(str(LONGEST)):
        return LONGEST
    return min(LEAST + UNFOLDED * int(said), LONGEST)


async def unpacked(scope: Scope, receive: Receive) -> bytes:
    """Return a request's body, unpacked. Raises Refusal."""
    coding = header(scope, b"content-encoding").decode("latin-1").strip().lower()
    body = await body_of(receive, longest=LONGEST_PACKED, whole=WHOLE_HERE in scope, advice=SHORTER)
    try:
        return unpack(body, coding)
    except KeyError:
        raise Refusal("coding") from None
    except TooLong:
        raise Refusal("too-much") from None
    except Unpackable as error:
        raise Refusal("body", str(error), advice="pack it as `Content-Encoding` says, or not at all") from error


def bearer(scope: Scope) -> bytes:
    """Return the key that a request carries (RFC 6750, section 2.1)."""
    scheme, _, key = header(scope, b"authorization").partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else b""


def _too_many(body: bytes) -> bool:
    """Whether a list has more items than are taken at once: none is kept, and behind so many none is read."""
    text = body.decode("utf-8", "replace").lstrip()
    place, many = 1, 0
    try:
        while many <= MOST:
            place = cast("re.Match[str]", SPACE.match(text, place)).end()
            _, place = ITEM.raw_decode(text, place)
            many += 1
            if (comma := COMMA.match(text, place)) is None:
                return False
            place = comma.end()
    except (ValueError, RecursionError):
        return False  # what it is that is wrong is said by what reads it
    return True


@lru_cache(maxsize=100)
def _lined(said: bytes) -> bool:
    """Whether a body is events in lines, by what its content type says. Raises Refusal."""
    kind = said.split(b";")[0].strip().lower()
    if kind not in WHOLE + LINES:
        raise Refusal("kind")
    return kind in LINES


def _parts(body: bytes, *, lines: bool) -> tuple[bool, Sequence[bytes]]:
    """Return whether a body is one event, and its events as they were sent. Raises Refusal."""
    if lines:
        if body.count(b"\n") < PARTED:
            return False, [line for line in body.split(b"\n") if line.strip()]
        return False, [line.group() for line in islice(LINE.finditer(body), MOST + 1)]
    if not body.lstrip().startswith(b"["):
        return True, [body]
    if body.count(b",") > PARTED and _too_many(body):
        raise Refusal("too-much")
    try:
        return False, [bytes(each) for each in msgspec.json.decode(body, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(
            "body", "it is no JSON", advice=f"send an event, a list of them, or lines; see {SCHEMA}"
        ) from error


def _json(told: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(told, enc_hook=str)


def _clock(told: bytes) -> datetime | None:
    """Return what a sender's clock showed, as ISO 8601 writes it or HTTP (RFC 9110, section 5.6.7). Raises Refusal."""
    if not told:
        return None
    try:
        said = told.decode("ascii")
        return datetime.fromisoformat(said) if said[:1].isdigit() else parsedate_to_datetime(said)
    except (ValueError, OverflowError, LookupError, TypeError):  # the library's reader of dates raises what it meets
        raise Refusal("clock") from None


def _unfit(found: Answer) -> bool:
    return found.refused is not None and found.refused.reason in UNFIT


def told(found: Answer) -> dict[str, Any]:
    """Return what a sender is told of one event; of one that is unfit, where, and what is expected there."""
    refused = found.refused
    if refused is None:
        return TOLD[found.outcome]
    why: dict[str, Any] = {"reason": refused.reason} | ({"clause": refused.clause} if refused.clause else {})
    if refused.fault is not None:
        why |= {"field": refused.fault.pointer, "expected": refused.fault.expected}
    return {"outcome": found.outcome, **why}
