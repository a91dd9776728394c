"""Envelopes of Sentry's clients: what of them is a crash, and which of the rest are never taken.

Source: develop.sentry.dev/sdk/data-model/envelopes and .../event-payloads, and what clients were seen to send. Whatever
else an event says (variables, lines of source, addresses, headers, trails, names of computers) has no field here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from troth.intake.event import Refused
from troth.intake.kinds import KINDS, PERSON, Crash, Frame, Sending
from troth.intake.reading import ahead_of, understood
from troth.intake.sent import Sender, Sent

MOST_ITEMS, LAST_LINE = 100, 10_000_000
#: By type of item: the category by which clients know that no such item is taken, and stop to send it.
#: Source: develop.sentry.dev/sdk/expected-features/rate-limiting.
NEVER: dict[str, str] = {
    "transaction": "transaction",
    "span": "span",
    "session": "session",
    "sessions": "session",
    "attachment": "attachment",
    "profile": "profile",
    "profile_chunk": "profile_chunk",
    "replay_event": "replay",
    "feedback": "feedback",
    "check_in": "monitor",
    "log": "log_item",
    "trace_metric": "trace_metric",
    "statsd": "metric_bucket",
}


class Broken(Exception):
    """The bytes are no envelope."""


class Head(Struct):
    """The first line: the name of the event, and what the sender's clock showed."""

    event_id: str = ""
    sent_at: str = ""


class Item(Struct):
    """The line before a payload; without a length the payload ends with its line."""

    type: str
    length: Annotated[int, Meta(ge=0)] | None = None


class Place(Struct):
    """Where a program was, as it is said."""

    function: str | None = None
    filename: str | None = None
    abs_path: str | None = None
    lineno: int | None = None


class Places(Struct):
    """The places on the way to a failure, which stands last."""

    frames: list[Place] | None = None


class Mechanism(Struct):
    """How a client came by a failure; a synthetic one was made to tell where a program was, and nothing went wrong."""

    synthetic: bool | None = None


class Failure(Struct):
    """What went wrong."""

    type: str | None = None
    value: str | int | float | bool | None = None
    stacktrace: Places | None = None
    mechanism: Mechanism | None = None

    @property
    def real(self) -> bool:
        """Whether anything went wrong: what was made to tell where a word was written has no type."""
        return bool(self.type) or not (self.mechanism and self.mechanism.synthetic)


class Failures(Struct):
    """What went wrong, and before it what led to it."""

    values: list[Failure] | None = None


class User(Struct):
    """Whom it happened to; whatever else is said of them is not read."""

    id: str | int | None = None


class Event(Struct):
    """An event, as far as it is read."""

    event_id: str = ""
    timestamp: float | str | None = None
    exception: Failures | list[Failure] | None = None
    user: User | None = None
    release: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was in one: the name of its event, and what is to be judged or was refused."""

    name: str
    events: Sequence[Sent | Refused]


def opened(body: bytes, sender: Sender, received: datetime) -> Envelope:
    """Read an envelope. Raises Broken."""
    first, _, rest = body.partition(b"\n")
    try:
        head = msgspec.json.decode(first, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Broken("its first line is no JSON") from error
    ahead = ahead_of(_moment(head.sent_at), received)
    name, events = head.event_id, list[Sent | Refused]()
    for item, payload in _items(rest):
        if item.type != "event":
            events.append(Refused("unknown-kind"))
            continue
        found = _read(payload)
        events.append(_judged(found, head, sender, ahead) if found else Refused("malformed", kind="crash"))
        name = name or (found.event_id if found else "")
    return Envelope(name, events)


def _items(rest: bytes) -> Iterator[tuple[Item, bytes]]:
    many = 0
    while rest := rest.lstrip(b"\n"):
        many += 1
        if many > MOST_ITEMS:
            raise Broken(f"it has more than {MOST_ITEMS} items")
        line, _, rest = rest.partition(b"\n")
        try:
            item = msgspec.json.decode(line, type=Item)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Broken("the line before an item is no JSON") from error
        if item.length is None:
            payload, _, rest = rest.partition(b"\n")
        else:
            payload, rest = rest[: item.length], rest[item.length :]
            if len(payload) < item.length or rest[:1] not in (b"", b"\n"):
                raise Broken("an item is not as long as it says")
        yield item, payload


def _read(payload: bytes) -> Event | None:
    try:
        return msgspec.json.decode(payload, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _judged(event: Event, head: Head, sender: Sender, ahead: timedelta) -> Sent | Refused:
    failures = event.exception.values if isinstance(event.exception, Failures) else event.exception
    if not failures or not failures[-1].real:
        return Refused("unknown-kind")  # a word that a program wrote, and no crash
    at, person = _moment(event.timestamp), str(event.user.id or "") if event.user else ""
    if not PERSON.fullmatch(person):
        return Refused("unknown-person", kind="crash")  # whoever it is, it is nobody whom we told the application of
    key = event.event_id or head.event_id
    if not key or (event.timestamp is not None and at is None):
        return Refused("malformed", kind="crash")
    sending = Sending(key=key[:200], kind="crash", data=msgspec.Raw(b""), person=person, at=at)
    return understood(sending, KINDS["crash"], _crash(event, failures[-1]), sender, ahead)


def _crash(event: Event, failure: Failure) -> Crash:
    frames = (failure.stacktrace.frames if failure.stacktrace else None) or []
    return Crash(
        kind=(failure.type or "Error")[:200],
        message=str(failure.value)[:2000] if failure.value not in (None, "") else None,
        stack=[_frame(place) for place in frames[-200:]],
        release=event.release[:200] if event.release else None,
        environment=event.environment[:100] if event.environment else None,
    )


def _frame(place: Place) -> Frame:
    line = place.lineno if place.lineno is not None and 0 <= place.lineno <= LAST_LINE else None
    file = place.filename or place.abs_path
    return Frame(function=(place.function or "")[:200] or None, file=file[-500:] if file else None, line=line)


def _moment(told: float | str | None) -> datetime | None:
    try:
        if isinstance(told, str):
            return datetime.fromisoformat(told) if told else None
        return datetime.fromtimestamp(told, UTC) if told is not None else None
    except (ValueError, OverflowError, OSError):
        return None


def stopping(events: Sequence[Refused | None]) -> frozenset[str]:
    """Return the categories that a sender had better stop sending: those never taken, and crashes nobody may send."""
    whole = {"not-declared", "not-collected"}
    crashes = {"error"} if any(each is not None and each.reason in whole for each in events) else set()
    return frozenset(NEVER.values()) | crashes
