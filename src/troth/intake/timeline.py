"""What was collected of a person, item by item, as that person; which purposes still use each, and until when."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import errors
from psycopg.rows import class_row

from troth.database import connect, published
from troth.database.published import Published
from troth.database.statements import load
from troth.database.viewing import shown
from troth.intake.event import now
from troth.intake.sent import SKEW
from troth.intake.steps import coarse_time
from troth.policy.meaning import Precision, Whose, Window, WindowKind

SQL = load("troth.intake")
PAGE = 30
LATEST = uuid.UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class Use:
    """A purpose that still uses an item: until a moment, or as long as its window says."""

    purpose: str
    window: Window
    until: datetime | None


@dataclass(slots=True)
class Item:
    """Something that was collected: when, by which application or none, what it says, and by which clause.

    `deleted_by` is the clause by which its person may delete it; empty where none does. `received` is when it came in,
    by the server's clock, where an application says that it happened at another time.
    """

    at: datetime
    id: uuid.UUID
    application: str
    words: str | None
    more: str | None
    metadata: dict[str, Any] | None = None
    table: str = ""
    clause: str = ""
    deleted_by: str = ""
    received: datetime | None = None
    uses: Sequence[Use] = field(default_factory=tuple)

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
    plan = policy.plan
    collected: dict[str, str] = {}
    exactly: dict[str, Precision] = {}
    for each in plan.collected:
        if each.occasion.whose is whose:
            collected.setdefault(each.table, each.clause)
            if each.column == "at":
                exactly[each.table] = each.precision
    windows = {(rows.table, rows.purpose): rows.window for rows in plan.rows}
    for nth, item in enumerate(found, start=1):
        stamp = stamps.get(nth, 0)
        item.received = _received(item, exactly.get(item.table, Precision.DAY)) if item.application else None
        item.clause, item.deleted_by = collected.get(item.table, ""), plan.removable(item.table)
        using = (unit.purpose for unit in plan.units if _uses(stamp, unit.purpose, policy))
        told = (_use(item, purpose, windows.get((item.table, purpose))) for purpose in using)
        item.uses = [use for use in told if use and (use.until is None or use.until > now())]


def _received(item: Item, precision: Precision) -> datetime | None:
    """Return when an item came in, which its name says (RFC 9562, section 5.7), as finely as its own time is known.

    Nothing where clocks may differ by as much.
    """
    if item.id.version != 7:  # noqa: PLR2004 - the version that begins with a time
        return None
    coarse = (Precision.DAY, Precision.HOUR)
    known = next((p for p in coarse if p is precision or item.at == coarse_time(item.at, p)), Precision.AS_IS)
    came = coarse_time(datetime.fromtimestamp((item.id.int >> 80) / 1000, UTC), known)
    return came if abs(came - coarse_time(item.at, known)) > SKEW else None


def _uses(stamp: int, purpose: str, policy: Published) -> bool:
    bit = policy.bits.get(purpose)
    return bit is not None and bool(stamp >> bit & 1) and not (stamp < 0 and purpose in policy.plan.signalled)


def _use(item: Item, purpose: str, window: Window | None) -> Use | None:
    if window is None:
        return None
    until = item.at + timedelta(days=window.days) if window.kind is WindowKind.DAYS else None
    return Use(purpose, window, until)
