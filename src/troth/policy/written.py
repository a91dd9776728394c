"""A policy as it is written, clause by clause, before its names are understood."""

from dataclasses import dataclass
from datetime import date

from troth.policy.meaning import Basis, Occasion, Precision, Span, Texts, Verb, Window


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
    """One clause; what a kind of clause does not have is empty.

    `names` of a clause with two lists is the first; `others` is the second. `words` are the closed words of its kind
    (audiences, storage, condition, topic, channel, changes), in the order in which they stand.
    """

    kind: str
    span: Span
    names: tuple[Named, ...] = ()
    others: tuple[Named, ...] = ()
    text: str = ""
    translations: Texts = ()
    number: int = 0
    limit: int | None = None
    day: date | None = None
    contact: str = ""
    attribute: str = ""
    words: tuple[str, ...] = ()
    basis: Basis | None = None
    precision: Precision | None = None
    occasions: tuple[Occasion, ...] = ()
    verbs: tuple[Verb, ...] = ()
    uses: tuple[WrittenUse, ...] = ()
    promises: tuple[Named, ...] = ()
