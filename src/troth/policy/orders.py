"""How what a policy says is ordered: whether one version's facts about a thing reach no further than another's."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from troth.policy.meaning import Audience, Basis, Precision, Storage, Window

type Value = frozenset[tuple[object, ...]]


class Kind(StrEnum):
    """What an atom is about."""

    HEAD = "head"
    PURPOSE = "purpose"
    SENTENCE = "sentence"
    USE = "use"
    CATEGORY = "category"
    SIGHT = "sight"
    POSTING = "posting"
    RECIPIENT = "recipient"
    STORAGE = "storage"
    RIGHT = "right"
    COARSENING = "coarsening"
    CORRELATION = "correlation"
    DUTY = "duty"
    WORDS = "words"
    SIGNAL = "signal"


def _uses_within(these: Value, those: Value) -> bool:
    return all(any(_use_within(use, other) for other in those) for use in these)


def _use_within(use: tuple[object, ...], other: tuple[object, ...]) -> bool:
    (precision, window), (known, lasting) = use, other
    if not (isinstance(precision, Precision) and isinstance(known, Precision)):
        raise TypeError(use)
    if not (isinstance(window, Window) and isinstance(lasting, Window)):
        raise TypeError(other)
    return precision.within(known) and window.within(lasting)


#: How far a basis lets a purpose go without asking: a yes reaches least, then what one may object to.
REACH = {Basis.CONSENT: 0, Basis.LEGITIMATE_INTEREST: 1, Basis.AGREEMENT: 2, Basis.LEGAL_DUTY: 2}


def _basis_within(these: Value, those: Value) -> bool:
    if not these or not those:
        return not these
    (mine,), (theirs,) = next(iter(these)), next(iter(those))
    return mine == theirs or REACH[Basis(str(mine))] < REACH[Basis(str(theirs))]


def _audience_within(these: Value, those: Value) -> bool:
    return all(any(Audience(str(a)).within(Audience(str(b))) for (b,) in those) for (a,) in these)


def _present_within(these: Value, those: Value) -> bool:
    return these <= those


def _correlation_within(these: Value, those: Value) -> bool:
    rank = {"never": 0, "": 1, "allowed": 1}
    mine, theirs = (next((str(fact[0]) for fact in value), "") for value in (these, those))
    return rank[mine] <= rank[theirs]


def _storage_within(these: Value, those: Value) -> bool:
    return all(any(_stored_within(fact, other) for other in those) for fact in these)


def _stored_within(fact: tuple[object, ...], other: tuple[object, ...]) -> bool:
    session = (Storage.SESSION_COOKIE, None)
    if fact == session and other[0] is Storage.PERSISTENT_COOKIE:
        return True
    if fact == other:
        return True
    return fact[0] == other[0] and isinstance(fact[1], int) and isinstance(other[1], int) and fact[1] <= other[1]


def _rights_within(these: Value, those: Value) -> bool:
    """Return whether each of these rights is given by those at least as soon and as freely."""
    return all(any(_right_within(fact, other) for other in those) for fact in these)


def _right_within(fact: tuple[object, ...], other: tuple[object, ...]) -> bool:
    days, other_days = (each[0] if isinstance(each[0], int) else 0 for each in (fact, other))
    return other_days <= days and other[1] in (None, fact[1])


def _coarse_within(these: Value, those: Value) -> bool:
    """Return whether each of these coarsenings is done by those at least as soon and as coarsely."""
    return all(any(_coarsening_within(fact, other) for other in those) for fact in these)


def _coarsening_within(fact: tuple[object, ...], other: tuple[object, ...]) -> bool:
    (precision, days), (coarser, sooner) = fact, other
    if not (isinstance(precision, Precision) and isinstance(coarser, Precision)):
        raise TypeError(fact)
    return coarser.within(precision) and isinstance(days, int) and isinstance(sooner, int) and sooner <= days


def marks_within(these: Value, those: Value) -> bool:
    """Return whether this category is guarded at least as well: sensitive guards more than identifying."""
    rank = {"": 0, "identifying": 1, "sensitive": 2}
    (mine,), (theirs,) = next(iter(these)), next(iter(those))
    return rank[str(mine)] >= rank[str(theirs)]


ORDERS: Mapping[Kind, Callable[[Value, Value], bool]] = {
    Kind.PURPOSE: _basis_within,
    Kind.USE: _uses_within,
    Kind.SIGHT: _audience_within,
    Kind.POSTING: _audience_within,
    Kind.RECIPIENT: _present_within,
    Kind.STORAGE: _storage_within,
    Kind.RIGHT: _rights_within,
    Kind.COARSENING: _coarse_within,
    Kind.CORRELATION: _correlation_within,
    Kind.SIGNAL: _present_within,
}
