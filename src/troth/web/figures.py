"""What the operator's figures are made of: rollups, crashes as the purpose that may sees them, refusals, the intake."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from django.utils import timezone
from psycopg.rows import class_row

from troth.database import connect, published
from troth.database.statements import load
from troth.intake import queries, rollups
from troth.intake.folding import RELEASE
from troth.intake.kinds import KINDS
from troth.intake.rollups import Span
from troth.policy.meaning import Occasion

SQL = load("troth.web")
#: Accesses of people, and of visitors; pages of applications.
TRAFFIC = (Occasion.ACCESS.value, Occasion.COOKIE.value, Occasion.VISIT.value)
VIEWS = ("page_view",)
#: What is said for the service itself, whose counts name no application.
SERVICE = "-"
#: Spans that are shown, in days.
SPANS = (1, 7, 30)
#: What processes say of themselves that adds up.
SUMMED = ("accesses", "events", "shelved", "kept", "shed", "wrong", "stopped")
#: Rows of a list.
MOST = 12
#: What a crash must be readable by to be grouped.
GROUPED = ("fingerprint", "application", "kind", "stack", "release", "day")
#: What a program calls what went wrong, and a line of where it was: other words may be somebody's.
KIND, FRAME = re.compile(r"[A-Za-z_][\w.:]{0,80}"), re.compile(r"[\w.<>$:~-]{1,80} \([\w.-]{1,60}\):\d{1,8}")


@dataclass(frozen=True, slots=True)
class Row:
    """A word with its count, how long its bar is, of 100, and of which application, where words of each stand apart."""

    word: str
    count: int
    width: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class List:
    """The most frequent words; whether there are others, of fewer than five people; for which purposes it counts."""

    name: str
    rows: Sequence[Row]
    others: bool
    purposes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Group:
    """A crash that came more than once, or once: what failed and where, since when, and how many people it affected.

    `people` and `times` are None where they are fewer than five.
    """

    fingerprint: str
    application: str
    kind: str | None
    stack: str | None
    release: str | None
    first: date
    last: date
    people: int | None
    times: int | None

    @property
    def what(self) -> str:
        """What went wrong, as the program calls it."""
        return self.kind if self.kind and KIND.fullmatch(self.kind) else ""

    @property
    def where(self) -> str:
        """The function, file and line that failed."""
        frame = (self.stack or "").rpartition("\n")[2]
        return frame if FRAME.fullmatch(frame) else ""

    @property
    def version(self) -> str:
        """The newest release in which it did."""
        return self.release if self.release and RELEASE.fullmatch(self.release) else ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed: the heading's name, the dimension, the kinds of events, and the columns that are counted.

    What applications alone tell stands `apart` by application.
    """

    name: str
    dimension: str
    kinds: Sequence[str]
    columns: Sequence[tuple[str, str]]
    apart: bool = False

    def concerns(self, of: str) -> bool:
        """Whether the service itself, an application, or anybody (empty) has any of it."""
        return not of or any((kind in TRAFFIC) is (of == SERVICE) for kind in self.kinds)


def of(found: Iterable[rollups.Rolled], whose: str) -> list[rollups.Rolled]:
    """Return counts of the service itself, of one application, or (empty) all of them."""
    return [each for each in found if not whose or each.application == ("" if whose == SERVICE else whose)]


def listed(listing: Listing, span: Span, whose: str = "", names: Mapping[str, str] | None = None) -> List:
    """Return the most frequent words; those that stand apart say of which application, unless it is all one's."""
    found = of(rollups.by_word(listing.kinds, listing.dimension, span), whose)
    told = rows(found, names or {} if listing.apart and not whose else None)
    return List(listing.name, told, any(each.count is None for each in found), purposes(*listing.columns))


def rows(found: Iterable[rollups.Rolled], names: Mapping[str, str] | None = None) -> list[Row]:
    """Return what is counted out, with its bars; the same word of several applications is one without their names."""
    counts: dict[tuple[str, str], int] = {}
    for each in found:
        if each.value is not None and each.count:
            key = each.value, "" if names is None else names.get(each.application, each.application)
            counts[key] = counts.get(key, 0) + each.count
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:MOST]
    most = max((many for _, many in ordered), default=1)
    return [Row(word, many, max(1, round(many / most * 100)), by) for (word, by), many in ordered]


def sent(span: Span, whose: str = "") -> List:
    """Return how many events of each kind applications told."""
    found = {kind: of(rollups.by_word((kind,), "", span), whose) for kind in KINDS}
    told = [replace(each, value=kind) for kind, counts in found.items() for each in counts if each.count]
    few = any(each.count is None for counts in found.values() for each in counts)
    return List("sent", rows(told), few, purposes(*((kind, "at") for kind in KINDS)))


def purposes(*columns: tuple[str, str]) -> list[str]:
    """Return the purposes for which columns of tables are counted, as the policy in force has it."""
    counted = rollups.counted_for()
    return sorted({purpose for (_, table, name), purpose in counted.items() if (table, name) in columns})


def crashes() -> tuple[list[Group], dict[str, list[tuple[date, int]]], str]:
    """Return groups of crashes of the last month, the days on which each came, and the purpose that reads them.

    Of days, as of people, there is a number where at least five people were affected. Empty where no purpose may read.
    """
    readings = published.current().plan.readings
    read = {(each.purpose, each.column) for each in readings if each.table == "crash"}
    able = (unit.purpose for unit in published.current().plan.units)
    purpose = next((each for each in able if all((each, column) in read for column in GROUPED)), "")
    if not purpose:
        return [], {}, ""
    since = timezone.now().date() - timedelta(days=30)
    with connect.acting(purpose) as connection:
        with connection.cursor(row_factory=class_row(Group)) as cursor:
            groups = cursor.execute(SQL["crash_groups"].encode(), {"since": since}).fetchall()
        days: dict[str, list[tuple[date, int]]] = {}
        for fingerprint, day, many in connection.execute(SQL["crash_days"].encode(), {"since": since}).fetchall():
            days.setdefault(fingerprint, []).append((day, many))
    return groups, days, purpose


@dataclass(frozen=True, slots=True)
class Refused:
    """How often something was refused in the last month, and by which clause; empty where none says so."""

    clause: str
    kind: str
    reason: str
    count: int
    width: int


def refusals() -> list[list[Refused]]:
    """Return what was refused by a clause, and what by none, each the most frequent first."""
    found = [queries.refused(by_clause=by_clause) for by_clause in (True, False)]
    most = max((each.count for part in found for each in part), default=1)
    return [
        [Refused(e.clause, e.kind, e.reason, e.count, max(1, round(e.count / most * 100))) for e in part]
        for part in found
    ]


def health() -> dict[str, Any]:
    """Return how each process that stores does, all of them together, and what was lost in the last month.

    `listed` are those for which the most waits, the oldest first; of `others` there are so many.
    """
    nodes = queries.nodes()
    summed = {name: sum(getattr(node, name) for node in nodes) for name in SUMMED}
    latest = max((node.latest for node in nodes if node.latest), default=None)
    busiest = sorted(nodes, key=lambda node: -(node.waiting + node.away))[:MOST]
    listed, others = sorted(busiest, key=nodes.index), len(nodes) - len(busiest)
    return {"nodes": nodes, "listed": listed, "others": others, "latest": latest, "lost": queries.lost()} | summed
