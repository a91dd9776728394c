"""What rollups say, read through the function that counts out whole fives of at least five people, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

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


@dataclass(frozen=True, slots=True)
class Rolled:
    """How often something happened, of a word or in a step of time; None where too few people had to do with it."""

    at: datetime
    application: str
    value: str | None
    count: int | None


def by_word(kinds: Sequence[str], dimension: str, *, days: int) -> list[Rolled]:
    """Return counts by word over the last days, the most frequent first, and one without a word for the rest."""
    return _rolled(kinds, dimension, _since(days), "")


def by_hour(kinds: Sequence[str], *, days: int) -> list[Rolled]:
    """Return counts by hour."""
    return _rolled(kinds, "", _since(days), "hour")


def by_day(kinds: Sequence[str], *, days: int) -> list[Rolled]:
    """Return counts by day."""
    return _rolled(kinds, "", _since(days), "day")


def _since(days: int) -> datetime:
    """Return the beginning of the hour so long ago: of several days, of the day."""
    return coarse_time(now() - timedelta(days=days), Precision.DAY if days > 1 else Precision.HOUR)


def _rolled(kinds: Sequence[str], dimension: str, since: datetime, step: str) -> list[Rolled]:
    told = {"kinds": list(kinds), "dimension": dimension, "since": since, "step": step}
    with connect.acting("door") as connection, connection.cursor(row_factory=class_row(Rolled)) as cursor:
        return cursor.execute(SQL["rolled"].encode(), told).fetchall()


def counted_for() -> dict[tuple[Occasion, str, str], str]:
    """Return the purpose for which each column of events is counted, by occasion, table and column."""
    current = published.current()
    return {key: each.purpose for key, each in Decisions.of(current.plan, current.bits).counting.items()}
