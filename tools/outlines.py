"""Make `src/troth/web/outlines.json`: outlines of countries for a small map, and what countries are called.

Run by hand when a source changes: `python tools/outlines.py countries-110m.json OUT`, with Babel installed.
The outlines are Natural Earth's, 1:110m, which are in the public domain, as `world-atlas` 2.0.2 (ISC) packs them; the
names are of Unicode's CLDR (Unicode License v3), as Babel has them. The projection is Equal Earth (Šavrič, Patterson,
Jenny 2018).
"""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel import Locale  # type: ignore[import-not-found]
from babel.core import get_global  # type: ignore[import-not-found]

WIDTH = 720
LANGUAGES = ("en", "es")
A1, A2, A3, A4 = 1.340264, -0.081106, 0.000893, 0.003796
WIDEST, HIGHEST = 2.706630, 1.32
#: A hole or island that is smaller on the map than so many units is left out.
SMALLEST = 1.5

type Point = tuple[int, int]


def project(longitude: float, latitude: float) -> Point:
    """Return where a place is on the map, in whole units of the view box."""
    bent = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(latitude)))
    sixth = bent**6
    x = math.radians(longitude) * math.cos(bent) * 2 / math.sqrt(3)
    x /= A1 + 3 * A2 * bent**2 + sixth * (7 * A3 + 9 * A4 * bent**2)
    y = bent * (A1 + A2 * bent**2 + sixth * (A3 + A4 * bent**2))
    scale = WIDTH / (2 * WIDEST)
    return round((x + WIDEST) * scale), round((HIGHEST - y) * scale)


def arcs(world: dict[str, Any]) -> list[list[Point]]:
    """Return the lines that outlines are made of, projected."""
    (across, up), (left, low) = world["transform"]["scale"], world["transform"]["translate"]
    found = []
    for arc in world["arcs"]:
        x = y = 0
        line = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            line.append(project(left + across * x, low + up * y))
        found.append(line)
    return found


def rings(country: dict[str, Any], lines: list[list[Point]]) -> Iterator[list[Point]]:
    """Yield the rings of a country that can be seen on the map."""
    parts = [country["arcs"]] if country["type"] == "Polygon" else country["arcs"]
    for ring in (ring for part in parts for ring in part):
        points: list[Point] = []
        for index in ring:
            line = lines[index] if index >= 0 else lines[~index][::-1]
            points += line
        points = [each for nth, each in enumerate(points) if nth == 0 or each != points[nth - 1]]
        points = one_side(points)
        (xs, ys) = zip(*points, strict=True)
        if len(set(points)) > 2 and max(max(xs) - min(xs), max(ys) - min(ys)) >= SMALLEST:  # noqa: PLR2004 - a ring has three
            yield points


def one_side(points: list[Point]) -> list[Point]:
    """Return a ring that crosses the edge of the map without the few points beyond it."""
    steps = (abs(x - points[nth - 1][0]) for nth, (x, _) in enumerate(points))
    if max(steps) < WIDTH / 2:
        return points
    right = sum(x > WIDTH / 2 for x, _ in points) > len(points) / 2
    return [each for each in points if (each[0] > WIDTH / 2) is right]


def path(ring: list[Point]) -> str:
    """Return a ring as the data of a path, each point as seen from the last."""
    (x, y), *rest = ring
    told = f"M{x} {y}l"
    for nx, ny in rest:
        told += f"{nx - x} {ny - y} "
        x, y = nx, ny
    return told.strip().replace(" -", "-") + "z"


def main(source: str, out: str) -> None:
    """Write the file."""
    world = json.loads(Path(source).read_text(encoding="utf-8"))
    codes = {number: named[0] for number, named in get_global("territory_aliases").items() if number.isdigit()}
    lines = arcs(world)
    outlines = {}
    for country in world["objects"]["countries"]["geometries"]:
        code = codes.get(country.get("id", "")) or ("XK" if country["properties"]["name"] == "Kosovo" else "")
        if code != "AQ":
            outlines[code] = outlines.get(code, "") + "".join(map(path, rings(country, lines)))
    names = {language: Locale(language).territories for language in LANGUAGES}
    known = sorted(code for code in names["en"] if len(code) == 2 and code.isalpha())  # noqa: PLR2004 - ISO 3166-1
    told = {
        code: {"outline": outlines.get(code, "")} | {each: names[each][code] for each in LANGUAGES} for code in known
    }
    told["ZZ"]["outline"] = outlines.get("", "")
    lines_out = ",\n".join(f"{json.dumps(code)}: {json.dumps(each, ensure_ascii=False)}" for code, each in told.items())
    Path(out).write_text(f"{{\n{lines_out}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
