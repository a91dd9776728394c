"""`/intake/v1`: what applications send of people, one event or many, acknowledged once it is committed."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec

from troth.api.answering import WHOLE_HERE, Ready, answer, body_of, give, header
from troth.api.guessing import Guesses
from troth.api.refusals import Refusal
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
ROOT = "/intake/"
OWN = EVENTS, SCHEMA = "/intake/v1/events", "/intake/v1/schema"
#: Below it, what is asked for how; `speaking` names what applications say by protocols of their own.
ROUTES = {EVENTS: "POST", SCHEMA: "GET"}
LINES = (b"application/x-ndjson", b"application/jsonl", b"application/ndjson")
WHOLE = (b"", b"application/json")
MOST = 1_000
#: Events after which others are answered before more are read.
TURN = 100
#: Bodies of the longest kind that are held at once, until they are committed; and of one application, which may send
#: slowly, or much. One that says how short it is counts for that, and for what is made of it: so many times as much.
BODIES, BODIES_OF_ONE = 64, 24
UNFOLDED, LEAST = LONGEST // LONGEST_PACKED, 16 * 1024
RETRY = 5
#: What stands between the moments of events that say none and came together: they stay in their order.
LEAST_TIME = timedelta(microseconds=1)
STATUS = {Outcome.STORED: 201, Outcome.KEPT: 202, Outcome.REPEATED: 200, Outcome.CONFLICT: 409, Outcome.REFUSED: 403}
#: What is said of one event of which there is nothing more to say.
TOLD: Mapping[Outcome, dict[str, Any]] = {outcome: {"outcome": outcome} for outcome in Outcome}
SAID = {outcome: Ready(STATUS[outcome], msgspec.json.encode(TOLD[outcome])) for outcome in STATUS}
#: What was refused because of what it is, not because of what the policy or its person says.
UNFIT = frozenset({"malformed", "unknown-kind", "metadata-unfit"})


class Intake:
    """Answers below `/intake/`."""

    def __init__(self, guesses: Guesses) -> None:
        """Begin with an empty gate."""
        self.gate, self.guesses = Gate(), guesses
        self.held, self.held_of = 0, Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises Refusal."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        known = ROUTES.get(scope["path"])
        if known is None:
            raise Refusal("not-found")
        if method != known:
            raise Refusal("method", allowed="GET, HEAD" if known == "GET" else known)
        if scope["path"] == SCHEMA:
            await answer(send, 200, schema(), head=scope["method"] == "HEAD")
        else:
            await self._events(scope, receive, send)

    async def _events(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.opened(bearer(scope), scope) as sender:
            single, events = await self._read(scope, receive, sender)
            found = await self.gate.take(sender, events)
        if single and found[0].refused is None:
            await give(scope, send, SAID[found[0].outcome])
        elif single:
            await answer(send, 422 if _unfit(found[0]) else STATUS[found[0].outcome], told(found[0]))
        else:
            many = Counter([each.outcome for each in found])
            counts = {outcome.value: many[outcome] for outcome in STATUS}
            status = 409 if many[Outcome.CONFLICT] else 200
            await answer(send, status, counts | {"events": [told(each) for each in found]})

    def opened(self, key: bytes, scope: Scope) -> "Opened":
        """Return what yields whose key it is, and counts its body as long as that is held."""
        return Opened(self, key, scope)

    async def sender(self, key: bytes, scope: Scope) -> Sender:
        """Return whose key it is. Raises Refusal, also of a network that guesses, and Away."""
        digest = sha256(key).digest()
        sender = self.gate.remembered(digest) or await self._asked(key, digest, (scope.get("client") or ("",))[0])
        return replace(sender, objects=True) if objects(scope["headers"]) else sender

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
        if self.held + many > BODIES * LONGEST or self.held_of[application] + many > BODIES_OF_ONE * LONGEST:
            raise Full
        self.held += many
        self.held_of[application] += many

    def release(self, application: str, many: int) -> None:
        """Count it no longer."""
        self.held -= many
        self.held_of[application] -= many
        if not self.held_of[application]:
            del self.held_of[application]

    async def _read(self, scope: Scope, receive: Receive, sender: Sender) -> tuple[bool, Sequence[Sent | Refused]]:
        kind = header(scope, b"content-type").split(b";")[0].strip().lower()
        if kind not in WHOLE + LINES:
            raise Refusal("kind")
        body, received = await unpacked(scope, receive), datetime.now(UTC)
        ahead = ahead_of(_moment(header(scope, b"sent-at")), received)
        single, parts = _parts(body, lines=kind in LINES)
        if len(parts) > MOST:
            raise Refusal("too-much")
        events: list[Sent | Refused] = []
        for nth, part in enumerate(parts, start=1):
            events.append(decode(part, sender, ahead, received=received))
            received += LEAST_TIME
            if nth % TURN == 0:
                await asyncio.sleep(0)  # others are answered meanwhile
        return single, events


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


def weight(scope: Scope) -> int:
    """Return how many bytes a request may come to hold, by what it says of its body."""
    said = header(scope, b"content-length")
    if header(scope, b"content-encoding") or not said.isdigit() or len(said) > len(str(LONGEST)):
        return LONGEST
    return min(LEAST + UNFOLDED * int(said), LONGEST)


async def unpacked(scope: Scope, receive: Receive) -> bytes:
    """Return a request's body, unpacked. Raises Refusal."""
    coding = header(scope, b"content-encoding").decode("latin-1").strip().lower()
    body = await body_of(receive, longest=LONGEST_PACKED, whole=WHOLE_HERE in scope)
    try:
        return unpack(body, coding)
    except KeyError:
        raise Refusal("coding") from None
    except TooLong:
        raise Refusal("too-much") from None
    except Unpackable as error:
        raise Refusal("body", str(error)) from error


def bearer(scope: Scope) -> bytes:
    """Return the key that a request carries (RFC 6750, section 2.1)."""
    scheme, _, key = header(scope, b"authorization").partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else b""


def _parts(body: bytes, *, lines: bool) -> tuple[bool, Sequence[bytes]]:
    """Return whether a body is one event, and its events as they were sent. Raises Refusal."""
    if lines:
        return False, [line for line in body.split(b"\n") if line.strip()]
    if not body.lstrip().startswith(b"["):
        return True, [body]
    try:
        return False, [bytes(each) for each in msgspec.json.decode(body, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("body", "it is no JSON") from error


def _moment(told: bytes) -> datetime | None:
    try:
        return datetime.fromisoformat(told.decode("ascii")) if told else None
    except ValueError:
        return None


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
