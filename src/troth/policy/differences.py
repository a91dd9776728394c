"""What a difference between two versions means for the reader, in a sentence of their language."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from troth.policy.compare import Comparison, Delta, Direction
from troth.policy.explain import capital
from troth.policy.meaning import Basis, Occasion, Policy, Precision, Whose, Window
from troth.policy.orders import Kind, Value
from troth.policy.voice import Voice, voice

#: Where the category stands in what a difference is about.
CATEGORY_AT = {
    Kind.USE: 0,
    Kind.SIGHT: 0,
    Kind.POSTING: 0,
    Kind.RECIPIENT: 0,
    Kind.RIGHT: 1,
    Kind.COARSENING: 0,
}


KINDS = tuple(Kind)
#: Where the purpose stands in it.
PURPOSE_AT = {Kind.PURPOSE: 0, Kind.SENTENCE: 0, Kind.SIGNAL: 0, Kind.USE: 2, Kind.RECIPIENT: 2}


def reaching(comparison: Comparison) -> frozenset[str]:
    """Name the purposes that are not new and for which significant differences ask people again."""
    found = (each for each in comparison.significant if each.kind in PURPOSE_AT)
    return frozenset(each.about[PURPOSE_AT[each.kind]] for each in found) - set(comparison.asked)


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence about differences that are alike: where they go, in the reader's words too, and their clauses.

    `visitors`: it is about those alone who agreed to nothing and are asked nothing.
    """

    text: str
    direction: Direction
    goes: str
    significant: bool
    clauses: tuple[str, ...]
    visitors: bool


class Differing:
    """Two versions, and how their differences are said in one language."""

    def __init__(self, old: Policy, new: Policy, language: str = "en") -> None:
        """Speak as the new version does; what only the old one knows is said in its words."""
        self.old, self.new = voice(old, language), voice(new, language)
        self.policies = (new, old)

    def day(self, day: date) -> str:
        """Say a day in full."""
        return self.new.date(day)

    def verdict(self, comparison: Comparison) -> str:
        """Say what follows for the reader."""
        return self.new.say("verdicts", comparison.verdict.name)

    def lines(self, comparison: Comparison) -> tuple[Line, ...]:
        """Say all differences, those alike but for the category in one sentence."""
        groups: dict[tuple[object, ...], list[Delta]] = {}
        for delta in sorted(comparison.deltas, key=self.place):
            groups.setdefault((*_but_category(delta), delta in comparison.significant), []).append(delta)
        return tuple(self._line(alike, comparison) for alike in groups.values())

    def together(self, deltas: Iterable[Delta]) -> tuple[tuple[str, tuple[Delta, ...]], ...]:
        """Say differences, those alike but for the category in one sentence, each with what it says."""
        groups: dict[tuple[object, ...], list[Delta]] = {}
        for delta in sorted(deltas, key=self.place):
            groups.setdefault(_but_category(delta), []).append(delta)
        return tuple((self.sentence(*alike), tuple(alike)) for alike in groups.values())

    def _line(self, alike: list[Delta], comparison: Comparison) -> Line:
        clauses = tuple(dict.fromkeys(clause for delta in alike for clause in delta.clauses))
        first = alike[0]
        return Line(
            text=self.sentence(*alike),
            direction=first.direction,
            goes=self.direction(first),
            significant=first in comparison.significant,
            clauses=clauses,
            visitors=_of_visitors(first),
        )

    def place(self, delta: Delta) -> tuple[int, int]:
        """Order differences by kind, and by category as the words have them: what refers to another comes after it."""
        category = delta.about[CATEGORY_AT[delta.kind]] if delta.kind in CATEGORY_AT else ""
        return KINDS.index(delta.kind), self.new.place(category)

    def sentence(self, *deltas: Delta) -> str:
        """Say one difference, or several that are alike but for the category."""
        delta = deltas[0]
        changed = (delta.old and delta.new) or delta.kind is Kind.WORDS  # a category is always called something
        form = "changed" if changed else "added" if delta.new else "removed"
        says = ABOUT[delta.kind]
        filled = dict(says(self, delta.about))
        if delta.kind in CATEGORY_AT:
            place = CATEGORY_AT[delta.kind]
            names = sorted((each.about[place] for each in deltas), key=self.new.place)
            what = self.new.listed(map(self.new.category, names))
            filled["what"] = self.new.theirs(what) if _of_visitors(delta) else what
        now, before = (self._facts(speaking, delta, value) for speaking, value in self._sides(delta))
        template = self.new.words["deltas"][delta.kind][form]
        said = template.format(now=now, before=before, **filled)
        return capital(said[:-1] if said.endswith("..") else said)

    def direction(self, delta: Delta) -> str:
        """Say where a difference goes."""
        return self.new.say("directions", delta.direction)

    def _sides(self, delta: Delta) -> tuple[tuple[Voice, Value], tuple[Voice, Value]]:
        return (self.new, delta.new), (self.old, delta.old)

    def _facts(self, speaking: Voice, delta: Delta, value: Value) -> str:
        if delta.kind is Kind.WORDS:
            return speaking.category(delta.about[0])
        says = FACTS.get(delta.kind, _plain)
        if delta.kind is Kind.DUTY and value:
            return _duty_words(self, speaking, delta, value)
        return speaking.listed(sorted(says(speaking, fact) for fact in value)) or self.new.words["deltas"]["none"]

    def purpose(self, name: str) -> str:
        """Say a purpose that one of the versions knows."""
        for policy, speaking in zip(self.policies, (self.new, self.old), strict=True):
            for purpose in policy.purposes:
                if purpose.name == name:
                    return speaking.purpose(purpose)
        return name


