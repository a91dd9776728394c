"""An access as it passes through the intake, and what a step may answer instead of it."""

import math
import os
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asyncpg.pgproto.pgproto import UUID

from troth.intake.hints import NONE, Hints
from troth.policy import subjects
from troth.policy.meaning import Occasion, Whose

NOBODY = uuid.UUID(int=0)
#: The sign of a stamp: what a row is marked with that came from a browser whose signal objects.
MARK = 1 << 63
OCCASIONS = {Whose.PERSON: Occasion.ACCESS, Whose.IDENTIFIER: Occasion.COOKIE, Whose.NOBODY: Occasion.VISIT}
#: What a version at the end of a name is made of.
VERSION = "0123456789. "


@dataclass(frozen=True, slots=True)
class Device:
    """What an access was made with; what the policy does not collect of it is None."""

    browser: str | None
    system: str | None
    kind: str | None
    model: str | None = None

    def seen_by(self, subject: uuid.UUID) -> uuid.UUID:
        """Return what a device of somebody's is called whose browser gives no identifier: alike ones are one."""
        system = (self.system or "").rstrip(VERSION) or None
        return uuid.uuid5(subject, f"{self.browser}|{system}|{self.kind}")


@dataclass(slots=True)
class Event:
    """One access. What the policy does not collect is None by the time it is stored. Times are UTC.

    `place` is about where the address is (`ES`, `ES/Seville`), `provider` whose network it is.
    `identified` is which device it was, where its browser or its session says so.
    `uses` are the bits of the units that its person is in, as whoever found out who is asking knew them.
    `objects` says that the browser sent the signal of Global Privacy Control.
    `found` counts, by detector, what the guard took out of its text.
    `asked` is a moment of the monotonic clock before which nobody said whose it is; `unsaid`: somebody may have
    come with it, and nobody could say who.
    """

    at: datetime
    method: str | None = None
    url: str | None = None
    status: int | None = None
    referrer: str | None = None
    ip: str | None = None
    place: str | None = None
    provider: str | None = None
    agent: str | None = None
    browser: str | None = None
    system: str | None = None
    kind: str | None = None
    hints: Hints = NONE
    device: Device | None = None
    identified: uuid.UUID | None = None
    subject: uuid.UUID = NOBODY
    uses: int = 0
    objects: bool = False
    found: dict[str, int] = field(default_factory=dict)
    asked: float = -math.inf
    unsaid: bool = False
    id: uuid.UUID = field(default_factory=lambda: ordered_uuid())  # noqa: PLW0108 - defined below

    @property
    def stamp(self) -> int:
        """What the row is stored with."""
        return stamp(self.uses, objects=self.objects)

    @property
    def occasion(self) -> Occasion:
        """An access by somebody who has agreed, with an account or without one; or a visit."""
        return OCCASIONS[subjects.whose(self.subject)]


def stamp(uses: int, *, objects: bool) -> int:
    """Return what a row is stamped with: a signed number of 64 bits, whose sign is the mark."""
    bits = uses & (MARK - 1)
    return bits - MARK if objects else bits


@dataclass(frozen=True, slots=True)
class Fault:
    """Where in an event something else stands than may, by its pointer (RFC 6901), and what is expected there.

    `expected` is a JSON Schema: nothing of what was sent.
    """

    pointer: str
    expected: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an event is not stored: a stable reason; where there is one, the clause that says so, and the kind.

    `fault` is for its sender alone: what is counted is the same without.
    """

    reason: str
    clause: str = ""
    kind: str = ""
    fault: Fault | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """Return what is counted."""
        return f"{self.reason} ({self.clause})" if self.clause else self.reason


@dataclass(frozen=True, slots=True)
class Counted:
    """What says nothing of anybody and is counted, without a row: its kind, and words out of a closed list."""

    kind: str
    words: str = ""


def now() -> datetime:
    """Return the server's time."""
    return datetime.now(UTC)


#: How many numbers are made at once, of ten bytes each, and which of their bits say version and variant.
AT_ONCE, LENGTH = 256, 10
FREE = int.from_bytes(b"\x0f\xff\x3f" + b"\xff" * (LENGTH - 3)) * sum(1 << 8 * LENGTH * nth for nth in range(AT_ONCE))
FIXED = int.from_bytes(b"\x70\x00\x80" + b"\x00" * (LENGTH - 3)) * sum(1 << 8 * LENGTH * nth for nth in range(AT_ONCE))


class _Bits(threading.local):
    """The ends of numbers, random by the operating system, of which each thread asks for many at once."""

    def __init__(self) -> None:
        self.left: list[bytes] = []

    def next(self) -> bytes:
        if not self.left:
            many = (int.from_bytes(os.urandom(LENGTH * AT_ONCE)) & FREE | FIXED).to_bytes(LENGTH * AT_ONCE)
            self.left = [many[at : at + LENGTH] for at in range(0, len(many), LENGTH)]
        return self.left.pop()


_BITS = _Bits()


def ordered_uuid() -> uuid.UUID:
    """Return a UUID version 7 (RFC 9562): milliseconds, then random bits, so that new keys stand together."""
    made: uuid.UUID = UUID((time.time_ns() // 1_000_000).to_bytes(6) + _BITS.next())
    return made


def ordered_uuids(many: int) -> list[str]:
    """Return UUIDs version 7 as hexadecimal digits, each after the one before it: their counter is of 12 bits."""
    begin, bits = f"{time.time_ns() // 1_000_000:012x}7", os.urandom(8 * many).hex()
    return [f"{begin}{nth & 0xFFF:03x}8{bits[16 * nth + 1 : 16 * nth + 16]}" for nth in range(many)]
