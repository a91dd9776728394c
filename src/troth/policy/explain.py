"""The policy in plain sentences, written from its meaning: what pages, switches and cards say."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from troth.policy.meaning import Basis, Collection, Occasion, Policy, Precision, Purpose, Use, Verb, Window, WindowKind

WORDS: Mapping[str, str] = {
    "person.name": "your name",
    "person.email": "your e-mail address",
    "person.password": "your password, in a form that cannot be turned back",
    "person.session": "that you are signed in",
    "access.ip": "your network address",
    "access.url": "the page you asked for",
    "access.method": "how you asked for it",
    "access.status": "what we answered",
    "access.time": "the time",
    "access.referrer": "the page you came from",
    "access.browser": "your browser",
    "access.system": "your operating system",
    "access.kind": "the kind of your device",
    "device.identifier": "which of your devices it is",
    "device.browser": "its browser",
    "device.system": "its operating system",
    "device.kind": "its kind",
    "agreement.version": "which version you agreed to",
    "agreement.time": "when you agreed",
    "agreement.wording": "the words and the language you saw",
    "choice.purpose": "which purpose you decided about",
    "choice.kind": "what you decided",
    "choice.time": "when you decided",
}
THINGS: Mapping[str, str] = {
    "person": "about yourself",
    "access": "about each time you used the service",
    "device": "about each of your devices",
    "agreement": "about each agreement",
    "choice": "about each choice",
}
COARSE: Mapping[tuple[str, Precision], str] = {
    ("access.ip", Precision.NETWORK): "only the network you come from",
    ("access.time", Precision.DAY): "only the day",
}
MOMENTS: Mapping[Occasion, str] = {
    Occasion.SIGN_UP: "When you sign up",
    Occasion.SIGN_IN: "When you sign in",
    Occasion.AGREEMENT: "When you agree or choose",
    Occasion.ACCESS: "Each time you use the service",
    Occasion.VISIT: "When somebody visits without having agreed",
}
#: Held by the sign-in service, which checks them and shows them to no purpose.
CREDENTIALS = frozenset({"person.password", "person.session"})
BASES: Mapping[Basis, str] = {
    Basis.AGREEMENT: "It is part of what you agree to.",
    Basis.CONSENT: "We do it only if you say yes, and you can take that back at any time.",
    Basis.LEGITIMATE_INTEREST: "You can object at any time.",
}
VERBS: Mapping[Verb, str] = {Verb.REVIEW: "look at", Verb.CORRECT: "correct", Verb.DELETE: "delete"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, the clause it says, and the promises that the clause keeps; `parts` lays it out as lists."""

    clause: str
    text: str
    promises: tuple[str, ...]
    parts: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page; `key` is its anchor."""

    key: str
    title: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of the table: what, then each use of it as why and how long, and who sees it."""

    what: str
    uses: tuple[tuple[str, str], ...]
    who_sees: str
    clause: str


def sections(policy: Policy) -> tuple[Section, ...]:
    """Return the whole policy in the order in which people look for things; empty sections are left out."""
    made = (
        Section("agreement", "Your agreement", tuple(_agreement(policy))),
        Section("why", "Why we use information", tuple(_why(policy))),
        Section("what", "What we collect, and when", tuple(_what(policy))),
        Section("use", "What you see and can do", tuple(_rights(policy))),
        Section("security", "Security", tuple(_security(policy))),
    )
    return tuple(section for section in made if section.sentences)


def category_words(name: str, precision: Precision = Precision.AS_IS) -> str:
    """Say a category, the way one speaks to the person it is about."""
    return COARSE.get((name, precision)) or WORDS.get(name) or f"your {name.replace('.', ' ').replace('_', ' ')}"


def window_words(window: Window) -> str:
    """Say a window."""
    match window.kind:
        case WindowKind.CONSENTED:
            return "for as long as you say yes"
        case WindowKind.ACCOUNT if window.days:
            return f"while your account exists and for {_days(window.days)} after"
        case WindowKind.ACCOUNT:
            return "while your account exists"
        case _:
            return f"for {_days(window.days)}"


def purpose_sentence(policy: Policy, name: str) -> str:
    """Say what a purpose does and whether one can say no. Raises KeyError for an unknown purpose."""
    for purpose in policy.purposes:
        if purpose.name == name:
            return f"We use information to {purpose.sentence}. {BASES[purpose.basis]}"
    raise KeyError(name)


def purpose_uses(policy: Policy, name: str) -> tuple[str, ...]:
    """Say in sentences what a purpose uses, from when and for how long."""
    found = []
    for collection in policy.collections:
        for use in collection.uses:
            if use.purpose == name:
                what = listed(_known(collection, use))
                found.append(f"{MOMENTS[collection.occasion]}: {what}, {window_words(use.window)}.")
    return tuple(found)


def field_sentence(policy: Policy, category: str, occasion: Occasion) -> str:
    """Say why a form asks for something and how long it is kept; empty when the policy does not collect it."""
    uses = [
        f"to {_purpose(policy, use.purpose).sentence}, {window_words(use.window)}"
        for collection in policy.collections
        if collection.occasion is occasion and category in collection.categories
        for use in collection.uses
    ]
    return f"We use it {listed(uses, joint='; and ', comma='; ')}." if uses else ""


