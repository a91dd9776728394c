"""What is judged, reduced and laid out of what waits, while what came before it is committed: both at once."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from troth.intake import batches, sent, store
from troth.intake.answers import Request
from troth.intake.bridging import Bridge
from troth.intake.decisions import Decisions
from troth.intake.event import now
from troth.intake.rolling import Salt, rolled
from troth.intake.sent import Sent

#: Events that are worth a look at once; after which whatever else waits has its turn.
WORTH, TURN = 32, 200
#: Seconds for which a key or a person that was looked up is known without looking again, and of these the last, for
#: which what was judged ahead counts.
KNOWN, AHEAD = 5.0, 1.0


class Judging:
    """Judges what waits by what was said a moment ago, as far as it passes; what does not is asked about later."""

    def __init__(self, remembered: Callable[[], tuple[Bridge, Decisions] | None], done: Callable[[], None]) -> None:
        """Begin with nothing; `remembered` tells by what is judged, None where nothing is to be.

        `done` is called whenever all that waits was judged.
        """
        self.remembered, self.done = remembered, done
        self.unseen: deque[Request] = deque()
        self.many = 0
        self.planned = False

    def add(self, request: Request, *, soon: bool) -> None:
        """Look at a request soon, or once there are some more: many together cost little more than one."""
        self.unseen.append(request)
        self.many += len(request.events)
        if soon or self.many >= WORTH:
            self._plan()

    def leave(self) -> None:
        """Let go of what is being committed, which came before all else."""
        while self.unseen and self.unseen[0].ahead.over:
            self.many -= len(self.unseen.popleft().events)

    def _plan(self) -> None:
        if not self.planned:
            self.planned = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self.planned = False
        by = self.remembered()
        if by is None:
            self.unseen.clear()
            self.many = 0
            return
        looked, many = list[Request](), 0
        while self.unseen and many < TURN:
            looked.append(self.unseen.popleft())
            many += len(looked[-1].events)
        self.many -= many
        judge(looked, *by)
        if self.unseen:
            self._plan()
        else:
            self.done()


def judge(requests: Sequence[Request], bridge: Bridge, decisions: Decisions) -> None:
    """Judge and reduce events of people who are known, and note at their requests which of them passed.

    What an application declared of metadata is not known here.
    """
    moment, at = time.monotonic(), now()
    passed = [(request, _passing(request, bridge, decisions, at)) for request in requests]
    sent.reduced([event for _, events in passed for event in events.values()], decisions)
    for request, events in passed:
        request.ahead.passed, request.ahead.decisions, request.ahead.moment = set(events), decisions, moment


def _passing(request: Request, bridge: Bridge, decisions: Decisions, at: datetime) -> dict[int, Sent]:
    """Return the events that pass by what was said of their people a moment ago, by their place."""
    digest, passing = request.sender.digest, dict[int, Sent]()
    recent = bridge.recent([(digest, each.person) for each in request.events if isinstance(each, Sent)], KNOWN - AHEAD)
    for nth, event in enumerate(request.events):
        if isinstance(event, Sent) and event.metadata is None:
            known = recent.get((digest, event.person))
            if known is not None and isinstance(sent.judge(event, known, decisions, moment=at), Sent):
                passing[nth] = event
    return passing


class Laid(Struct):
    """A batch that is committed next, and what stores it, counted with the salt of a day.

    `statement` is None where something of it is to be looked at by its commit.
    """

    batch: Sequence[Request]
    salt: Salt
    statement: store.Statement | None

    def holds(self, decisions: Decisions, salt: Salt) -> store.Statement | None:
        """Return the statement while it is the one that would be made now: what was judged too long ago is not."""
        since = time.monotonic() - AHEAD
        for request in self.batch:
            request.ahead.hold(decisions, since)
        return self.statement if self.salt == salt and all(each.passed_whole() for each in self.batch) else None


def lay_out(batch: Sequence[Request], bridge: Bridge, decisions: Decisions, salt: Salt) -> Laid:
    """Lay out a batch of which nothing but that its keys are new is left to ask."""
    try:
        return Laid(batch, salt, _statement(batch, bridge, decisions, salt))
    except Exception:  # noqa: BLE001 - whatever it is, its commit meets it again, and answers
        return Laid(batch, salt, None)


def _statement(batch: Sequence[Request], bridge: Bridge, decisions: Decisions, salt: Salt) -> store.Statement | None:
    senders = {request.sender.digest: request.sender.application for request in batch}
    known = bridge.recent([(digest, "") for digest in senders], KNOWN - AHEAD)
    events = [
        event for request in batch if request.passed_whole() for event in request.events if isinstance(event, Sent)
    ]
    whole = len(events) == sum(len(request.events) for request in batch) and len(known) == len(senders)
    if not whole or batches.alike(events) or any(event.found for event in events):
        return None
    return store.laid_out(senders, events, rolled(events, decisions, salt), decisions)
