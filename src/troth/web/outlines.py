"""The map of countries, from outlines that come with the package (`tools/outlines.py` makes them), and their names."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from troth.web.figures import Row

#: The view box of the outlines, and into how many shades counts are told apart.
WIDTH, HEIGHT, SHADES = 720, 310, 4


@dataclass(frozen=True, slots=True)
class Country:
    """A country with its count; `shade` is one to SHADES, and `outline` empty for one that is too small for the map."""

    code: str
    name: str
    outline: str
    count: int
    width: int
    shade: int


@dataclass(frozen=True, slots=True)
class Map:
    """Countries with counts, and the land of all others as one path."""

    countries: Sequence[Country]
    land: str
    width: int = WIDTH
    height: int = HEIGHT


@cache
def known() -> Mapping[str, Mapping[str, str]]:
    """Return, by ISO 3166-1 code, the outline of a country and its name in each language."""
    told: Mapping[str, Mapping[str, str]] = json.loads(
        resources.files("troth.web").joinpath("outlines.json").read_text(encoding="utf-8")
    )
    return told


def drawn(rows: Sequence[Row], language: str) -> Map:
    """Return the map of these counts by country."""
    countries = [_country(row, language) for row in rows if row.word in known()]
    shaded = {country.code for country in countries}
    return Map(countries, "".join(each["outline"] for code, each in known().items() if code not in shaded))


def _country(row: Row, language: str) -> Country:
    told = known()[row.word]
    shade = 1 + min(SHADES - 1, row.width * SHADES // 101)
    return Country(row.word, told.get(language, told["en"]), told["outline"], row.count, row.width, shade)
