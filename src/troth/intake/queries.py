"""What was recorded of a person's accesses, read as that person; and what was refused, by reason."""

from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from troth.database import connect
from troth.database.statements import load
from troth.database.viewing import shown

SQL = load("troth.intake")
PAGE = 50


@dataclass(frozen=True, slots=True)
class Seen:
    """One access, as its person sees it."""

    at: datetime
    method: str | None
    url: str | None
    status: int | None
    referrer: str | None
    host: str | None
    text: str | None
    browser: str | None
    system: str | None
    kind: str | None


@dataclass(frozen=True, slots=True)
class Count:
    """How often something was refused or dropped on a day, by reason."""

    day: date
    outcome: str
    reason: str
    count: int


def accesses(
    token: str, *, before: datetime | None = None, day: date | None = None, path: str = "", limit: int = PAGE
) -> list[Seen]:
    """Return the viewer's accesses, the newest first."""
    told = {"before": before, "day": day, "path": path, "limit": limit}
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Seen)) as cursor:
        return cursor.execute(shown(SQL["accesses"]), told).fetchall()


def by_day(token: str) -> list[tuple[date, int]]:
    """Return how many accesses of the viewer there were on each of the last thirty days that had any."""
    with connect.acting("self", token=token) as connection:
        return [(day, many) for day, many in connection.execute(shown(SQL["by_day"])).fetchall()]


def counts() -> list[Count]:
    """Return what was refused or dropped, the newest day first."""
    with connect.acting("door") as connection, connection.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(SQL["counts"].encode()).fetchall()