def table(policy: Policy) -> tuple[TableRow, ...]:
    """Return what is collected, why, for how long, and who sees it."""
    shown = {category for sight in policy.sights for category in sight.categories}
    rows = []
    for collection in policy.collections:
        who = _who_sees(collection, shown)
        for what in dict.fromkeys(capital(listed(_known(collection, use))) for use in collection.uses):
            uses = tuple(
                (_purpose(policy, use.purpose).sentence, window_words(use.window))
                for use in collection.uses
                if capital(listed(_known(collection, use))) == what
            )
            rows.append(TableRow(what, uses, who, collection.clause.name))
    return tuple(rows)


def listed(words: Iterable[str], joint: str = " and ", comma: str = ", ") -> str:
    """Join words the way a sentence does."""
    all_words = list(words)
    return joint.join([comma.join(all_words[:-1]), all_words[-1]]) if len(all_words) > 1 else "".join(all_words)


def capital(text: str) -> str:
    """Begin with a capital."""
    return text[:1].upper() + text[1:]


def _who_sees(collection: Collection, shown: set[str]) -> str:
    hidden = [category for category in collection.categories if category not in shown]
    if CREDENTIALS.issuperset(collection.categories) and hidden:
        return "nobody; the sign-in service checks it"
    if len(hidden) == len(collection.categories):
        return "the purposes named here"
    if hidden:
        return f"you, except {listed(map(category_words, hidden))}, and the purposes named here"
    return "you, and the purposes named here"


def _days(days: int) -> str:
    return "one day" if days == 1 else "a year" if days == 365 else f"{days} days"  # noqa: PLR2004 - a year


def _known(collection: Collection, use: Use) -> list[str]:
    return [category_words(category, use.precision) for category in collection.categories]


def _purpose(policy: Policy, name: str) -> Purpose:
    return next(purpose for purpose in policy.purposes if purpose.name == name)


def _agreement(policy: Policy) -> Iterator[Sentence]:
    yield Sentence(
        "policy",
        f"This is version {policy.version} of the policy of {policy.operator},"
        f" in effect from {policy.effective:%d %B %Y}.",
        (),
    )
    for duty in policy.duties:
        if duty.name == "agreement":
            text = "Nobody uses the service without agreeing to this policy and to the terms: until you do, it refuses."
            yield Sentence(duty.clause.name, text, duty.clause.promises)
    yield Sentence("operator", f"Questions about any of it go to {policy.contact}.", ())


def _why(policy: Policy) -> Iterator[Sentence]:
    for purpose in policy.purposes:
        text = f"To {purpose.sentence}. {BASES[purpose.basis]}"
        yield Sentence(purpose.clause.name, text, purpose.clause.promises)


def _what(policy: Policy) -> Iterator[Sentence]:
    for collection in policy.collections:
        precision = collection.uses[0].precision
        alike = all(use.precision is precision for use in collection.uses)
        purposes = tuple(
            f"to {_purpose(policy, u.purpose).sentence}, {window_words(u.window)}"
            + ("" if alike else _coarsened(collection, u))
            for u in collection.uses
        )
        uses = listed(purposes, joint="; and ", comma="; ")
        what = [category_words(c, precision if alike else Precision.AS_IS) for c in collection.categories]
        if collection.occasion is Occasion.VISIT:
            what = [_theirs(words) for words in what]
        lead = f"{MOMENTS[collection.occasion]}, we collect"
        parts = ((lead, tuple(what)), ("We use it", purposes))
        text = f"{lead} {listed(what)}. We use it {uses}."
        yield Sentence(collection.clause.name, text, collection.clause.promises, parts)


def _coarsened(collection: Collection, use: Use) -> str:
    """Say what this use knows less exactly than the other uses of the same collection."""
    known = [COARSE[c, use.precision] for c in collection.categories if (c, use.precision) in COARSE]
    words = _theirs(listed(known)) if collection.occasion is Occasion.VISIT else listed(known)
    return f", knowing {words}" if known else ""


def _theirs(words: str) -> str:
    return words.replace("your ", "their ").replace("you come", "they come").replace("you asked", "they asked")


def _rights(policy: Policy) -> Iterator[Sentence]:
    for sight in policy.sights:
        seen = listed(category_words(category) for category in sight.categories)
        text = f"You see {seen}. Your page “Your data” shows it."
        layout = (("On your page “Your data” you see", _grouped(sight.categories)),)
        yield Sentence(sight.clause.name, text, sight.clause.promises, layout)
    for right in policy.rights:
        verbs = listed(VERBS[verb] for verb in right.verbs)
        text = f"You can {verbs} {listed(category_words(category) for category in right.categories)}."
        groups = _grouped(right.categories)
        parts = ((f"You can {verbs}", groups),) if len(groups) > 1 else ()
        yield Sentence(right.clause.name, text, right.clause.promises, parts)


def _grouped(categories: Iterable[str]) -> tuple[str, ...]:
    """Say many categories as one line for each thing that they are about."""
    groups: dict[str, list[str]] = {}
    for category in categories:
        groups.setdefault(category.split(".")[0], []).append(category_words(category))
    return tuple(f"{THINGS.get(thing, thing)}: {listed(words)}" for thing, words in groups.items())


def _security(policy: Policy) -> Iterator[Sentence]:
    for duty in policy.duties:
        if duty.name == "transmission":
            text = "Everything that passes between you and the service is encrypted on its way."
            yield Sentence(duty.clause.name, text, duty.clause.promises)
