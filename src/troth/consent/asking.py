"""Asking whether a purpose may use what is somebody's (P39): once, plainly, and again only as the policy lets us.

The operator asks everybody, on their page; an application sends somebody to the question's own page. Both ask only who
may be asked: who was never asked, who said yes to less than the purpose is now, and, where the policy says so, who said
no long enough ago. A yes is a consent, a no is an answer that is kept, and either has its receipt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from troth.consent.acting import act
from troth.consent.errors import ConsentRefusal, NoSuchChoice, NothingToPublish, Unsecured
from troth.database import connect, published
from troth.database.statements import load

SQL = load("troth.consent")
REFUSALS: Mapping[str, type[ConsentRefusal]] = {
    "TR004": NoSuchChoice,
    "TR005": NoSuchChoice,
    "TR040": NothingToPublish,
    "TR065": Unsecured,
}
#: Below so many people a count is not told.
FEWEST = 5


@dataclass(frozen=True, slots=True)
class Question:
    """What the operator asks or asked everybody; `yes` and `no` count people, None for fewer than `FEWEST`."""

    question: UUID
    purpose: str
    at: datetime
    closed_at: datetime | None
    yes: int | None
    no: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A purpose that the viewer is not in: whether the operator asks, whether they may be asked, their last answer."""

    purpose: str
    open: bool
    may: bool
    kind: str | None
    at: datetime | None


def ask(*, viewer: str, purpose: str) -> None:
    """Let everybody be asked who may be. Raises NoSuchChoice for a purpose that needs no yes, NothingToPublish."""
    _act(viewer, "open_question", {"purpose": purpose})


def close(*, viewer: str, purpose: str) -> None:
    """Ask nobody any more. Raises NothingToPublish."""
    _act(viewer, "close_question", {"purpose": purpose})


def questions(viewer: str) -> Sequence[Question]:
    """Return what was asked, the newest first. Raises NothingToPublish."""
    return [Question(*row) for row in _act(viewer, "questions", {})]


def asked(token: str) -> Sequence[Asked]:
    """Return each purpose by consent that the viewer is not in, by name."""
    told = {"days": published.current().policy.asked_again}
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Asked)) as cursor:
        return cursor.execute(SQL["asking"].encode(), told).fetchall()


def _act(viewer: str, statement: str, told: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return act("staff", viewer, statement, told, REFUSALS)
