"""Agreeing and choosing: what is decided here bites in the database at the next statement of every role."""

import uuid
from typing import Any

from django.db import DatabaseError, transaction
from django.db import connection as door
from psycopg import DataError, Error

from troth.consent.errors import (
    ConsentRefusal,
    NoSuchChoice,
    NoSuchPurpose,
    NotSignedIn,
    OutdatedAgreement,
    OutdatedChoice,
)
from troth.database import connect
from troth.database.statements import load

SQL = load("troth.consent")
REFUSALS: dict[str, type[ConsentRefusal]] = {
    "TR003": NotSignedIn,
    "TR004": NoSuchPurpose,
    "TR005": NoSuchChoice,
    "TR079": OutdatedChoice,
}
ADVICE = {
    "TR003": "sign in again",
    "TR004": "choose one of the purposes of the policy",
    "TR079": "see how it stands now, and choose again",
}


def agree(subject: uuid.UUID, *, version: int, policy: str, terms: str, how: str, wording: str, language: str) -> None:
    """Bind a subject to a version, named by number and both digests. Raises OutdatedAgreement when it is old."""
    told: dict[str, Any] = {"subject": subject, "version": version, "policy": policy, "terms": terms}
    told |= {"how": how, "wording": wording, "language": language}
    try:
        with transaction.atomic(), door.cursor() as cursor:
            cursor.execute(SQL["agree"], told)
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") != "TR002":
            raise
        raise OutdatedAgreement("the policy has changed meanwhile", advice="read the version now in force") from error


def decline(subject: uuid.UUID, *, version: int, policy: str, terms: str) -> None:
    """Note that somebody said no to a version, in force or before its day; what they agreed to stays as it is."""
    told: dict[str, Any] = {"subject": subject, "version": version, "policy": policy, "terms": terms}
    with transaction.atomic(), door.cursor() as cursor:
        cursor.execute(SQL["note_decline"], told)


def choose(*, token: str, purpose: str, kind: str, seen: uuid.UUID | None = None) -> None:
    """Consent, withdraw, object, or permit again, as the viewer. Raises a ConsentRefusal.

    `seen` is the last choice about the purpose that the viewer knew of, or `queries.NONE`: one that comes late or twice
    is refused, or changes nothing where it says what holds anyway. Left out, it is made on whatever stands.
    """
    try:
        with connect.acting("self", token=token) as connection:
            connection.execute(SQL["choose"].encode(), {"purpose": purpose, "kind": kind, "seen": seen})
    except DataError as error:  # signs that no text of the database can hold
        raise NoSuchChoice("there is no such choice", advice="use the switches of your page") from error
    except Error as error:
        refusal = REFUSALS.get(error.sqlstate or "")
        if refusal is None:
            raise
        raise refusal(error.diag.message_primary or "", advice=ADVICE.get(error.sqlstate or "", "")) from error
