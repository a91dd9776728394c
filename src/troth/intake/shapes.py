"""Shapes that few texts have: told of many at once by the kinds of their signs, then by a pattern of those few."""

import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from troth.intake.detectors import ANYTHING

#: What stands between texts that are looked at together: more signs that are of no word than any look spans.
GAP = "\n\n\n\n"


@dataclass(frozen=True, slots=True)
class Shape:
    """`pattern` is what is looked for in texts of ASCII; none that is not `near` has it, which is told a lot faster.

    `apart` is a sign at which whatever `near` looks for ends; whatever the pattern looks for ends at a GAP.
    """

    pattern: re.Pattern[str]
    near: Callable[[str], bool]
    apart: str

    def told_by(self, texts: Sequence[str]) -> set[int]:
        """Return which of the texts have something of the shape, which may begin with a sign before a text."""
        if not self.near(self.apart.join(texts)) or not self.pattern.search(GAP + GAP.join(texts)):
            return set()
        return {nth for nth, each in enumerate(texts) if self.near(each) and self.pattern.search(GAP + each)}


def _kinds(told: Mapping[str, str], other: str) -> Mapping[int, str]:
    """Return what each sign of ASCII is written as, by its kind."""
    kinds = {ord(sign): kind for signs, kind in told.items() for sign in signs}
    return {code: kinds.get(code, other) for code in range(128)}


LETTERS, DIGITS = string.ascii_letters, string.digits
#: Letters, some of which mean something behind digits, digits, signs that are of no word; those of secrets, and
#: what begins a quotation; those of numbers.
WORDS = _kinds({LETTERS: "a", "ABCDabcd": "d", DIGITS: "0", "_": "_"}, ".")
SECRETS = _kinds({LETTERS + DIGITS + "+/_=-": "w", "@\"'": "@"}, ".")
NUMBERS = _kinds({DIGITS + " .()-": "n"}, ".")


def _may_be_anything(text: str) -> bool:
    if "@" in text or "%40" in text or "&#64;" in text:
        return True
    kinds = text.translate(WORDS)
    words, together = f".{kinds.replace('d', 'a')}", kinds.replace(".", "")
    return (
        "0000000" in together
        or "000000d" in together
        or "000000a" in words
        or "aaaaaa0" in words
        or ".aa00" in words
        or "_aa00" in words
    )


def _may_be_secret(text: str) -> bool:
    kinds = text.translate(SECRETS)
    return "@" in kinds or "w" * 24 in kinds


#: Whatever the detectors know.
KNOWN = Shape(re.compile(ANYTHING.pattern, re.ASCII), _may_be_anything, "_")
#: What may be somebody's in the words of a program: long secrets, addresses and quotations by what stands before them,
#: and long numbers.
TELLING = (
    Shape(re.compile(r"[^A-Za-z0-9+/_=-](?:(?<=[@\"'])|[A-Za-z0-9+/_=-]{24})", re.ASCII), _may_be_secret, " "),
    Shape(re.compile(r"\d[\d .()-]{5,}\d", re.ASCII), lambda text: "n" * 7 in text.translate(NUMBERS), "x"),
)