def _of_visitors(delta: Delta) -> bool:
    """Return whether a difference is about visits, in which nobody is known."""
    return delta.kind is Kind.USE and Occasion(delta.about[1]).whose is Whose.NOBODY


def _but_category(delta: Delta) -> tuple[object, ...]:
    """Return what makes differences alike."""
    place = CATEGORY_AT.get(delta.kind)
    rest = delta.about if place is None else (*delta.about[:place], *delta.about[place + 1 :])
    return (delta.kind, rest, delta.direction, delta.old, delta.new)


def _plain(_speaking: Voice, fact: tuple[object, ...]) -> str:
    return str(fact[0])


def _use(speaking: Voice, fact: tuple[object, ...]) -> str:
    precision, window = fact
    if not isinstance(window, Window):
        raise TypeError(fact)
    return f"{speaking.say('exactly', str(precision))}, {speaking.window(window)}"


def _right(speaking: Voice, fact: tuple[object, ...]) -> str:
    days, condition = fact
    soon = speaking.days(days) if isinstance(days, int) else speaking.words["deltas"]["at_once"]
    return soon + (speaking.say("conditions", str(condition)) if condition else "")


def _storage(speaking: Voice, fact: tuple[object, ...]) -> str:
    kind, days = fact
    lasting = speaking.days(days) if isinstance(days, int) else speaking.say("windows", "until_sign_out")
    return f"{speaking.say('storage', str(kind))}, {lasting}"


def _coarse(speaking: Voice, fact: tuple[object, ...]) -> str:
    precision, days = fact
    return f"{speaking.say('exactly', str(precision))}, {speaking.days(int(str(days)))}"


def _sentence(speaking: Voice, fact: tuple[object, ...]) -> str:
    texts: dict[str, str] = dict(each for each in fact[1:] if isinstance(each, tuple))
    return texts.get(speaking.language, str(fact[0]))


def _duty_words(differing: Differing, speaking: Voice, delta: Delta, value: Value) -> str:
    name = delta.about[0]
    if name == "tell":
        return speaking.say("tell", delta.about[1])
    details = sorted(str(detail) for (detail,) in value if detail)
    if name == "new-purpose":
        return speaking.new_purpose(details)
    channel = speaking.say("channels", details[0]) if name == "notify" else ""
    changes = speaking.listed(speaking.say("changes", detail) for detail in details) if name == "ask-again" else ""
    contact = differing.policies[0].contact
    return speaking.say("duties", name, channel=channel, changes=changes, contact=contact)


FACTS: Mapping[Kind, Callable[[Voice, tuple[object, ...]], str]] = {
    Kind.PURPOSE: lambda speaking, fact: speaking.say("bases", Basis(str(fact[0]))),
    Kind.SENTENCE: _sentence,
    Kind.USE: _use,
    Kind.CATEGORY: lambda speaking, fact: speaking.say("marks", str(fact[0])),
    Kind.SIGHT: lambda speaking, fact: speaking.say("audiences", str(fact[0])),
    Kind.POSTING: lambda speaking, fact: speaking.say("audiences", str(fact[0])),
    Kind.STORAGE: _storage,
    Kind.RIGHT: _right,
    Kind.COARSENING: _coarse,
    Kind.CORRELATION: lambda speaking, fact: speaking.say("correlating", str(fact[0])),
}


def _category(differing: Differing, about: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    yield "what", differing.new.category(about[0], Precision.AS_IS)


def _about_use(differing: Differing, about: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    yield "what", differing.new.category(about[0])
    yield "moment", differing.new.say("occasions", about[1])
    yield "purpose", differing.purpose(about[2])


def _about_recipient(differing: Differing, about: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    yield "what", differing.new.category(about[0])
    yield "recipient", about[1]
    yield "purpose", differing.purpose(about[2])


def _about_right(differing: Differing, about: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    yield "verb", differing.new.say("verbs", about[0])
    yield "what", differing.new.category(about[1])


def _about_correlation(differing: Differing, about: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    yield "what", differing.new.category(about[0])
    yield "other", differing.new.category(about[1])


def _about_purpose(differing: Differing, about: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    yield "what", differing.purpose(about[0])


ABOUT: Mapping[Kind, Callable[[Differing, tuple[str, ...]], Iterator[tuple[str, Any]]]] = {
    Kind.HEAD: lambda differing, about: iter([("what", differing.new.say("fields", about[0]))]),
    Kind.PURPOSE: _about_purpose,
    Kind.SENTENCE: _about_purpose,
    Kind.USE: _about_use,
    Kind.CATEGORY: _category,
    Kind.SIGHT: _category,
    Kind.POSTING: _category,
    Kind.RECIPIENT: _about_recipient,
    Kind.STORAGE: lambda _differing, about: iter([("what", about[0])]),
    Kind.RIGHT: _about_right,
    Kind.COARSENING: _category,
    Kind.CORRELATION: _about_correlation,
    Kind.DUTY: lambda _differing, about: iter([("what", about[0])]),
    Kind.WORDS: _category,
    Kind.SIGNAL: _about_purpose,
}
