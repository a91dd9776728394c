"""What became of notices: of a person's own, and counted for the operator."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from troth.database import connect, published
from troth.database.statements import load
from troth.database.viewing import shown
from troth.policy.meaning import Occasion

SQL = load("troth.notices")
#: The notices of a page.
MOST = 100
NOBODY = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Notice:
    """A mail to the viewer: queued, sent, deferred (it is tried again), failed, or bounced; what it said is not kept.

    `said` is the code with which a mail server refused it; what the policy does not show is None.
    """

    notice: uuid.UUID
    template: str | None
    status: str | None
    said: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Send:
    """How far a send to many got, or all other notices; `waiting` includes `deferred`, `sent` includes `bounced`."""

    batch: uuid.UUID
    sent: int
    failed: int
    bounced: int
    withdrawn: int
    waiting: int
    deferred: int


def clause() -> str | None:
    """Return the clause that collects what became of notices; None where none does, and only what waits is known."""
    found = (each for each in published.current().policy.collections if Occasion.NOTICE is each.occasion)
    return next((each.clause.name for each in found), None)


def notices(token: str, most: int = MOST) -> list[Notice]:
    """Return the viewer's, the newest first."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Notice)) as cursor:
        found = cursor.execute(SQL["waiting"].encode(), {"most": most}).fetchall()
        if clause():
            found += cursor.execute(shown(SQL["outcomes"]), {"most": most}).fetchall()
    return sorted(found, key=lambda each: each.at, reverse=True)[:most]


def sends() -> dict[uuid.UUID, Send]:
    """Return how far each send got by its id, and all other notices by the nil UUID."""
    with connect.acting("steward") as connection:
        return {row[0]: Send(*row) for row in connection.execute(SQL["sends"].encode()).fetchall()}
