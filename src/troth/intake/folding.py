"""The words by which events are counted: what a column holds is folded into a bounded vocabulary, or into `other`.

None of them is free text. A page is a path without its query, in which whatever may tell one thing from another of its
sort (numbers, keys, addresses, names with capitals or dots) is one sign; and only a page that was there is one, since
an address that somebody made up is answered otherwise. Applications call pages and features what they like: a word of
theirs that fewer than five people had to do with is forgotten with its day (`forget_rollups`).
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

OTHER = "other"
#: The dimension under which everything is counted once.
EVERYTHING = ""
ANY = "*"
#: Parts of a path that may stand in a page, and how many of them.
PART, PARTS = re.compile(r"[a-z](?:[a-z_-]{0,29}|[a-z]{0,9}\d{1,2})"), 4
#: From here on a status says that there was no page.
FAILED = 400
STATUSES = {hundreds: f"{hundreds}xx" for hundreds in range(1, 6)}
#: Sources: what ua-parser calls browsers and systems.
BROWSERS = frozenset({
    "Chrome", "Chrome Mobile", "Chrome Mobile WebView", "Chrome Mobile iOS", "HeadlessChrome", "Chromium", "Firefox",
    "Firefox Mobile", "Firefox iOS", "Safari", "Mobile Safari", "Mobile Safari UI/WKWebView", "Edge", "Edge Mobile",
    "Opera", "Opera Mobile", "Brave", "Samsung Internet", "Vivaldi", "DuckDuckGo Mobile", "Yandex Browser",
    "UC Browser", "IE", "Android", "curl", "Wget", "Python Requests", "Go-http-client", "Googlebot", "bingbot",
    "Applebot", "YandexBot",
})  # fmt: skip
SYSTEMS = frozenset({
    "Windows", "Mac OS X", "macOS", "iOS", "iPadOS", "Android", "Linux", "Ubuntu", "Debian", "Fedora", "Chrome OS",
    "FreeBSD", "OpenBSD", "tvOS", "watchOS", "KaiOS", "HarmonyOS",
})  # fmt: skip
KINDS = frozenset({"computer", "phone", "tablet", "robot"})
SEVERITIES = frozenset({"trace", "debug", "info", "warn", "error", "fatal"})
#: What stands behind a name: its version.
VERSION = re.compile(r"[ 0-9.]+$")
#: A country by ISO 3166-1, perhaps with a place in it.
COUNTRY = re.compile(r"([A-Z]{2})(?:/.*)?", re.DOTALL)
#: What releases are called: numbers with dots, perhaps the name of a program before and of a stage behind.
RELEASE = re.compile(r"(?:[a-z][a-z-]{0,19}@)?v?\d{1,4}(?:\.\d{1,5}){1,3}(?:-(?:alpha|beta|rc|dev)(?:\.?\d{1,3})?)?")
FEATURE = re.compile(r"[A-Za-z][A-Za-z _./-]{0,39}")


def page(event: Any) -> str | None:  # noqa: ANN401 - an access
    """Return the page that an access was answered with; None where there was none."""
    if event.url is None or event.status is None or event.status >= FAILED:
        return None
    return folded(event.url)


def view(event: Any) -> str | None:  # noqa: ANN401 - a page of an application
    """Return the page that an application says it showed; it may call one by a name that is no path."""
    told = _told(event, "url")
    return None if told is None else folded(told if told.startswith("/") else f"/{told}")


@lru_cache(maxsize=8192)
def folded(url: str) -> str:
    """Return a path whose parts are words, any other part being one sign, and without what lies deeper."""
    parts = url.partition("?")[0].split("/")[1:]
    told = [part if not part or PART.fullmatch(part) else ANY for part in parts[:PARTS]]
    return "/" + "/".join([*told, ANY] if len(parts) > PARTS else told)


def status(event: Any) -> str | None:  # noqa: ANN401 - an access
    """Return the class of an answer: `2xx`."""
    return None if event.status is None else STATUSES.get(event.status // 100, OTHER)


def _listed(column: str, words: frozenset[str]) -> Callable[[Any], str | None]:
    @lru_cache(maxsize=1024)
    def bare(told: str) -> str:
        word = VERSION.sub("", told)
        return word if word in words else OTHER

    def fold(event: Any) -> str | None:  # noqa: ANN401 - an event with that column
        told = _told(event, column)
        return None if told is None else bare(told)

    return fold


def _shaped(column: str, shape: re.Pattern[str]) -> Callable[[Any], str | None]:
    def fold(event: Any) -> str | None:  # noqa: ANN401 - an event with that column
        told = _told(event, column)
        if told is None:
            return None
        return told if shape.fullmatch(told) else OTHER

    return fold


def country(event: Any) -> str | None:  # noqa: ANN401 - an access
    """Return the country of a place."""
    told = _told(event, "place")
    found = COUNTRY.fullmatch(told) if told else None
    return found[1] if found else OTHER if told else None


def _told(event: Any, column: str) -> str | None:  # noqa: ANN401 - an event
    """Return what an event says in a column, an access itself and what was sent in its values."""
    values = getattr(event, "values", None)
    told = getattr(event, column, None) if values is None else values.get(column)
    return told or None


type Fold = Callable[[Any], str | None]
#: By table: the dimension, the column that it is read from, and the word that is made of it.
DIMENSIONS: Mapping[str, tuple[tuple[str, str, Fold], ...]] = {
    "access": (
        ("page", "url", page),
        ("status", "status", status),
        ("browser", "browser", _listed("browser", BROWSERS)),
        ("system", "system", _listed("system", SYSTEMS)),
        ("device", "kind", _listed("kind", KINDS)),
        ("place", "place", country),
    ),
    "crash": (("release", "release", _shaped("release", RELEASE)),),
    "activity": (("severity", "severity", _listed("severity", SEVERITIES)),),
    "feature_use": (("feature", "feature", _shaped("feature", FEATURE)),),
    "page_view": (
        ("page", "url", view),
        ("browser", "browser", _listed("browser", BROWSERS)),
        ("system", "system", _listed("system", SYSTEMS)),
        ("device", "kind", _listed("kind", KINDS)),
    ),
    # What somebody bought is for whoever provides it alone, and where they were is no word: how many there were.
    "transaction": (),
    "location": (),
}
