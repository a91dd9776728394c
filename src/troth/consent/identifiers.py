"""Browsers that are known by an anonymous identifier, after a yes and until a no; what of it people tie to accounts.

An identifier is a subject of its own, with an agreement and choices of its own. Its rows keep it, tied or not.
"""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import DatabaseError, transaction
from django.db import connection as door
from django.utils import timezone
from psycopg import Connection
from psycopg.rows import class_row

from troth.consent.acting import act
from troth.consent.errors import ConsentRefusal, NoSuchIdentifier, NotSignedIn, OutdatedAgreement
from troth.database import connect
from troth.database.keeper import Keeper
from troth.database.published import Published
from troth.database.statements import load
from troth.policy import subjects
from troth.policy.meaning import Basis, Whose

SQL = load("troth.consent")
REFUSALS: Mapping[str, type[ConsentRefusal]] = {
    "TR003": NotSignedIn,
    "TR006": NoSuchIdentifier,
    "TR080": NoSuchIdentifier,
    "TR081": NoSuchIdentifier,
}
#: What makes an identifier, in this order: its bucket comes before any row of it.
BEGINNING = ("claim_identifier", "add_identifier", "agree", "consent_of_identifier", "known_by", "open_known")


@dataclass(frozen=True, slots=True)
class Identifier:
    """What a browser's cookie stands for. `agreed` to what is needed now; `uses`: the bits of the units it is in."""

    subject: uuid.UUID
    agreed: bool
    uses: int
    since: datetime
    until: datetime
    asked: bool


@dataclass(frozen=True, slots=True)
class Tied:
    """An identifier that the viewer tied to their account."""

    identifier: uuid.UUID
    since: datetime
    until: datetime
    at: datetime


def offered(now: Published) -> tuple[str, ...]:
    """Name the purposes by consent for which the policy lets a browser be known; none where it lets no browser be."""
    if not now.plan.kept_on_identifier:
        return ()
    used = {
        unit.purpose
        for unit in now.plan.units
        if unit.basis is Basis.CONSENT and any(atom.occasion.whose is Whose.IDENTIFIER for atom in unit.atoms)
    }
    return tuple(purpose.name for purpose in now.policy.purposes if purpose.name in used)


def of(token: str) -> Identifier | None:
    """Return what a cookie stands for; None for one that is unknown, over, or tied to an account."""
    with door.cursor() as cursor:
        cursor.execute(SQL["identifier_of"], {"token": token})
        row = cursor.fetchone()
    return Identifier(*row) if row else None


def remember(*, purposes: Sequence[str], days: int, **agreement: Any) -> str:  # noqa: ANN401 - as `actions.agree` takes it
    """Let this browser be known for some days, for purposes that its user said yes to; return the cookie's value.

    `agreement` names what was agreed to: version, policy, terms, how, wording, language. Raises OutdatedAgreement.
    """
    subject, token = subjects.identifier(), secrets.token_urlsafe(32)
    until = timezone.now() + timedelta(days=days)
    told: dict[str, Any] = {
        "subject": subject,
        "until": until,
        "digest": digest(token),
        "purposes": list(purposes),
    } | agreement
    try:
        with transaction.atomic(), door.cursor() as cursor:
            for name in BEGINNING:
                cursor.execute(SQL[name], told)
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") not in ("TR002", "TR004"):
            raise
        raise OutdatedAgreement("the policy has changed meanwhile", advice="read the version now in force") from error
    return token


def agree_again(identifier: Identifier, **agreement: Any) -> None:  # noqa: ANN401 - as `actions.agree` takes it
    """Bind an identifier to the version now in force. Raises OutdatedAgreement."""
    try:
        with transaction.atomic(), door.cursor() as cursor:
            cursor.execute(SQL["agree"], {"subject": identifier.subject} | agreement)
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") != "TR002":
            raise
        raise OutdatedAgreement("the policy has changed meanwhile", advice="read the version now in force") from error


def note_asked(identifier: Identifier) -> None:
    """Remember that whoever signed in with this browser was asked whether to tie it: nobody is asked twice."""
    with door.cursor() as cursor:
        cursor.execute(SQL["note_asked"], {"subject": identifier.subject})


def tie(*, token: str, browser: str) -> None:
    """Tie what this browser left, by its cookie, to the viewer's account. Raises NoSuchIdentifier, NotSignedIn."""
    act("self", token, "tie_identifier", {"browser": browser}, REFUSALS)


def untie(*, token: str, identifier: uuid.UUID) -> None:
    """Take it back: the browser is known by it again, and to nobody as the viewer's. Raises NoSuchIdentifier."""
    act("self", token, "untie_identifier", {"identifier": identifier}, REFUSALS)


def tied(token: str) -> list[Tied]:
    """Return what the viewer tied to their account, the newest first."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Tied)) as cursor:
        return cursor.execute(SQL["tied_identifiers"].encode()).fetchall()


def look(*, token: str, identifier: uuid.UUID) -> str:
    """Return a token with which the viewer sees, for a minute, what a tied identifier left. Raises NoSuchIdentifier."""
    fresh = secrets.token_urlsafe(32)
    act("self", token, "look_at_tied", {"identifier": identifier, "digest": digest(fresh)}, REFUSALS)
    return fresh


def end(token: str) -> None:
    """End the identifier whose holder looks: as an account is closed. Raises NoSuchIdentifier."""
    act("self", token, "end_identifier", {}, REFUSALS)


def digest(token: str) -> bytes:
    """Return what is stored of a cookie's value."""
    return sha256(token.encode()).digest()


def taught(keeper: Keeper) -> Keeper:
    """Return the keeper, who ends identifiers that are past their time."""
    keeper.chores = (*keeper.chores, end_past)
    return keeper


def end_past(_connection: Connection[Any]) -> None:
    """End identifiers that are past their time or have no cookie any more, a hundred at a time."""
    many = 1
    while many:
        with connect.acting("steward") as connection:
            (many,) = connection.execute(SQL["end_identifiers"].encode()).fetchone() or (0,)
