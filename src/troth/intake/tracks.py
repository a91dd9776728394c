"""Calls of Segment's and RudderStack's clients: what somebody used, and nothing that ties names together.

Source: segment.com/docs/connections/spec, .../sources/catalog/libraries/server/http-api, and what clients do send.
Whatever else a call says (properties, traits, context, anonymous identifiers, integrations) has no field here.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec
from msgspec import Struct

from troth.intake.event import Fault, Refused
from troth.intake.kinds import KINDS, NAME, PERSON, FeatureUse, Sending
from troth.intake.reading import ahead_of, understood
from troth.intake.sent import Sender, Sent

#: How long a call may be, and all of them; the protocol's own bounds.
LONGEST_CALL, LONGEST_CALLS = 32 << 10, 500 << 10
FEATURE = re.compile(NAME)
#: Calls that say who somebody is, or that two names are one person's: nothing is tied to anybody by them.
LINKING = frozenset({"identify", "alias", "group"})
KIND = KINDS["feature_use"]


class Misspelt(Exception):
    """The body is no call, nor a batch of them."""


class Call(Struct, rename="camel"):
    """A call, as far as it is read. What a page or a screen is called is its name, or else its category."""

    type: str = ""
    message_id: str | None = None
    user_id: str | int | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    timestamp: str | None = None
    sent_at: str | None = None


class Calls(Struct, rename="camel"):
    """Several of them, and what the sender's clock showed."""

    batch: list[msgspec.Raw]
    sent_at: str | None = None


def called(body: bytes, which: str, sender: Sender, received: datetime) -> Iterator[Sent | Refused]:
    """Yield what each call of a body tells; `which` is `batch`, or the one call that it is. Raises Misspelt."""
    if which != "batch":
        call = _decoded(body, Call)
        call.type = which
        yield _judged(call, body, 1, sender, ahead_of(_moment(call.sent_at), received))
        return
    calls = _decoded(body, Calls)
    ahead, seen = ahead_of(_moment(calls.sent_at), received), Counter[bytes]()
    for raw in map(bytes, calls.batch):
        seen[raw] += 1
        try:
            yield _judged(_decoded(raw, Call), raw, seen[raw], sender, ahead)
        except Misspelt:
            yield Refused("malformed")


def _decoded[S](body: bytes, form: type[S]) -> S:
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Misspelt("it is no JSON of calls") from error


def _judged(call: Call, raw: bytes, nth: int, sender: Sender, ahead: timedelta) -> Sent | Refused:
    if call.type in LINKING:
        return Refused("not-linked")
    if call.type not in USES:
        return Refused("unknown-kind")
    person, at, feature = str(call.user_id or ""), _moment(call.timestamp), USES[call.type](call)
    if not PERSON.fullmatch(person):
        return Refused("unknown-person", kind=KIND.table)  # whoever it is, it is nobody whom we told the application of
    if len(raw) > LONGEST_CALL:
        return Refused("too-long", kind=KIND.table)
    if not FEATURE.fullmatch(feature) or (call.timestamp and at is None):
        fault = UNTIMED if FEATURE.fullmatch(feature) else UNNAMED[call.type]
        return Refused("malformed", kind=KIND.table, fault=fault)
    key = call.message_id or sha256(raw + nth.to_bytes(8)).hexdigest()
    sending = Sending(key=key[:200], kind=KIND.table, data=msgspec.Raw(b""), person=person, at=at)
    return understood(sending, KIND, FeatureUse(feature), sender, ahead)


def _tracked(call: Call) -> str:
    return (call.event or "")[:100]


def _seen(call: Call) -> str:
    return (call.name or call.category or "")[:100]


#: By type of call, what somebody used.
USES: Mapping[str, Callable[[Call], str]] = {"track": _tracked, "page": _seen, "screen": _seen}
#: Where, by type of call, it should have said what that is, and when.
UNNAMED = {
    each: Fault("/event" if each == "track" else "/name", {"type": "string", "pattern": NAME, "maxLength": 100})
    for each in USES
}
UNTIMED = Fault("/timestamp", {"type": "string", "format": "date-time"})


def _moment(told: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(told) if told else None
    except ValueError:
        return None
