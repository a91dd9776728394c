"""Words of the special categories: by lists that come along, and by the operator's own file beside them."""

import os
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).parent / "special.toml"
#: Where an operator names their own file.
VARIABLE = "TROTH_GUARD_WORDS"
NAME = re.compile(r"[a-z][a-z-]{0,39}")
WORD = re.compile(r"[^\W\d_]+")
#: Where a word begins within another one that is written in humps.
HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
#: The shortest beginning that may stand for a whole family of words.
SHORTEST = 4
LEFT = "left"
#: Letters by which most words are told that are none of these.
STEM = 4
#: The first letter of a word that begins within another one; what of ASCII is no letter, as a gap between words.
SEAM = re.compile(r"[A-Z](?<=[a-z][A-Z])")
GAPS = str.maketrans({chr(sign): " " for sign in range(128) if not chr(sign).isalpha()})

type Span = tuple[int, int]


class NotWords(ValueError):
    """A file of words that cannot be read as one: its message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Words:
    """By first word, the phrases that begin so, each with its category; and by beginning, the same."""

    whole: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]]
    begun: Mapping[str, str]
    left: frozenset[str]
    names: frozenset[str]
    stems: frozenset[str]

    def find(self, text: str) -> Iterator[tuple[str, Span]]:
        """Yield category and span of each word or phrase, whatever its case and its accents."""
        if not self.told(text):
            return
        words = [(bare(text[start:end]), start, end) for start, end in _words(text)]
        for nth, (word, start, end) in enumerate(words):
            if word in self.left:
                continue
            for phrase, category in self.whole.get(word, ()):
                if tuple(each[0] for each in words[nth : nth + len(phrase)]) == phrase:
                    yield category, (start, words[nth + len(phrase) - 1][2])
            if category := self._begun(word):
                yield category, (start, end)

    def told(self, text: str) -> frozenset[str]:
        """Return the words of a text, bare, with which something begins that is found; none: nothing is."""
        parted = bare(SEAM.sub(r" \g<0>", text))
        words = set(parted.translate(GAPS).split() if parted.isascii() else WORD.findall(parted))
        near = [word for word in words if word[:STEM] in self.stems and word not in self.left]
        return frozenset(word for word in near if word in self.whole or self._begun(word))

    def _begun(self, word: str) -> str:
        return next(
            (self.begun[word[:n]] for n in range(SHORTEST, len(word) + 1) if word[:n] in self.begun),
            "",
        )


def bare(word: str) -> str:
    """Return a word without case and accents."""
    if word.isascii():
        return word.lower()
    return "".join(s for s in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(s))


@cache
def words(file: str) -> Words:
    """Return the words that come along and those of a file of the operator's, if any. Raises NotWords, and OSError."""
    lists = _read(SHIPPED.read_text(encoding="utf-8"))
    if file:
        for name, more in _read(Path(file).read_text(encoding="utf-8")).items():
            lists[name] = [*lists.get(name, []), *more]
    left = frozenset(bare(each) for each in lists.pop(LEFT, []))
    whole: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    begun: dict[str, str] = {}
    for category, each in ((name, each) for name, told in lists.items() for each in told):
        parts = tuple(bare(part) for part in WORD.findall(each))
        if each.endswith("*"):
            begun[parts[0]] = category
        else:
            whole.setdefault(parts[0], []).append((parts, category))
    stems = frozenset(first[:STEM] for first in (*whole, *begun))
    return Words({first: tuple(told) for first, told in whole.items()}, begun, left, frozenset(lists), stems)


@cache
def current() -> Words:
    """Return those that are in force here, as this process was told when it began."""
    return words(os.environ.get(VARIABLE, ""))


def _read(text: str) -> dict[str, list[str]]:
    try:
        told: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NotWords(f"it is no TOML ({error})") from error
    for name, each in told.items():
        if not NAME.fullmatch(name):
            raise NotWords(f"`{name}` is no name of a category: small letters and hyphens")
        if not isinstance(each, list) or not all(isinstance(word, str) for word in each):
            raise NotWords(f"`{name}` is no list of words")
        for word in each:
            if why := _unfit(word):
                raise NotWords(f"`{word}` in `{name}` {why}")
    return told


def _unfit(word: str) -> str:
    parts = WORD.findall(word)
    if not parts:
        return "holds no letter"
    if word.endswith("*") and (len(parts) > 1 or len(bare(parts[0])) < SHORTEST):
        return f"must be one word of at least {SHORTEST} letters before its `*`"
    return ""


def _words(text: str) -> Iterator[Span]:
    for found in WORD.finditer(text):
        start, word = found.start(), found[0]
        if word.islower() or word.isupper() or word.istitle():
            yield found.span()
            continue
        cuts = [0, *(place.start() for place in HUMP.finditer(word)), len(word)]
        yield from ((start + a, start + b) for a, b in pairwise(cuts))
