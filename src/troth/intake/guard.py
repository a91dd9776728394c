"""What free text says of somebody that it should not: found by the detectors, each replaced by a mark that names it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol
from urllib.parse import quote, unquote

from troth.intake import special
from troth.intake.detectors import ANYTHING, DETECTORS, Span
from troth.intake.plain import Plain, fold
from troth.intake.shapes import GAP, KNOWN

#: How often a text is looked at again: what was cut out of it may have kept the two ends of another apart.
AGAIN = 4
#: Signs up to which a text is short; how many texts are remembered that hold nothing, and of longer ones, such as the
#: stacks of crashes that come again and again.
SHORT = 200
MOST, MOST_LONG = 8192, 512
#: How long a text may become by its marks where it was shorter: what the shortest column of free text holds.
SHORTEST_COLUMN = 100
MARK = re.compile(r"\[([a-z-]{1,40})\]")


NAMES = frozenset(detector.name for detector in DETECTORS)


@dataclass(frozen=True, slots=True)
class Found:
    """A text without what was found in it, and how often each detector found something. Never what it found."""

    text: str
    counts: Mapping[str, int]


#: What is found nearly always.
NOTHING: Mapping[str, int] = MappingProxyType({})


class Noting(Protocol):
    """What an event that is looked through keeps of it."""

    found: dict[str, int]


def note(event: Noting, found: Found) -> None:
    """Add what was found to what an event counts."""
    for name, many in found.counts.items():
        event.found[name] = event.found.get(name, 0) + many


class _Holds(Exception):
    """An address holds something; `found` is what is left of it."""

    def __init__(self, found: Found) -> None:
        super().__init__()
        self.found = found


def structured(plain: Plain) -> Iterator[tuple[str, Span]]:
    """Yield detector and span of each identifier; a text that can hold none is told by one look."""
    if ANYTHING.search(plain.text):
        for detector in DETECTORS:
            yield from ((detector.name, span) for span in detector.find(plain.text))


def sensitive(text: str) -> frozenset[str]:
    """Return the special categories of which a text has a word."""
    return frozenset(name for name, _ in special.current().find(fold(text).text))


class Harmless:
    """Texts that hold nothing and were looked at lately; what holds something is never remembered."""

    def __init__(self, most: int) -> None:
        """Remember none yet, and later at most so many."""
        self.most = most // 2
        self.young, self.old = set[str](), set[str]()

    def __contains__(self, text: str) -> bool:
        """Whether a text is remembered."""
        return text in self.young or text in self.old

    def hold(self, texts: Iterable[str | None]) -> bool:
        """Whether all texts are remembered, where there is one."""
        young, old = self.young, self.old
        for text in texts:  # noqa: SIM110 - a generator would take twice as long
            if text and text not in young and text not in old:
                return False
        return True

    def add(self, texts: Iterable[str]) -> None:
        """Remember texts, and forget those that were added long ago."""
        self.young.update(texts)
        if len(self.young) > self.most:
            self.young, self.old = set(), self.young


HARMLESS, HARMLESS_LONG = Harmless(MOST), Harmless(MOST_LONG)


def look(texts: Iterable[str]) -> None:
    """Look at many texts at once, and remember those that hold nothing: it costs little more than to look at one."""
    fresh = [each for each in dict.fromkeys(texts) if len(each) <= SHORT and each.isascii() and each not in HARMLESS]
    doubted = KNOWN.told_by(fresh)
    if words := special.current().told(GAP.join(fresh)):
        doubted.update(nth for nth, each in enumerate(fresh) if any(word in each.lower() for word in words))
    HARMLESS.add(each for nth, each in enumerate(fresh) if nth not in doubted)


def cleared(text: str) -> Found:
    """Return a text with what was found replaced; no longer than it was, or than any column holds."""
    known = HARMLESS if len(text) <= SHORT else HARMLESS_LONG
    if text in known:
        return Found(text, NOTHING)
    found = _cleared(text)
    if not found.counts:
        known.add((text,))
    return found


def _cleared(text: str) -> Found:
    counts = Counter[str]()
    shorter = text
    for _ in range(AGAIN):
        found = list(_apart(fold(shorter)))
        if not found:
            break
        counts.update(name for name, _ in found)
        for name, (start, end) in reversed(found):
            shorter = f"{shorter[:start]}[{name}]{shorter[end:]}"
    else:
        return Found("-", counts)
    return Found(shorter[: max(len(text), SHORTEST_COLUMN)] if counts else text, counts)


def harmless(words: str | None) -> str | None:
    """Return words of a sender's choice in which nothing is found; nothing of others, which describe no thing."""
    return None if words and cleared(words).counts else words


def cleared_address(url: str) -> Found:
    """Return path and query of an address, stripped before; a part that holds something is replaced whole."""
    try:
        _ensure_harmless(url)
    except _Holds as holds:
        return holds.found
    return Found(url, NOTHING)


@lru_cache(maxsize=MOST)
def _ensure_harmless(url: str) -> None:
    """Raise _Holds for an address that holds something, which is not remembered: only what is harmless is."""
    path, mark, query = url.partition("?")
    counts = Counter[str]()
    parts = "/".join(_part(part, counts) for part in path.split("/"))
    fields = "&".join("=".join(_part(side, counts) for side in each.split("=", 1)) for each in query.split("&"))
    if counts:
        raise _Holds(Found(f"{parts}{mark}{fields}"[: max(len(url), SHORTEST_COLUMN)], counts))


def _readings(part: str) -> Iterator[str]:
    """Yield a part as it stands, and as it is read by whoever decodes it, once or again and again."""
    for _ in range(AGAIN):
        yield part
        if "+" in part:
            yield part.replace("+", " ")
        if "%" not in part or (further := unquote(part)) == part:
            return
        part = further
    yield part


def _part(part: str, counts: Counter[str]) -> str:
    found = Counter[str]()
    for each in _readings(part):
        found |= Counter(cleared(each).counts)
    counts.update(found)
    return quote("~".join(("", *sorted(found), ""))) if found else part


def _apart(plain: Plain) -> list[tuple[str, Span]]:
    """Return what was found, in order and without overlaps: the detector that stands first is believed."""
    words = special.current()
    found = (*structured(plain), *words.find(plain.text))
    if not found:
        return []
    taken, free = list[tuple[str, Span]](), bytearray(len(plain.text))
    for mark in MARK.finditer(plain.text):
        if mark[1] in words.names or mark[1] in NAMES:
            free[mark.start() : mark.end()] = b"\1" * len(mark[0])
    for name, (start, end) in found:
        if free.find(1, start, end) < 0:
            free[start:end] = b"\1" * (end - start)
            taken.append((name, (start, end)))
    return sorted(((name, plain.origin(*span)) for name, span in taken), key=lambda each: each[1])
