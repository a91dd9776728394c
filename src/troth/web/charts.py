"""Charts as inline SVG, made on the server, each with the table behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils import timezone

DAYS = 30
STEP, WIDTH, HEIGHT = 20, 14, 96


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: where its bar stands and how high, in the units of the chart's view box."""

    day: date
    count: int
    x: int
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar for each of the last thirty days; `rows` is the table behind it, days with nothing left out."""

    bars: tuple[Bar, ...]
    rows: tuple[tuple[date, int], ...]
    total: int
    most: int
    width: int = DAYS * STEP
    height: int = HEIGHT
    bar: int = WIDTH

    @property
    def first(self) -> date:
        """The first day shown."""
        return self.bars[0].day

    @property
    def last(self) -> date:
        """The last day shown."""
        return self.bars[-1].day


def by_day(counts: Sequence[tuple[date, int]], today: date | None = None) -> Chart:
    """Return the chart of the last thirty days up to today."""
    end = today or timezone.now().date()
    found = dict(counts)
    days = [end - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    most = max((found.get(day, 0) for day in days), default=0)
    bars = []
    for place, day in enumerate(days):
        count = found.get(day, 0)
        height = max(2, round(count / most * HEIGHT)) if count else 1
        bars.append(Bar(day, count, place * STEP + (STEP - WIDTH) // 2, HEIGHT - height, height))
    rows = tuple((bar.day, bar.count) for bar in bars if bar.count)
    return Chart(tuple(bars), rows, sum(count for _, count in rows), most)
