"""What a request asks of the gate, and what becomes of each of its events."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

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


@dataclass(eq=False, slots=True)
class Request:
    """What one request brought, and who waits for what becomes of it; None: whether it was committed is not known."""

    sender: Sender
    events: Sequence[Part]
    done: asyncio.Future[list[Answer] | None]
    answers: dict[int, Answer] = field(default_factory=dict)

    def tell(self, answers: list[Answer] | None) -> None:
        """Answer whoever waits."""
        if not self.done.done():
            self.done.set_result(answers)
