"""How the meaning of a policy is said: words from `words/*.toml`, put together the way a language does."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from troth.policy.meaning import Policy, Precision, Purpose, Texts, Window, WindowKind

LANGUAGES = ("en", "es")
YEAR = 365


@dataclass(frozen=True, slots=True)
class Voice:
    """A language, and what a policy itself calls things in it."""

    language: str
    words: Mapping[str, Any]
    called: Mapping[str, str]

    def say(self, family: str, key: str, /, **filled: object) -> str:
        """Return the words for a key, braces filled. Raises KeyError for what no language file knows."""
        text: str = self.words[family][key]
        return text.format(**filled) if filled else text

    def category(self, name: str, precision: Precision = Precision.AS_IS) -> str:
        """Say a category, the way one speaks to the person it is about."""
        known = self.words["categories"]
        plain = name.replace(".", " ").replace("_", " ")
        what = self.called.get(name) or known.get(name) or known["otherwise"].format(words=plain)
        if precision is Precision.AS_IS or not precision.fits(name):
            return str(what)
        coarse = self.words["coarse"]
        exact = "" if name in self.called else coarse.get(f"{name}.{precision}", "")
        return str(exact or coarse[precision].format(what=what))

    def place(self, name: str) -> int:
        """Return where a category stands among the others: what refers to another one stands after it."""
        known = list(self.words["categories"])
        return known.index(name) if name in known else len(known)

    def theirs(self, words: str) -> str:
        """Say of a visitor what is said to the person."""
        for yours, theirs in self.words["theirs"].items():
            words = words.replace(yours, theirs)
        return words

    def thing(self, name: str) -> str:
        """Say what the first part of a category's name is about."""
        return str(self.words["things"].get(name, name.replace("_", " ")))

    def listed(self, words: Iterable[str]) -> str:
        """Join words the way a sentence does."""
        return joined(list(words), ", ", self.words["and"])

    def clauses(self, words: Iterable[str]) -> str:
        """Join what has commas of its own."""
        return joined(list(words), "; ", self.words["and_clauses"])

    def days(self, days: int) -> str:
        """Say a number of days."""
        windows = self.words["windows"]
        known = {1: windows["one_day"], YEAR: windows["year"]}
        return str(known.get(days) or windows["many_days"].format(n=days))

    def new_purpose(self, details: Sequence[str]) -> str:
        """Say that people are asked first, and whether again: `details` holds the days until then, or nothing."""
        again = self.say("sentences", "asked_again", days=self.days(int(details[0]))) if details and details[0] else ""
        return self.say("duties", "new-purpose") + (again or self.say("sentences", "asked_once"))

    def window(self, window: Window) -> str:
        """Say a window."""
        windows = self.words["windows"]
        match window.kind:
            case WindowKind.CONSENTED:
                return str(windows["consented"])
            case WindowKind.ACCOUNT if window.days:
                return str(windows["account_then"].format(days=self.days(window.days)))
            case WindowKind.ACCOUNT:
                return str(windows["account"])
            case _:
                return str(windows["days"].format(days=self.days(window.days)))

    def date(self, day: date) -> str:
        """Say a date."""
        month = self.words["months"][day.month - 1]
        return str(self.words["day"].format(day=day.day, month=month, year=day.year))

    def purpose(self, purpose: Purpose) -> str:
        """Say a purpose, as the operator wrote it in this language or else at first."""
        return purpose.said(self.language)


def voice(policy: Policy, language: str = "en") -> Voice:
    """Return the voice of a policy in a language such as `es` or `es-mx`; English where there is no other."""
    known = language.split("-", maxsplit=1)[0].lower()
    known = known if known in LANGUAGES else "en"
    return Voice(known, _words(known), {c.category: text_in(c.texts, known) for c in policy.called})


def text_in(texts: Texts, language: str) -> str:
    """Return a text in a language, or as it was written first."""
    known = dict(texts)
    return known.get(language) or known[""]


def joined(words: list[str], comma: str, last: str) -> str:
    """Join words, the last one by another joint."""
    return last.join([comma.join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


@cache
def _words(language: str) -> Mapping[str, Any]:
    text = resources.files("troth.policy").joinpath(f"words/{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
