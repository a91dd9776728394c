"""Charts as inline SVG, made on the server, each with the table behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone

from troth.intake.rollups import HOUR, Rolled, Span

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


@dataclass(frozen=True, slots=True)
class Step:
    """One hour or day: its bar, and its count; None where there were fewer than are counted out."""

    at: datetime
    count: int | None
    x: int
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Steps:
    """A bar for each hour or day of a span; `rows` is the table behind it, the newest first, without what is empty."""

    steps: tuple[Step, ...]
    hourly: bool
    total: int
    most: int
    height: int = HEIGHT
    bar: int = WIDTH

    @property
    def width(self) -> int:
        """The width of the view box."""
        return len(self.steps) * STEP

    @property
    def last(self) -> Step:
        """The last step shown."""
        return self.steps[-1]

    @property
    def rows(self) -> tuple[Step, ...]:
        """What stands in the table."""
        return tuple(step for step in reversed(self.steps) if step.count != 0)


def by_step(found: Sequence[Rolled], span: Span) -> Steps:
    """Return the chart of a span: of a day by hour, of more by day."""
    counts: dict[datetime, int | None] = {}
    for each in found:
        counts[each.at] = (counts.get(each.at) or 0) + (each.count or 0) or None
    most = max((count or 0 for count in counts.values()), default=0)
    steps = []
    for place in range((span.till - span.since) // span.step):
        at = span.since + span.step * place
        count = counts.get(at, 0)
        height = max(3, round(count / most * HEIGHT)) if count else 3 if count is None else 1
        steps.append(Step(at, count, place * STEP + (STEP - WIDTH) // 2, HEIGHT - height, height))
    return Steps(tuple(steps), span.step == HOUR, sum(step.count or 0 for step in steps), most)
