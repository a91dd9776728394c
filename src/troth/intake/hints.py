"""What a browser tells of itself when it is asked (User-Agent Client Hints): the model, the versions.

Structured fields (RFC 9651) as far as these hints use them: strings, and lists of strings with parameters. A header
that is not exactly that says nothing; no part of one is guessed at.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from troth.intake.guard import harmless

LONGEST = 1024
STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
#: A bare item behind `=`; only strings are looked at, the others only have to be well made.
PARAMETER = re.compile(
    r""";[ ]*([a-z*][a-z0-9_.*-]*)(?:=(?:"((?:[ !#-\[\]-~]|\\["\\])*)"|"""
    r"""[A-Za-z*][A-Za-z0-9_!#$%&'*+.^`|~:/-]*|-?[0-9]{1,15}(?:\.[0-9]{1,3})?|\?[01]))?"""
)
COMMA = re.compile(r"[ \t]*,[ \t]*")
ESCAPED = re.compile(r"\\(.)")
VERSION = re.compile(r"[0-9]{1,5}")
#: Brands that stand for none: what keeps servers from counting on a fixed list, and the engine beneath the others.
GREASE = re.compile(r"not.{0,3}a.{0,3}brand", re.IGNORECASE)
ENGINE = "Chromium"
SHORT = {"Google Chrome": "Chrome", "Microsoft Edge": "Edge"}
#: From this platform version on Windows calls itself 11 (Microsoft, "Detect Windows 11 using User-Agent Client Hints").
WINDOWS_11 = 13


@dataclass(frozen=True, slots=True)
class Hints:
    """The headers as they came; what was not sent is empty."""

    model: str = ""
    platform: str = ""
    platform_version: str = ""
    brands: str = ""


NONE = Hints()
HEADERS = {
    "model": "Sec-CH-UA-Model",
    "platform": "Sec-CH-UA-Platform",
    "platform_version": "Sec-CH-UA-Platform-Version",
    "brands": "Sec-CH-UA-Full-Version-List",
}


def told(header: Callable[[str], str | None]) -> Hints:
    """Return the hints of a request; `header` answers with a header's value."""
    found = {field: header(name) or "" for field, name in HEADERS.items()}
    return Hints(**found) if any(found.values()) else NONE


@lru_cache(maxsize=8192)
def text(header: str) -> str | None:
    """Return a structured field that is one string (RFC 9651, section 3.3.3); None when it is none."""
    items = list(listed(header))
    return items[0][0] if len(items) == 1 else None


def listed(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the strings of a list with their parameters that are strings; nothing of a header that is ill made."""
    if len(header) > LONGEST:
        return
    found, at, end = [], 0, len(header.rstrip(" "))
    while item := STRING.match(header, at):
        at, parameters = item.end(), {}
        while parameter := PARAMETER.match(header, at):
            at = parameter.end()
            if parameter[2] is not None:
                parameters[parameter[1]] = ESCAPED.sub(r"\1", parameter[2])
        found.append((ESCAPED.sub(r"\1", item[1]), parameters))
        if at >= end:
            yield from found
            return
        comma = COMMA.match(header, at)
        if comma is None:
            return
        at = comma.end()


@lru_cache(maxsize=8192)
def refined(hints: Hints, browser: str | None, system: str | None) -> tuple[str | None, str | None, str | None]:
    """Return browser, operating system and model: by the hints where there are any, else as the agent told them."""
    model = harmless((text(hints.model) or "").strip()[:200] or None)
    return _browser(hints.brands) or browser, _system(hints, system), model


def _browser(brands: str) -> str | None:
    known = [(name, made.get("v", "")) for name, made in listed(brands) if not GREASE.search(name)]
    named = next((each for each in known if each[0] != ENGINE), known[0] if known else None)
    major = VERSION.match(named[1]) if named else None
    if named is None or major is None or not (harmless(named[0]) or "").strip():
        return None
    return f"{SHORT.get(named[0], named[0])} {major[0]}"[:200]


def _system(hints: Hints, system: str | None) -> str | None:
    name, version = harmless(text(hints.platform)) or system, VERSION.match(text(hints.platform_version) or "")
    if not name or version is None or version[0] == "0":
        return system
    if name == "Windows":
        return "Windows 11" if int(version[0]) >= WINDOWS_11 else "Windows 10"
    return f"{name} {version[0]}"[:200]
