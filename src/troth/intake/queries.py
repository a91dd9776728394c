"""What was recorded of a person's accesses, read as that person; and what was refused, by reason."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row

from troth.database import connect, published
from troth.database.catalog import load as load_catalog
from troth.database.statements import load
from troth.database.viewing import shown
from troth.intake import special
from troth.intake.decisions import clause_of
from troth.intake.detectors import DETECTORS
from troth.intake.kinds import KINDS
from troth.policy.meaning import Occasion

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
    place: str | None
    provider: str | None
    browser: str | None
    system: str | None
    kind: str | None


@dataclass(frozen=True, slots=True)
class Count:
    """How often something was refused or dropped on a day, by kind, reason and clause, as far as these are known."""

    day: date
    outcome: str
    kind: str
    reason: str
    clause: str
    count: int


@dataclass(frozen=True, slots=True)
class Node:
    """How a process that stores does: since when, when it stored last, what waits, is kept or was turned away."""

    started: datetime
    latest: datetime | None
    accesses: int
    events: int
    shelved: int
    kept: int
    shed: int
    wrong: int
    stopped: int

    @property
    def waiting(self) -> int:
        """Accesses and events that wait to be stored."""
        return self.accesses + self.events

    @property
    def away(self) -> int:
        """Those that are kept while the database is away."""
        return self.shelved + self.kept


@dataclass(frozen=True, slots=True)
class Refusal:
    """How often an event of a kind about somebody was refused on a day, why, and by which clause."""

    day: date
    kind: str
    reason: str
    clause: str
    count: int


@dataclass(frozen=True, slots=True)
class Crash:
    """A crash that an application told of, as its person sees it."""

    at: datetime
    application: str
    kind: str | None
    message: str | None
    release: str | None
    environment: str | None
    metadata: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Activity:
    """What a program did or met, as the person sees it about whom it was told."""

    at: datetime
    application: str
    event: str | None
    severity: str | None
    message: str | None
    metadata: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class FeatureUse:
    """A feature that somebody used, as they see it."""

    at: datetime
    application: str
    feature: str | None
    outcome: str | None
    metadata: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class PageView:
    """A page of an application that somebody was shown, as they see it."""

    at: datetime
    application: str
    url: str | None
    referrer: str | None
    browser: str | None
    system: str | None
    model: str | None
    method: str | None
    status: int | None
    metadata: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """Something that somebody bought, sent or changed, as they see it."""

    at: datetime
    application: str
    item: str | None
    amount: Decimal | None
    currency: str | None
    metadata: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Location:
    """Where somebody was, as they see it: degrees, and metres of accuracy and altitude."""

    at: datetime
    application: str
    latitude: Decimal | None
    longitude: Decimal | None
    accuracy: float | None
    altitude: float | None
    source: str | None
    metadata: dict[str, Any] | None


def accesses(
    token: str, *, before: datetime | None = None, day: date | None = None, path: str = "", limit: int = PAGE
) -> list[Seen]:
    """Return the viewer's accesses, the newest first."""
    told = {"before": before, "day": day, "path": path, "limit": limit}
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Seen)) as cursor:
        return cursor.execute(shown(SQL["accesses"]), told).fetchall()


def many_accesses(token: str) -> int:
    """Return how many accesses the viewer sees."""
    with connect.acting("self", token=token) as connection:
        row = connection.execute(shown(SQL["many_accesses"])).fetchone()
    return int(row[0]) if row else 0


def by_day(token: str) -> list[tuple[date, int]]:
    """Return how many accesses of the viewer there were on each of the last thirty days that had any."""
    with connect.acting("self", token=token) as connection:
        return [(day, many) for day, many in connection.execute(shown(SQL["by_day"])).fetchall()]


def counts() -> list[Count]:
    """Return what was refused or dropped, the newest day first."""
    return _counts("counts")


def reports() -> list[Count]:
    """Return how often browsers reported what, the newest day first; `reason` are the words of the closed list."""
    return _counts("reports")


def refused(*, by_clause: bool) -> list[Count]:
    """Return what was refused in the last month by each clause, or by none, the most frequent first.

    `day` is the first of it.
    """
    return _counts("refused", by_clause=by_clause)


def lost() -> list[Count]:
    """Return what was dropped in the last month, by reason."""
    return _counts("lost")


def nodes() -> list[Node]:
    """Return how each process does that said something in the last minute, the oldest first."""
    with connect.acting("door") as connection, connection.cursor(row_factory=class_row(Node)) as cursor:
        return cursor.execute(SQL["nodes"].encode()).fetchall()


def _counts(name: str, **told: bool) -> list[Count]:
    with connect.acting("door") as connection, connection.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(SQL[name].encode(), told).fetchall()


def found(file: str = "") -> dict[str, dict[str, int]]:
    """Return how often each detector found something in the last month, by kind of event; one that found nothing too.

    `file` names the operator's own words. Raises NotWords.
    """
    names = (*(detector.name for detector in DETECTORS), *sorted(special.words(file).names))
    by: dict[str, dict[str, int]] = {name: {} for name in names}
    with connect.acting("door") as connection:
        for name, kind, many in connection.execute(SQL["found"].encode()).fetchall():
            by.setdefault(name, {})[kind] = many
    return by


def refusals(token: str) -> list[Refusal]:
    """Return what was refused about the viewer in the last month, the newest day first."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Refusal)) as cursor:
        return cursor.execute(SQL["refusals"].encode()).fetchall()


def crashes(token: str, *, limit: int = PAGE) -> list[Crash]:
    """Return the viewer's crashes, the newest first."""
    return _newest(token, "crashes", Crash, limit)


def activities(token: str, *, limit: int = PAGE) -> list[Activity]:
    """Return what programs did or met while the viewer used them, the newest first."""
    return _newest(token, "activities", Activity, limit)


def feature_uses(token: str, *, limit: int = PAGE) -> list[FeatureUse]:
    """Return the features that the viewer used, the newest first."""
    return _newest(token, "feature_uses", FeatureUse, limit)


def page_views(token: str, *, limit: int = PAGE) -> list[PageView]:
    """Return the pages of applications that the viewer was shown, the newest first."""
    return _newest(token, "page_views", PageView, limit)


def transactions(token: str, *, limit: int = PAGE) -> list[Transaction]:
    """Return what the viewer bought, sent or changed, the newest first."""
    return _newest(token, "transactions", Transaction, limit)


def locations(token: str, *, limit: int = PAGE) -> list[Location]:
    """Return where the viewer was, the newest first."""
    return _newest(token, "locations", Location, limit)


def _newest[Kind](token: str, statement: str, kind: type[Kind], limit: int) -> list[Kind]:
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(shown(SQL[statement]), {"limit": limit}).fetchall()


def clauses() -> dict[str, str]:
    """Return the clause that collects each kind of event that applications send; empty where none does."""
    plan = published.current().plan
    return {name: clause_of(plan, kind) for name, kind in KINDS.items()}


def users() -> dict[str, tuple[str, ...]]:
    """Return the purposes that may use each kind of event about people who permit it, in the order of the policy."""
    plan = published.current().plan
    kinds = {name: (kind.occasion, kind.table) for name, kind in KINDS.items()}
    kinds[Occasion.ACCESS] = Occasion.ACCESS, "access"
    found = {}
    for name, (occasion, table) in kinds.items():
        held = {column.category for column in load_catalog().table(table).columns}
        using = (u for u in plan.units if any(a.occasion is occasion and a.category in held for a in u.atoms))
        found[str(name)] = tuple(unit.purpose for unit in using)
    return found
