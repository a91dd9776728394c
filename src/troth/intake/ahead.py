"""What is judged and reduced of what waits, while what came before it is committed: both take their time at once."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from troth.intake import sent
from troth.intake.answers import Request
from troth.intake.bridging import Bridge
from troth.intake.decisions import Decisions
from troth.intake.event import now
from troth.intake.sent import Sent

#: Events after which whatever else waits has its turn.
TURN = 200
#: Seconds for which a key or a person that was looked up is known without looking again, and of these the last, for
#: which what was judged ahead counts.
KNOWN, AHEAD = 5.0, 1.0


class Judging:
    """Judges what waits by what was said a moment ago, as far as it passes; what does not is asked about later."""

    def __init__(self, remembered: Callable[[], tuple[Bridge, Decisions] | None]) -> None:
        """Begin with nothing; `remembered` tells by what is judged, None where nothing is to be."""
        self.remembered = remembered
        self.unseen: deque[Request] = deque()
        self.planned = False

    def add(self, request: Request) -> None:
        """Look at a request soon, together with those that come at the same time."""
        self.unseen.append(request)
        self._plan()

    def _plan(self) -> None:
        if not self.planned:
            self.planned = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self.planned = False
        by = self.remembered()
        if by is None:
            self.unseen.clear()
            return
        bridge, decisions = by
        looked, many = list[Request](), 0
        while self.unseen and many < TURN:
            request = self.unseen.popleft()
            if not request.ahead.over:
                looked.append(request)
                many += len(request.events)
        judge(looked, bridge, decisions)
        if self.unseen:
            self._plan()


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
