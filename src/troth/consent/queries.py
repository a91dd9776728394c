"""What a person has agreed to and chosen, and what follows from it."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import connection as door
from psycopg.rows import class_row

from troth.database import connect, published
from troth.database.statements import load
from troth.database.viewing import shown
from troth.policy.explain import purpose_sentence, purpose_uses
from troth.policy.meaning import Basis

SQL = load("troth.consent")
#: basis -> (the choice that says yes, the choice that says no)
CHOICES = {Basis.CONSENT: ("consent", "withdrawal"), Basis.LEGITIMATE_INTEREST: ("permission", "objection")}
#: The choice that somebody saw who saw none.
NONE = uuid.UUID(int=0)
TABLES = (
    "person",
    "earlier_name",
    "device",
    "session",
    "access",
    "crash",
    "activity",
    "feature_use",
    "page_view",
    "transaction",
    "location",
    "agreement",
    "choice",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a subject has agreed to what is needed now, what their rows may be used for, the version agreed to."""

    agreed: bool
    uses: int
    version: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """One agreement, as it was given."""

    agreement: uuid.UUID
    version: int
    policy_digest: str
    terms_digest: str
    how: str
    wording: str
    language: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """One consent, refusal, withdrawal, objection or permission."""

    choice: uuid.UUID
    purpose: str
    kind: str
    version: int
    at: datetime


@dataclass(frozen=True, slots=True)
class PurposeState:
    """A purpose as one person sees it: is it on, may they switch it, what it reads about them now.

    `seen` is their last choice about it, the nil UUID for none: what their next answers to.
    """

    name: str
    sentence: str
    basis: Basis
    uses: tuple[str, ...]
    on: bool
    yes: str
    no: str
    rows: int
    clause: str
    seen: uuid.UUID

    @property
    def switchable(self) -> bool:
        """Whether the basis leaves the person a choice."""
        return bool(self.yes)


def standing(subject: uuid.UUID) -> Standing:
    """Return how a subject stands."""
    with door.cursor() as cursor:
        cursor.execute(SQL["standing"], {"subject": subject})
        return Standing(*cursor.fetchone())


def standing_of(token: str) -> tuple[uuid.UUID, Standing, uuid.UUID | None, int] | None:
    """Return of a viewer's token subject, standing, device (if a clause collects it), assurance level (1 or 2).

    None: it opens nothing.
    """
    with door.cursor() as cursor:
        cursor.execute(SQL["standing_of"], {"token": token})
        row = cursor.fetchone()
    return (row[0], Standing(*row[1:4]), row[4], row[5]) if row else None


def agreements(token: str) -> list[Agreement]:
    """Return the agreements of the viewer, also of one who has not agreed since, the newest first."""
    with connect.looking(token) as connection, connection.cursor(row_factory=class_row(Agreement)) as cursor:
        return cursor.execute(shown(SQL["agreements"])).fetchall()


def choices(token: str, most: int | None = None) -> list[Choice]:
    """Return the viewer's choices, also of one who has not agreed, the newest first: all of them, or so many."""
    with connect.looking(token) as connection, connection.cursor(row_factory=class_row(Choice)) as cursor:
        return cursor.execute(shown(SQL["choices"]), {"most": most}).fetchall()


def purposes(token: str, language: str = "en") -> list[PurposeState]:
    """Return every purpose of the policy as it stands for the viewer, agreed or not, said in a language."""
    now = published.current()
    with connect.looking(token) as connection:
        inside = dict(connection.execute(SQL["units"].encode()).fetchall())
        chosen = dict(connection.execute(SQL["last_choices"].encode()).fetchall())
        rows = {table: _count(connection.execute(shown(SQL[f"count_{table}"])).fetchone()) for table in TABLES}
    read: dict[str, set[str]] = {}
    for reading in now.plan.readings:
        read.setdefault(reading.purpose, set()).add(reading.table)
    states = []
    for purpose in now.policy.purposes:
        yes, no = CHOICES.get(purpose.basis, ("", ""))
        on = inside.get(purpose.name, False)
        many = sum(rows.get(table, 0) for table in read.get(purpose.name, ())) if on else 0
        sentence = purpose_sentence(now.policy, purpose.name, language)
        uses = purpose_uses(now.policy, purpose.name, language)
        told = (purpose.name, sentence, purpose.basis, uses, on, yes, no, many, purpose.clause.name)
        states.append(PurposeState(*told, seen=chosen.get(purpose.name, NONE)))
    return states


def _count(row: tuple[int] | None) -> int:
    return row[0] if row else 0
