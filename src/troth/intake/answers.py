"""What a request asks of the gate, and what becomes of each of its events."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct, field

from troth.intake.decisions import Decisions
from troth.intake.event import Counted, Refused
from troth.intake.sent import Sender, Sent


class Outcome(StrEnum):
    """What became of one event."""

    STORED = "stored"
    KEPT = "kept"  # sealed on the disk until the database is back, which judges it again
    REPEATED = "repeated"  # the same event was stored, or kept, under this key before
    CONFLICT = "conflict"  # another event was stored, or kept, under this key before
    REFUSED = "refused"
    COUNTED = "counted"  # and not stored: it is about nobody


#: What was in a body: to be judged, to be counted, or refused already.
type Part = Sent | Counted | Refused


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one event, and why where it was not stored."""

    outcome: Outcome
    refused: Refused | None = None


class Ahead(Struct):
    """Which events of a request were judged and reduced while others were committed, by which decisions, and when.

    `over`: they are being committed themselves. `moment` is one of the monotonic clock, in seconds.
    """

    passed: set[int] = set()  # its own for each
    decisions: Decisions | None = None
    moment: float = 0.0
    over: bool = False

    def hold(self, decisions: Decisions, since: float) -> None:
        """Let go of what was judged otherwise, or longer ago."""
        if self.passed and (self.decisions is not decisions or self.moment < since):
            self.passed = set()


class Request(Struct, eq=False):
    """What one request brought, and who waits for what becomes of it; None: whether it was committed is not known."""

    sender: Sender
    events: Sequence[Part]
    done: asyncio.Future[list[Answer] | None]
    answers: dict[int, Answer] = {}  # its own for each
    ahead: Ahead = field(default_factory=Ahead)

    def passed_whole(self) -> bool:
        """Whether all that it brought passed ahead."""
        return len(self.ahead.passed) == len(self.events)

    def tell(self, answers: list[Answer] | None) -> None:
        """Answer whoever waits."""
        if not self.done.done():
            self.done.set_result(answers)
