"""What organizations hold of their members, as whoever looks is shown it: oneself, who administers, another member."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from troth.database import connect, published
from troth.database.statements import load
from troth.database.viewing import shown
from troth.people import looking, organizations
from troth.people.cleaning import Value
from troth.people.fields import ORGANIZATION, Field
from troth.people.looking import ADMINISTRATOR
from troth.people.organizations import Member
from troth.people.profiles import fields
from troth.policy.audiences import MIRROR
from troth.policy.meaning import Occasion
from troth.policy.viewing import granted_to

SQL = load("troth.people")
#: What a request tells beside what is wanted, in the order of its statements.
TOLD = 9


@dataclass(frozen=True, slots=True)
class Held:
    """A field with what is in it, and since when that is so; `writable`: whether administrators may write it."""

    field: Field
    value: Value
    since: datetime | None = None
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A member as another sees them: name and role, what the organization holds, what they tell in their profile.

    `member` is None for who is none.
    """

    member: Member | None
    held: list[Held]
    told: list[Held]


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody asked to be corrected and what became of it; with a `wanted` of None the field is to be emptied."""

    subject: uuid.UUID
    correction: uuid.UUID
    organization: uuid.UUID
    field: str
    reason: str | None
    outcome: str | None
    answer: str | None
    answered_at: datetime | None
    at: datetime
    wanted: Value

    @property
    def state(self) -> str:
        """One of asked, corrected, declined, withdrawn."""
        return self.outcome or "asked"


def correctable() -> bool:
    """Return whether the policy in force lets anybody ask for a correction."""
    return "reason" in published.current().plan.kept_on(Occasion.PROFILE, "correction")


def of_me(token: str) -> dict[uuid.UUID, list[Held]]:
    """Return, by organization, what each holds of the viewer, as far as the policy shows it to them."""
    seen = _shown("self", "membership", fields(ORGANIZATION))
    if not seen:
        return {}
    with connect.acting("self", token=token) as connection:
        rows = _rows(connection, "self", "held_of_me", seen)
    return {row[0]: _held(seen, row[2:], row[1]) for row in rows}


def seen(token: str, organization: uuid.UUID, subject: uuid.UUID, *, role: str = ADMINISTRATOR) -> Seen:
    """Return what a role sees of a member: those who administer, for whom it is one look, or others in it."""
    with looking.looking(role, token, organization, looking.MEMBER, subject) as connection:
        return _seen(connection, role, organization, subject)


def mirrored(token: str, organization: uuid.UUID, subject: uuid.UUID) -> Seen:
    """Return exactly the same of the viewer, who is `subject`, read with an administrator's rights."""
    with connect.acting(MIRROR, token=token) as connection:
        return _seen(connection, MIRROR, organization, subject)


def corrections_of_me(token: str) -> list[Correction]:
    """Return what the viewer asked to be corrected, the newest first."""
    with connect.acting("self", token=token) as connection:
        return _corrections(connection, "self", "corrections_of_me")


def corrections(token: str, organization: uuid.UUID) -> list[tuple[Correction, str | None]]:
    """Return what members ask of an organization, the open ones first, each with who asks. It is one look."""
    with looking.looking(ADMINISTRATOR, token, organization, looking.CORRECTIONS) as connection:
        found = _corrections(connection, ADMINISTRATOR, "corrections_asked", organization=organization)
        told = {"organization": organization, "subjects": [each.subject for each in found]}
        names = dict(connection.execute(shown(SQL["names_of"], ADMINISTRATOR), told).fetchall())
    return [(each, names.get(each.subject)) for each in found]


def _seen(connection: Connection[Any], role: str, organization: uuid.UUID, subject: uuid.UUID) -> Seen:
    whose = {"organization": organization, "subject": subject}
    of_theirs, of_ours = _shown(role, "profile", fields()), _shown(role, "membership", fields(ORGANIZATION))
    told = _rows(connection, role, "told_by", of_theirs, **whose) if of_theirs else []
    held = _rows(connection, role, "held_of", of_ours, **whose) if of_ours else []
    return Seen(
        member=organizations.member_by(connection, organization, subject, role=role),
        held=_held(of_ours, held[0][1:], held[0][0] or {}) if held else [],
        told=_held(of_theirs, told[0] if told else (None,) * len(of_theirs), {}),
    )


def _shown(role: str, table: str, known: list[Field]) -> list[Field]:
    """Return the fields whose columns of a table the policy shows a role."""
    now = published.current()
    granted = granted_to(role, now.plan, now.catalog.table(table))
    return [field for field in known if field.name in granted]


def _held(known: list[Field], values: tuple[Any, ...], since: Mapping[str, str]) -> list[Held]:
    writable = {held.column for held in published.current().plan.held if not held.wanted}
    return [
        Held(
            field,
            value,
            datetime.fromisoformat(since[field.name]) if field.name in since else None,
            writable=field.holder == ORGANIZATION and field.name in writable,
        )
        for field, value in zip(known, values, strict=True)
    ]


def _corrections(connection: Connection[Any], role: str, statement: str, **told: uuid.UUID) -> list[Correction]:
    known = _shown(role, "correction", fields(ORGANIZATION))
    rows = _rows(connection, role, statement, known, **told) if known else []
    return [Correction(*(*row[:TOLD], _wanted(known, row))) for row in rows]


def _wanted(known: list[Field], row: tuple[Any, ...]) -> Value:
    _subject, _correction, _organization, about, *_ = row
    return next((value for field, value in zip(known, row[TOLD:], strict=True) if field.name == about), None)


def _rows(
    connection: Connection[Any], role: str, statement: str, known: list[Field], **told: uuid.UUID
) -> list[tuple[Any, ...]]:
    columns = sql.SQL(", ").join(sql.Identifier(field.name) for field in known)
    asked = sql.SQL(shown(SQL[statement], role).decode()).format(columns=columns)
    return connection.execute(asked, told).fetchall()
