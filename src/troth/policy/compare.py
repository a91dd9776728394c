"""Two versions of a policy side by side: typed differences, each with its direction, and what follows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import product

from troth.policy.meaning import (
    PERMITTING,
    Audience,
    Category,
    Change,
    Collection,
    Policy,
    Precision,
)
from troth.policy.orders import ORDERS, Kind, Value, marks_within


class Direction(StrEnum):
    """Where a change goes, seen by the person. What cannot be ordered counts as wider."""

    WIDER = "wider"
    NARROWER = "narrower"
    INCOMPARABLE = "incomparable"
    NEUTRAL = "neutral"

    @property
    def mirrored(self) -> "Direction":
        """Return the direction of the way back."""
        return {Direction.WIDER: Direction.NARROWER, Direction.NARROWER: Direction.WIDER}.get(self, self)


class Verdict(IntEnum):
    """What a new version asks of the operator, the most demanding last; the operator may raise it, never lower it."""

    EDITORIAL = 0
    FAVOURABLE = 1
    NOTIFY = 2
    AGREE_AGAIN = 3
    ASK = 4


type Key = tuple[Kind, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Atom:
    """One thing a policy says: what holds, as comparable facts, and the clauses that say so."""

    value: Value
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """One difference. `old` and `new` are the atoms' facts, empty where one of the versions is silent."""

    kind: Kind
    about: tuple[str, ...]
    direction: Direction
    old: Value
    new: Value
    clauses: tuple[str, ...]
    changes: frozenset[Change]

    @property
    def reduces(self) -> bool:
        """Whether it counts against the person."""
        return self.direction in (Direction.WIDER, Direction.INCOMPARABLE)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two versions differ in, and what follows: `significant` are the differences that need agreement again.

    Among them is each by which a purpose or an audience may do or see more, whatever the rule lists. `opened` are those
    purposes and audiences: nobody is in them before they agree, so everybody has to be asked.
    """

    deltas: tuple[Delta, ...]
    verdict: Verdict
    significant: tuple[Delta, ...]
    asked: tuple[str, ...]
    opened: frozenset[str] = frozenset()

    @property
    def agree_again(self) -> bool:
        """Whether the change needs the agreement of those who agreed before."""
        return bool(self.significant or self.opened)


def compare(old: Policy, new: Policy, opened: frozenset[str] = frozenset()) -> Comparison:
    """Compare two versions. The rule of the old one judges what is significant: it is what people agreed to.

    `opened` are the purposes and audiences that the tables let do or see more (`widening.opened`): which audience a row
    reaches is theirs to say.
    """
    before, after = atoms(old), atoms(new)
    empty = Atom(frozenset(), ())
    deltas = []
    for key in sorted({*before, *after}, key=lambda k: (list(Kind).index(k[0]), k[1])):
        left, right = before.get(key, empty), after.get(key, empty)
        if left.value != right.value and not _said_elsewhere(key, before, after):
            deltas.append(_delta(key, left, right, (old, new)))
    reducing = [delta for delta in deltas if delta.reduces]
    asked = tuple(d.about[0] for d in reducing if d.kind is Kind.PURPOSE and not d.old)
    significant = tuple(d for d in deltas if _opens(d) or (d.reduces and d.changes & _rule(old)))
    verdict = _verdict(deltas, reducing, asked, again=bool(significant or opened))
    return Comparison(tuple(deltas), verdict, significant, asked, opened)


def _said_elsewhere(key: Key, before: Mapping[Key, Atom], after: Mapping[Key, Atom]) -> bool:
    """Whether only one version has the thing at all, which its purpose, or the use of the category, already says."""
    kind, about = key
    if kind is Kind.SIGNAL:
        return not ((Kind.PURPOSE, about) in before and (Kind.PURPOSE, about) in after)
    if kind is Kind.WORDS:
        key = (Kind.CATEGORY, about)
    return kind in (Kind.SENTENCE, Kind.CATEGORY, Kind.WORDS) and not (key in before and key in after)


def _verdict(deltas: Iterable[Delta], reducing: list[Delta], asked: tuple[str, ...], *, again: bool) -> Verdict:
    if asked:
        return Verdict.ASK
    if again:
        return Verdict.AGREE_AGAIN
    if reducing:
        return Verdict.NOTIFY
    narrower = any(delta.direction is Direction.NARROWER for delta in deltas)
    return Verdict.FAVOURABLE if narrower else Verdict.EDITORIAL


def _opens(delta: Delta) -> bool:
    """Return whether a purpose or an audience begins anew by it, with nobody in it."""
    match delta.kind:
        case Kind.PURPOSE:  # on another basis others are in it, also where that basis reaches less
            return bool(delta.new)
        case Kind.SIGHT:  # of what the person sees themselves less, nobody else sees more
            return delta.reduces and len(delta.about) == 1
        case Kind.USE | Kind.POSTING | Kind.SIGNAL | Kind.COARSENING:
            return delta.reduces
    return False


def _rule(policy: Policy) -> frozenset[Change]:
    """Return what the policy asks again about; without a rule, everything. Weakening the rule always asks."""
    duty = policy.duty("ask-again")
    return frozenset(map(Change, duty.details)) | {Change.DUTIES} if duty else frozenset(Change)


# Atoms


def atoms(policy: Policy) -> Mapping[Key, Atom]:
    """Return everything a policy says, by what it is about; the order of clauses and remarks leave no trace."""
    found: dict[Key, tuple[set[tuple[object, ...]], set[str]]] = {}
    for key, fact, clause in _facts(policy):
        values, clauses = found.setdefault(key, (set(), set()))
        values.add(fact)
        clauses.add(clause)
    return {key: Atom(frozenset(values), tuple(sorted(clauses))) for key, (values, clauses) in found.items()}


def _facts(policy: Policy) -> Iterator[tuple[Key, tuple[object, ...], str]]:
    for field in ("name", "operator", "contact"):
        yield (Kind.HEAD, (field,)), (getattr(policy, field),), "policy" if field == "name" else "operator"
    for purpose in policy.purposes:
        yield (Kind.PURPOSE, (purpose.name,)), (purpose.basis,), purpose.clause.name
        yield (Kind.SENTENCE, (purpose.name,)), (purpose.sentence, *sorted(purpose.translations)), purpose.clause.name
    yield from _of_data(policy)
    yield from _of_people(policy)
    for duty in policy.duties:
        about = (duty.name, *duty.details) if duty.name == "tell" else (duty.name,)
        for detail in duty.details or ("",):
            yield (Kind.DUTY, about), (detail,), duty.clause.name
    for honoured in policy.honoured:
        for name in honoured.purposes:
            yield (Kind.SIGNAL, (name,)), ("objection",), honoured.clause.name
    for called in policy.called:
        yield (Kind.WORDS, (called.category,)), tuple(sorted(called.texts)), called.clause.name


def _of_data(policy: Policy) -> Iterator[tuple[Key, tuple[object, ...], str]]:
    for collection in policy.collections:
        for category, use in product(collection.categories, collection.uses):
            about = (category, collection.occasion, use.purpose)
            exactly = use.precision if use.precision.fits(category) else Precision.AS_IS
            yield (Kind.USE, about), (exactly, use.window), collection.clause.name
    for declared in policy.categories:
        yield (Kind.CATEGORY, (declared.name,)), (_mark(declared),), declared.clause.name
    for coarsening in policy.coarsenings:
        for category in coarsening.categories:
            yield (Kind.COARSENING, (category,)), (coarsening.precision, coarsening.days), coarsening.clause.name
    for correlation in policy.correlations:
        for pair in product(correlation.left, correlation.right):
            key = (Kind.CORRELATION, tuple(sorted(pair)))
            yield key, ("allowed" if correlation.allowed else "never",), correlation.clause.name
    for share in policy.shares:
        for category in share.categories:
            yield (Kind.RECIPIENT, (category, share.recipient, share.purpose)), ("",), share.clause.name


def _of_people(policy: Policy) -> Iterator[tuple[Key, tuple[object, ...], str]]:
    for sight in policy.sights:
        for category in sight.categories:
            own = sight.audience is Audience.PERSON
            key = (Kind.SIGHT, (category, "the person") if own else (category,))
            yield key, (sight.audience,), sight.clause.name
    for posting in policy.postings:
        for category, audience in product(posting.categories, posting.audiences):
            yield (Kind.POSTING, (category,)), (audience,), posting.clause.name
    for stored in policy.stored:
        yield (Kind.STORAGE, (stored.key, stored.purpose)), (stored.storage, stored.days), stored.clause.name
    for right in policy.rights:
        for verb, category in product(right.verbs, right.categories):
            yield (Kind.RIGHT, (verb, category)), (right.days, right.condition), right.clause.name


def _mark(category: Category) -> str:
    return "sensitive" if category.sensitive else "identifying" if category.identifying else ""


# Directions


def _delta(key: Key, left: Atom, right: Atom, policies: tuple[Policy, Policy]) -> Delta:
    kind, about = key
    direction = _direction(kind, about, left.value, right.value)
    clauses = tuple(dict.fromkeys((*left.clauses, *right.clauses)))
    changes = frozenset(_changes(kind, about, (left.value, right.value), policies))
    return Delta(kind, about, direction, left.value, right.value, clauses, changes)


def _direction(kind: Kind, about: tuple[str, ...], old: Value, new: Value) -> Direction:
    match kind:
        case Kind.HEAD:
            return Direction.NEUTRAL
        case Kind.SENTENCE | Kind.WORDS:  # without words of its own, a category is called by the house's
            return Direction.INCOMPARABLE
        case Kind.CATEGORY:
            return _by(marks_within, old, new) if old and new else Direction.NEUTRAL
        case Kind.DUTY:
            return _of_duty(about[0], old, new)
    # What promises something to the person is turned round: more of it is narrower.
    turned = kind in (Kind.RIGHT, Kind.COARSENING, Kind.SIGNAL) or (kind is Kind.SIGHT and len(about) > 1)
    found = _by(ORDERS[kind], old, new)
    return found.mirrored if turned else found


def _by(within: Callable[[Value, Value], bool], old: Value, new: Value) -> Direction:
    down, up = within(new, old), within(old, new)
    if down and up:
        return Direction.NEUTRAL
    return Direction.NARROWER if down else Direction.WIDER if up else Direction.INCOMPARABLE


def _of_duty(name: str, old: Value, new: Value) -> Direction:
    if name == "new-purpose" and old and new:
        # Days until people may be asked again; without any they are asked once, which is longest.
        before, after = (float(str(detail) or "inf") for value in (old, new) for (detail,) in value)
        return Direction.WIDER if after < before else Direction.NARROWER
    if old and new:
        return _by(lambda a, b: b <= a, old, new) if name == "ask-again" else Direction.INCOMPARABLE
    taken = not new
    return Direction.WIDER if taken is not (name in PERMITTING) else Direction.NARROWER


# What kind of change it is, in the words of `ask again when`


def _changes(
    kind: Kind, about: tuple[str, ...], values: tuple[Value, Value], policies: tuple[Policy, Policy]
) -> Iterator[Change]:
    yield from SIMPLE.get(kind, ())
    marks = {_mark(c) for policy in policies for c in policy.categories if c.name in about}
    data = kind in (
        Kind.USE,
        Kind.SIGHT,
        Kind.POSTING,
        Kind.RECIPIENT,
        Kind.CATEGORY,
        Kind.COARSENING,
        Kind.CORRELATION,
    )
    if data and "sensitive" in marks:
        yield Change.SENSITIVE
    if data and "identifying" in marks:
        yield Change.IDENTIFYING
    if kind is Kind.PURPOSE:
        yield Change.BASES if all(values) else Change.PURPOSES
    if kind is Kind.USE:
        yield from _changes_of_use(about, values, policies)


def _changes_of_use(
    about: tuple[str, ...], values: tuple[Value, Value], policies: tuple[Policy, Policy]
) -> Iterator[Change]:
    category, _, purpose = about
    old, new = values
    known = {c for collection in policies[0].collections for c in _used(collection, purpose)}
    if not old:
        yield Change.OCCASIONS if category in known else Change.CATEGORIES
        return
    if {str(fact[0]) for fact in old} != {str(fact[0]) for fact in new}:
        yield Change.PRECISION
    if {fact[1] for fact in old} != {fact[1] for fact in new}:
        yield Change.WINDOWS


def _used(collection: Collection, purpose: str) -> tuple[str, ...]:
    return collection.categories if any(use.purpose == purpose for use in collection.uses) else ()


OF_DATA = frozenset(
    {Kind.USE, Kind.SIGHT, Kind.POSTING, Kind.RECIPIENT, Kind.CATEGORY, Kind.COARSENING, Kind.CORRELATION}
)
SIMPLE: Mapping[Kind, tuple[Change, ...]] = {
    Kind.SENTENCE: (Change.PURPOSES,),
    Kind.WORDS: (Change.CATEGORIES,),
    Kind.SIGHT: (Change.AUDIENCES,),
    Kind.POSTING: (Change.AUDIENCES,),
    Kind.RECIPIENT: (Change.RECIPIENTS,),
    Kind.STORAGE: (Change.STORAGE,),
    Kind.RIGHT: (Change.RIGHTS,),
    Kind.SIGNAL: (Change.RIGHTS,),
    Kind.COARSENING: (Change.PRECISION,),
    Kind.CORRELATION: (Change.PURPOSES,),
    Kind.DUTY: (Change.DUTIES,),
}
