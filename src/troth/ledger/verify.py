"""Recompute the chain in plain Python; the database under suspicion is asked for nothing but its rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from troth.ledger.entry import ORIGIN, Entry


class Flaw(StrEnum):
    """What is wrong at the first entry that is wrong."""

    EDITED = "edited"  # the row is not what its hash was made of
    UNLINKED = "unlinked"  # it names another predecessor than the one before it
    MISSING = "missing"  # an index between two rows is gone
    REORDERED = "reordered"  # an index comes again, or too late
    TRUNCATED = "truncated"  # fewer entries than were seen before
    REPLACED = "replaced"  # as many as were seen before, but not the same ones


SENTENCES = {
    Flaw.EDITED: "entry {index} is not what it was when it was recorded",
    Flaw.UNLINKED: "entry {index} does not follow from the entry before it",
    Flaw.MISSING: "entry {index} is missing",
    Flaw.REORDERED: "entry {index} stands where it does not belong",
    Flaw.TRUNCATED: "entry {index} was seen before and is gone: the end was cut off, or an older copy restored",
    Flaw.REPLACED: "entry {index} is another one than was seen before: the ledger was rewritten or forked",
}


@dataclass(frozen=True, slots=True)
class Head:
    """How far a ledger reached: its number of entries and its last hash, 32 bytes."""

    size: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: the head of the sound part, and the first flaw with its index, or None and None."""

    head: Head
    flaw: Flaw | None = None
    index: int | None = None

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.flaw is None

    def sentence(self) -> str:
        """Return the verdict in words."""
        if self.flaw is None:
            return f"the ledger holds: {self.head.size} entries, each follows from the one before"
        return SENTENCES[self.flaw].format(index=self.index)


def verify(entries: Iterable[Entry], *, remembered: Head | None = None) -> Verdict:
    """Judge entries given in the order of their indexes; `remembered` is a head seen earlier and kept elsewhere.

    Without `remembered` a ledger whose end was cut off cannot be told from a younger one.
    """
    head = Head(0, ORIGIN)
    for entry in entries:
        flaw = _flaw(entry, head)
        if flaw is not None:
            return Verdict(head, flaw, head.size if flaw is Flaw.MISSING else entry.index)
        reached = Head(head.size + 1, entry.hash)
        if remembered is not None and reached.size == remembered.size and reached.hash != remembered.hash:
            return Verdict(head, Flaw.REPLACED, entry.index)
        head = reached
    if remembered is not None and head.size < remembered.size:
        return Verdict(head, Flaw.TRUNCATED, head.size)
    return Verdict(head)


def _flaw(entry: Entry, head: Head) -> Flaw | None:
    if entry.index > head.size:
        return Flaw.MISSING
    if entry.index < head.size:
        return Flaw.REORDERED
    if entry.previous != head.hash:
        return Flaw.UNLINKED
    return None if entry.linked() == entry.hash else Flaw.EDITED
