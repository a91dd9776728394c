"""An event that an application sent, as it is read: by its kind's schema, named, and at its moment by our clock."""

from datetime import UTC, datetime, timedelta
from typing import Any, Union

import msgspec

from troth.intake import described
from troth.intake.event import Refused, now
from troth.intake.kinds import KINDS, WHOLE, Kind, Says, Sending
from troth.intake.schema import fault
from troth.intake.sent import Sender, Sent

#: A sender's clock that says less of itself is taken for right; by how much one may be wrong and still be corrected.
SKEW, WILDEST = timedelta(seconds=2), timedelta(days=400)
#: What reads an event at once; what reads it in parts, which tells of one that is unfit where; and what writes what it
#: says again, in one way, for its mark.
AT_ONCE: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Union[*WHOLE])
SENDING = msgspec.json.Decoder(Sending)
JSON = msgspec.json.Encoder()


def decode(
    raw: bytes, sender: Sender, ahead: timedelta, person: str | None = None, received: datetime | None = None
) -> Sent | Refused:
    """Read one event by its kind's schema; `ahead` is by how much the sender's clock is, `received` when it came.

    `person` is whom all that was sent with it is about, whatever it says itself.
    """
    try:
        sending = AT_ONCE.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _in_parts(raw, sender, ahead, person, received)
    if person is not None:
        sending.person = person
    kind = WHOLE[type(sending)]
    if not sending.metadata:
        return understood(sending, kind, sending.data, sender, ahead, received)
    return _with_metadata(raw, understood(sending, kind, sending.data, sender, ahead, received), sending, sender)


def _in_parts(
    raw: bytes, sender: Sender, ahead: timedelta, person: str | None, received: datetime | None = None
) -> Sent | Refused:
    """Read an event that is not as its kind says: without what is too much, or say where it is unfit."""
    try:
        sending = SENDING.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Refused("malformed", fault=fault(error, raw))
    if person is not None:
        sending.person = person
    kind = KINDS.get(sending.kind)
    if kind is None:
        return Refused("unknown-kind", fault=fault(None, b"", "/kind"))
    try:
        says, surplus = described.said(sending.data, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Refused("malformed", kind=kind.table, fault=fault(error, raw, "/data", kind.table))
    event = understood(sending, kind, says, sender, ahead, received)
    if surplus is not None and isinstance(event, Sent):
        event.surplus = fault(surplus, raw, "/data", kind.table)
    return _with_metadata(raw, event, sending, sender) if sending.metadata else event


def _with_metadata(raw: bytes, event: Sent | Refused, sending: Sending, sender: Sender) -> Sent | Refused:
    """Add what was said in words of the application's own."""
    if isinstance(event, Refused):
        return event
    said = bytes(sending.metadata)
    try:
        event.metadata = described.read(said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        name = event.kind.table
        return Refused("malformed", kind=name, fault=fault(error, raw, "/metadata", name))
    event.body = sender.mark(b"more", event.body, said)
    return event


def understood(
    sending: Sending, kind: Kind, says: Says, sender: Sender, ahead: timedelta, received: datetime | None = None
) -> Sent | Refused:
    """Return an event that was read, at the moment when it happened by our clock, or else when it was received."""
    try:
        moment = in_utc(sending.at) - ahead if sending.at else received or now()
    except OverflowError:
        return Refused("malformed", kind=kind.table, fault=fault(None, b"", "/at"))
    said = b"\0".join(
        (
            kind.table.encode(),
            sending.person.encode(),
            at_of(sending) if sending.at else b"",
            b"objects" if sending.objects else b"",
            JSON.encode(says),
        )
    )
    name, body = sender.mark(b"key", sending.key.encode()), sender.mark(b"body", said)
    objects = sending.objects or sender.objects
    return Sent(name, body, kind, moment, sending.person, says, sender.application, objects)


def in_utc(at: datetime) -> datetime:
    """Return a moment by UTC, for which one without an offset is taken. Raises OverflowError."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def at_of(sending: Sending) -> bytes:
    """Return what was said of the moment, as it was said: the same event sent again later is the same."""
    return sending.at.isoformat().encode() if sending.at else b""


def ahead_of(told: datetime | None, received: datetime) -> timedelta:
    """Return by how much a sender's clock is ahead, who said what it showed when the request was sent."""
    if told is None:
        return timedelta()
    ahead = (told if told.tzinfo else told.replace(tzinfo=UTC)) - received
    return ahead if SKEW < abs(ahead) < WILDEST else timedelta()
