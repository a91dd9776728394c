"""What is or should be true of the database, as comparable facts; apply and drift read the same difference."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256


class Kind(IntEnum):
    """What a fact is about, in the order in which facts are made; they are unmade the other way round."""

    ROLE = 1
    MEMBER = 2
    SCHEMA = 3
    TABLE = 4
    COLUMN = 5
    CHECK = 6
    FUNCTION = 7
    SECURITY = 8
    TRIGGER = 9
    RULE = 10
    VIEW = 11
    GRANT = 12
    SETTING = 13
    UNDECLARED = 14


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """One fact: `value` of the thing `name`. `make` and `unmake` are SQL; `locks` names the relation they lock.

    `remake` changes a thing of that name that has another value, where unmaking it first would take too much along.
    """

    kind: Kind
    name: str
    value: str
    make: str = field(default="", compare=False)
    remake: str = field(default="", compare=False)
    unmake: str = field(default="", compare=False)
    locks: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Say the fact in a line."""
        return f"{self.kind.name.lower()} {self.name}: {self.value}"


@dataclass(frozen=True, slots=True)
class Difference:
    """What is missing from the database and what is there beyond the plan."""

    missing: tuple[Fact, ...]
    surplus: tuple[Fact, ...]

    def __bool__(self) -> bool:
        """Whether there is any difference."""
        return bool(self.missing or self.surplus)

    @property
    def locked(self) -> tuple[str, ...]:
        """The relations that making this true must lock: views first, each kind sorted, so that none deadlocks."""
        relations = {fact.locks for fact in (*self.missing, *self.surplus) if fact.locks}
        return tuple(sorted(relations, key=lambda name: (name.startswith("troth."), name)))


def difference(desired: Iterable[Fact], observed: Iterable[Fact]) -> Difference:
    """Compare by kind, name and value; the result is sorted in the order of making and of unmaking."""
    wanted, found = set(desired), set(observed)
    return Difference(
        missing=tuple(sorted(wanted - found)),
        surplus=tuple(sorted(found - wanted, reverse=True)),
    )


def fingerprint(*texts: str) -> str:
    """Return 32 hex digits of the SHA-256 of the texts."""
    return sha256("\0".join(texts).encode()).hexdigest()[:32]
