"""Support access (P25): staff ask, the person opens areas of their data for some hours, sees every look, and ends it.

A look is two transactions. The first writes it down and is committed; what it returns opens the rows to the very next
transaction of the same session and to no other, so that nothing is seen that is not recorded, rolled back or not.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as door
from django.utils import timezone
from psycopg import Error, sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from troth.consent.acting import act
from troth.consent.errors import ConsentRefusal, NothingToSee, NotSignedIn, TooManyQuestions, Unsecured
from troth.database import connect, published
from troth.database.statements import load
from troth.policy.audiences import STAFF, areas
from troth.policy.planned import Plan

SQL = load("troth.consent")
REFUSALS: Mapping[str, type[ConsentRefusal]] = {
    "TR003": NotSignedIn,
    "TR040": NothingToSee,
    "TR047": TooManyQuestions,
    "TR049": NothingToSee,
    "TR050": NothingToSee,
    "TR065": Unsecured,
}
#: How long a question waits for its answer, and for how many hours at most.
WAITS, LONGEST = timedelta(days=7), 72


@dataclass(frozen=True, slots=True)
class Access:
    """What was asked of a person, and what became of it. `name` is who asks, as the person is told it."""

    access: uuid.UUID
    reason: str
    ticket: str
    asked_areas: Sequence[str]
    asked_hours: int
    at: datetime
    areas: Sequence[str]
    allowed_at: datetime | None
    declined_at: datetime | None
    until: datetime | None
    ended_at: datetime | None
    name: str | None = None

    @property
    def state(self) -> str:
        """One of asked, lapsed, declined, open, ended."""
        if self.declined_at:
            return "declined"
        if self.allowed_at and self.until:
            return "ended" if self.ended_at or self.until <= timezone.now() else "open"
        return "lapsed" if self.at + WAITS < timezone.now() else "asked"

    @property
    def ended(self) -> datetime | None:
        """When an access that was allowed ended."""
        return self.ended_at or self.until


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a person's data: of which access, at which area, when, and how many rows were open to it."""

    access: uuid.UUID
    area: str
    rows: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """Rows of a table as a look shows them."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


def offered(plan: Plan | None = None) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return area -> table -> columns: what the policy shows the operator's staff with the person's permission."""
    plan = plan or published.current().plan
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for table in published.current().catalog.stamped:
        shown = {each.column for each in plan.seen if (each.role, each.table) == (STAFF, table.name)}
        if shown and len(areas(table)) == 1:
            columns = tuple(c.name for c in table.columns if c.name in shown and c.name != "subject")
            found.setdefault(areas(table)[0], {})[table.name] = columns
    return found


# What support does


def ask(
    *, viewer: str, email: str, reason: str, ticket: str, areas: Iterable[str], hours: int, mail: Mapping[str, Any]
) -> uuid.UUID:
    """Ask whoever has an address; the answer is the same whether anybody has. Raises a ConsentRefusal."""
    told = {"email": email, "reason": reason, "ticket": ticket, "areas": list(areas), "hours": hours}
    return uuid.UUID(str(_act(STAFF, viewer, "ask_access", told | {"mail": Jsonb(dict(mail))})[0][0]))


def asked(viewer: str) -> list[Access]:
    """Return what the viewer asked, the newest first. Raises NothingToSee for who is not of support."""
    return [Access(*row) for row in _act(STAFF, viewer, "accesses_asked", {})]


def leave(*, viewer: str, access: uuid.UUID) -> None:
    """Be done before the time. Raises NothingToSee."""
    _act(STAFF, viewer, "leave_access", {"access": access})


def look(*, viewer: str, access: uuid.UUID, area: str) -> list[Shown]:
    """Look at one area of a person's data, and leave the record of it. Raises NothingToSee where nothing is open."""
    tables = offered().get(area, {})
    try:
        with connect.acting(STAFF, token=viewer) as connection:
            row = connection.execute(SQL["look"].encode(), {"access": access, "area": area}).fetchone()
            connection.commit()  # from here on it is recorded, and this session's next transaction may see
            connection.execute(SQL["carry_look"].encode(), {"token": viewer, "look": row[0] if row else ""})
            return [
                Shown(name, columns, connection.execute(_rows_of(name, columns)).fetchall())
                for name, columns in tables.items()
            ]
    except Error as error:
        raise _refused(error) from error


def _rows_of(table: str, columns: tuple[str, ...]) -> sql.Composed:
    key = [name for name in published.current().catalog.table(table).key if name != "subject"] or ["subject"]
    return sql.SQL(SQL["seen_rows"]).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        table=sql.Identifier(table),
        key=sql.Identifier(key[0]),
    )


# What the person does


def allow(*, viewer: str, access: uuid.UUID, areas: Iterable[str], hours: int) -> None:
    """Open areas of what was asked, for hours up to what was asked. Raises NothingToSee, NotSignedIn."""
    _act("self", viewer, "answer_access", {"access": access, "areas": list(areas), "hours": hours})


def decline(*, viewer: str, access: uuid.UUID) -> None:
    """Open nothing; also of whoever has not agreed. Raises NothingToSee, NotSignedIn."""
    _act("self", viewer, "answer_access", {"access": access, "areas": [], "hours": 1})


def narrow(*, viewer: str, access: uuid.UUID, areas: Iterable[str], hours: int | None) -> None:
    """Leave fewer areas of what is open, or fewer hours from now on; without hours its end stays.

    It holds from the next statement on, and needs no agreement. Raises NothingToSee for more than is open, NotSignedIn.
    """
    _act("self", viewer, "narrow_access", {"access": access, "areas": list(areas), "hours": hours})


def end(*, viewer: str, access: uuid.UUID) -> None:
    """End what is open, agreed or not, from the next statement on. Raises NothingToSee, NotSignedIn."""
    _act("self", viewer, "end_access", {"access": access})


def of_me(viewer: str) -> list[Access]:
    """Return what was asked of the viewer, agreed or not, the newest first."""
    with connect.looking(viewer) as connection, connection.cursor(row_factory=class_row(Access)) as cursor:
        return cursor.execute(SQL["accesses_of_me"].encode()).fetchall()


def looks(viewer: str) -> list[Look]:
    """Return every look at the data of the viewer, agreed or not, the newest first."""
    with connect.looking(viewer) as connection, connection.cursor(row_factory=class_row(Look)) as cursor:
        return cursor.execute(SQL["looks_at_me"].encode()).fetchall()


def attention(subject: uuid.UUID) -> tuple[int, datetime | None]:
    """Return how much is asked of somebody, and until when somebody of the staff may look, if anybody may."""
    with door.cursor() as cursor:
        cursor.execute(SQL["attention"], {"subject": subject})
        asked, until = cursor.fetchone()
    return int(asked), until


def _act(role: str, viewer: str, statement: str, told: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return act(role, viewer, statement, told, REFUSALS)


def _refused(error: Error) -> Exception:
    refusal = REFUSALS.get(error.sqlstate or "")
    return refusal(error.diag.message_primary or "") if refusal else error
