"""What rollups say, read through the function that counts out whole fives of at least five people, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from psycopg.rows import class_row

from troth.database import connect, published
from troth.database.statements import load
from troth.intake.decisions import Decisions
from troth.intake.event import now
from troth.intake.steps import coarse_time
from troth.policy.meaning import Occasion, Precision

SQL = load("troth.intake")
#: Fewer people than this are not counted out, and numbers are whole multiples of it.
FEWEST = 5
#: Days for which counts stay, as `forget_rollups` has it.
KEPT = 400
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rolled:
    """How often something happened, of a word or in a step of time; None where too few people had to do with it."""

    at: datetime
    application: str
    value: str | None
    count: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """The time from one moment to before another, in UTC, and how many days that is; one day goes by hours."""

    since: datetime
    till: datetime
    days: int

    @property
    def step(self) -> timedelta:
        """How long a step of it is."""
        return HOUR if self.days == 1 else DAY


def last(days: int) -> Span:
    """Return the last 24 hours, or so many days with today."""
    step = HOUR if days == 1 else DAY
    till = coarse_time(now(), Precision.HOUR if days == 1 else Precision.DAY) + step
    return Span(till - (24 if days == 1 else days) * step, till, days)


def until(day: date, days: int) -> Span:
    """Return so many whole days, of which one is the last."""
    till = datetime.combine(day, time(), UTC) + DAY
    return Span(till - days * DAY, till, days)


def by_word(kinds: Sequence[str], dimension: str, span: Span) -> list[Rolled]:
    """Return counts by word, the most frequent first, and one without a word for the rest."""
    return _rolled(kinds, dimension, span, "")


def by_step(kinds: Sequence[str], span: Span) -> list[Rolled]:
    """Return counts by hour of a span of one day, and by day of others."""
    return _rolled(kinds, "", span, "hour" if span.step == HOUR else "day")


def _rolled(kinds: Sequence[str], dimension: str, span: Span, step: str) -> list[Rolled]:
    told = {"kinds": list(kinds), "dimension": dimension, "since": span.since, "till": span.till, "step": step}
    with connect.acting("door") as connection, connection.cursor(row_factory=class_row(Rolled)) as cursor:
        return cursor.execute(SQL["rolled"].encode(), told).fetchall()


def counted_for() -> dict[tuple[Occasion, str, str], str]:
    """Return the purpose for which each column of events is counted, by occasion, table and column."""
    current = published.current()
    return {key: each.purpose for key, each in Decisions.of(current.plan, current.bits).counting.items()}
