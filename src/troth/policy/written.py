"""A policy as it is written, clause by clause, before its names are understood."""

from dataclasses import dataclass
from datetime import date

from troth.policy.meaning import Basis, Occasion, Precision, Span, Verb, Window


@dataclass(frozen=True, slots=True)
class Named:
    """A name or a promise where it stands."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class WrittenUse:
    """`for PURPOSE WINDOW as PRECISION`."""

    purpose: Named
    window: Window
    precision: Precision
    span: Span


@dataclass(frozen=True, slots=True)
class Statement:
    """One clause; what a kind of clause does not have is empty."""

    kind: str
    span: Span
    names: tuple[Named, ...]
    text: str
    number: int
    day: date | None
    contact: str
    attribute: str
    basis: Basis | None
    occasion: Occasion | None
    verbs: tuple[Verb, ...]
    uses: tuple[WrittenUse, ...]
    promises: tuple[Named, ...]
