"""How the intake of this process does: what waits, what is kept while the database is away, when it last committed."""

import uuid
from collections.abc import Callable
from datetime import datetime

from troth.intake.event import now

#: Where figures are looked at.
FIGURES = "/operator/activity"
#: What is watched of a process, in the order in which it is told.
WATCHED = ("accesses", "events", "shelved", "kept")


class Pulse:
    """What the recorder and the gate tell of themselves. `commits` grows with each commit.

    `everywhere` is that of all processes together, as it was known last: whoever watches compares.
    """

    def __init__(self) -> None:
        """Know of nothing yet."""
        self.node, self.started = uuid.uuid4(), now()
        self.latest: datetime | None = None
        self.commits, self.everywhere = 0, 0
        #: Events that were turned away since there was no room, and that their senders send again.
        self.shed = 0
        #: Keys and tokens that opened nothing, and those that were turned away unseen, since their network guesses.
        self.wrong, self.stopped = 0, 0
        self._watched: dict[str, Callable[[], int]] = {}

    def watch(self, what: str, many: Callable[[], int]) -> None:
        """Let something be asked how much of it there is."""
        self._watched[what] = many

    def committed(self, *, other: bool = True) -> None:
        """Note that something was stored; `other` than looks at the figures, which would change them for ever."""
        self.commits += other
        self.latest = now()

    def figures(self) -> list[int]:
        """Return how much there is of each of `WATCHED`, and how often something was turned away."""
        watched = [self._watched[what]() if what in self._watched else 0 for what in WATCHED]
        return [*watched, self.shed, self.wrong, self.stopped]


#: The one of this process.
PULSE = Pulse()
