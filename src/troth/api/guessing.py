"""Who tries keys and tokens that open nothing: their network is stopped for a while, and whoever is known goes on."""

from hashlib import sha256
from threading import Lock
from typing import Protocol

from troth.intake.health import PULSE

#: Keys and tokens that opened something, which are remembered: no crowd of guesses puts one of them out.
MOST_KNOWN = 10_000


class Limit(Protocol):
    """How often a network may be wrong. Both may wait for a lock."""

    def reached(self, address: str) -> int:
        """Return for how many seconds whoever asks from there is to wait; 0 where they are not."""

    def count(self, address: str) -> None:
        """Take note of one more."""


class Guesses:
    """The judge in front of the doors for keys and tokens. What opened something is asked of nobody."""

    def __init__(self, limit: Limit | None = None) -> None:
        """Begin; without a limit nobody is stopped."""
        self.limit = limit
        self.known: dict[bytes, None] = {}
        self.changing = Lock()

    def knows(self, key: bytes) -> bool:
        """Whether this opened something. It is never stopped, wherever it comes from."""
        return sha256(key).digest() in self.known

    def stopped(self, address: str) -> int:
        """Return for how many seconds what is not known is turned away unseen, since its network guesses; or 0."""
        wait = self.limit.reached(address) if self.limit else 0
        PULSE.stopped += bool(wait)
        return wait

    def right(self, key: bytes) -> None:
        """Remember what opened something."""
        with self.changing:
            self.known[sha256(key).digest()] = None
            if len(self.known) > MOST_KNOWN:
                del self.known[next(iter(self.known))]

    def wrong(self, address: str, key: bytes) -> None:
        """Count what opened nothing, or does so no more."""
        PULSE.wrong += 1
        with self.changing:
            self.known.pop(sha256(key).digest(), None)
        if self.limit:
            self.limit.count(address)
