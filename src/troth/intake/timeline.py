"""What was collected of a person, item by item, as that person; which purposes still use each, and until when."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg import errors
from psycopg.rows import class_row

from troth.database import connect, published
from troth.database.published import Published
from troth.database.statements import load
from troth.database.viewing import shown
from troth.intake import reasons
from troth.intake.decisions import narrowed
from troth.intake.kinds import KINDS
from troth.intake.reading import SKEW
from troth.intake.reasons import Clause
from troth.intake.steps import coarse_time
from troth.policy.meaning import Precision, Whose
from troth.policy.planned import Unit

SQL = load("troth.intake")
PAGE = 30
LATEST = uuid.UUID(int=(1 << 128) - 1)
#: How times are stored, the finest first.
COARSER = (Precision.AS_IS, Precision.HOUR, Precision.DAY)


@dataclass(slots=True)
class Item:
    """Something that was collected: when, by which application or none, what it says, and by which clauses.

    `fields` are the columns of which it is made, beside those that each has. `deleted_by` is the clause by which its
    person may delete it; empty where none does. `received` is when it came in, by the server's clock, where an
    application says that it happened at another time.
    """

    at: datetime
    id: uuid.UUID
    application: str
    words: str | None
    more: str | None
    fields: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] | None = None
    table: str = ""
    clauses: Sequence[Clause] = ()
    deleted_by: str = ""
    received: datetime | None = None

    @property
    def columns(self) -> set[str]:
        """The columns of which something is shown."""
        told = {"application": self.application, "metadata": self.metadata}
        return {"at", *self.fields, *(name for name, value in told.items() if value)}

    @property
    def place(self) -> str:
        """Where it stands in the timeline, to go on behind it, and to name it."""
        return f"{self.at.isoformat()}~{self.id}"


def tables() -> list[str]:
    """Return what of a timeline the policy in force shows, by table."""
    shows = {own.table for own in published.current().plan.own if own.privilege == "select"}
    return [name.removeprefix("timeline_") for name in SQL if name.startswith("timeline_") and name[9:] in shows]


def items(
    token: str, *, of: Collection[str], before: str = "", limit: int = PAGE, whose: Whose = Whose.PERSON
) -> list[Item]:
    """Return the viewer's items of some tables, the newest first, behind one that `before` names. Raises ValueError.

    `whose` says what the viewer is: a person, or the holder of an anonymous identifier.
    """
    at, last = placed(before) if before else (datetime.max.replace(tzinfo=UTC), LATEST)
    found: list[Item] = []
    with connect.acting("self", token=token) as connection:
        for table in of:
            with connection.cursor(row_factory=class_row(Item)) as cursor:
                told = {"at": at, "id": last, "limit": limit}
                each = cursor.execute(shown(SQL[f"timeline_{table}"]), told).fetchall()
            for item in each:
                item.table = table
            found += each
        found = sorted(found, key=lambda item: (item.at, item.id), reverse=True)[:limit]
        told = {
            "tables": [item.table for item in found],
            "moments": [item.at for item in found],
            "ids": [item.id for item in found],
        }
        stamps = dict(connection.execute(SQL["uses_of_own"].encode(), told).fetchall())
    _explain(found, stamps, published.current(), whose)
    return found


def last_told(token: str, *, of: Collection[str]) -> dict[str, datetime]:
    """Return when each application last told of the viewer what is still held in some tables."""
    found: dict[str, datetime] = {}
    with connect.acting("self", token=token) as connection:
        for table in tables():
            if table in of and f"last_{table}" in SQL:
                for application, at in connection.execute(SQL[f"last_{table}"].encode()).fetchall():
                    found[application] = max(at, found.get(application, at))
    return found


def placed(place: str) -> tuple[datetime, uuid.UUID]:
    """Return the moment and the name of what stands at a place. Raises ValueError."""
    at, _, name = place.partition("~")
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None:
        raise ValueError(place)
    return moment, uuid.UUID(name)


def one(token: str, table: str, place: str) -> Item | None:
    """Return one item of the viewer's, or nothing. Raises ValueError."""
    at, name = placed(place)
    after = f"{at.isoformat()}~{uuid.UUID(int=min(name.int + 1, LATEST.int))}"
    found = items(token, of=[table], before=after, limit=1) if table in tables() else []
    return next((item for item in found if item.id == name), None)


def remove(token: str, item: Item) -> bool:
    """Delete an item as its person; return whether it was there, and whether the policy lets them."""
    told = {"table": item.table, "at": item.at, "id": item.id}
    try:
        with connect.acting("self", token=token) as connection:
            row = connection.execute(SQL["remove_own"].encode(), told).fetchone()
    except errors.DatabaseError as error:
        if error.sqlstate != "TR060":
            raise
        return False
    return bool(row and row[0])


def _explain(found: Sequence[Item], stamps: Mapping[int, int], policy: Published, whose: Whose) -> None:
    rounded = any(item.at == coarse_time(item.at, Precision.HOUR) for item in found)
    versions = published.history() if rounded else ()
    for nth, item in enumerate(found, start=1):
        units = reasons.inside(stamps.get(nth, 0), policy)
        item.clauses = reasons.clauses(item.table, item.columns, item.at, units, policy=policy, whose=whose)
        item.deleted_by = policy.plan.removable(item.table)
        if item.application and item.id.version == 7:  # noqa: PLR2004 - the version that begins with a time
            came = datetime.fromtimestamp((item.id.int >> 80) / 1000, UTC)
            before = next((each.published for each in versions if each.applied_at <= came), policy)
            item.received = _received(item, came, _precision(item, units, policy, before, whose))


def _received(item: Item, came: datetime, known: Precision) -> datetime | None:
    """Return when an item came in, which its name says (RFC 9562, section 5.7), as finely as its own time is known.

    Nothing where clocks may differ by as much.
    """
    coarse = coarse_time(came, known)
    return coarse if abs(coarse - coarse_time(item.at, known)) > SKEW else None


def _precision(item: Item, units: Collection[Unit], policy: Published, before: Published, whose: Whose) -> Precision:
    """Return in which reduction an item's time was stored: that of the purposes that use it, as the policy has them.

    `before` is the version under which it came in: what that had reduced stays so.
    """
    occasion = KINDS[item.table].occasion_of(whose)
    known = policy.plan.kept_on(occasion, item.table)
    then = before.plan.kept_on(occasion, item.table) or known
    wanted = narrowed(known, units, occasion, item.table) if units else known
    every = (each.get("at", Precision.DAY) for each in (wanted, known, then))
    reduced = [each for each in every if item.at == coarse_time(item.at, each)]
    return max(reduced, key=COARSER.index, default=Precision.AS_IS)
