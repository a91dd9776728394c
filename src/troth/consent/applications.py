"""What people let applications see: asked once, remembered with its history, ended at will, and read as the purpose."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection as door
from psycopg import Error, sql
from psycopg.errors import DeadlockDetected, InsufficientPrivilege, UndefinedColumn, UndefinedTable
from psycopg.rows import class_row

from troth.consent.errors import ConsentRefusal, NoSuchApplication, NotAskedFor, NotSignedIn, OverAlready
from troth.database import connect, published
from troth.database.statements import load
from troth.people.authorizing import address_proven
from troth.people.manifests import Claim, column, parsed, within

SQL = load("troth.consent")
REFUSALS: dict[str, type[ConsentRefusal]] = {
    "TR003": NotSignedIn,
    "TR008": NoSuchApplication,
    "TR009": NotAskedFor,
    "TR085": OverAlready,
}
ADVICE = {
    "TR003": "sign in again",
    "TR008": "see the list of your applications",
    "TR009": "let the application ask for it",
    "TR085": "choose a later day",
}
#: What PostgreSQL says to a purpose that may not read something.
WITHHELD = (InsufficientPrivilege, UndefinedColumn, UndefinedTable)
EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Grant:
    """One answer of the viewer's to one application; `until` is None for the one that holds now.

    It ends by itself at `expires_at`, if ever; `removed_at` says since when the application is no longer there.
    """

    application: str
    name: str
    offered: Sequence[str]
    claims: Sequence[str]
    purposes: Sequence[str]
    at: datetime
    used_at: datetime | None
    until: datetime | None
    expires_at: datetime | None
    removed_at: datetime | None

    @property
    def permitted(self) -> tuple[Claim, ...]:
        """What the application may see."""
        return tuple(map(parsed, self.claims))


@dataclass(frozen=True, slots=True)
class Standing:
    """What an application may see of a person at this moment, and its purposes that the person is in."""

    claims: tuple[Claim, ...]
    purposes: tuple[str, ...]


def permit(*, token: str, application: str, asked: Sequence[Claim], chosen: Sequence[Claim]) -> None:
    """Let an application see what the viewer chose of what it asked. Raises a ConsentRefusal."""
    told = {
        "application": application,
        "asked": [c.written for c in asked],
        "chosen": [c.written for c in chosen],
    }
    _act("permit_application", token, told)


def renew(*, token: str, application: str, kept: Sequence[Claim], until: datetime | None) -> None:
    """Let an application see what is kept of the viewer's last answer, until a moment or until they end it.

    What is over begins anew; nothing that was issued before opens anything. Raises a ConsentRefusal.
    """
    told = {"application": application, "kept": [c.written for c in kept], "until": until}
    _act("renew_application", token, told)


def end(*, token: str, application: str) -> None:
    """End what an application may see of the viewer, agreed or not, with its tokens. Raises a ConsentRefusal."""
    _act("end_application", token, {"application": application})


def _act(statement: str, token: str, told: Mapping[str, object], *, again: int = 2) -> None:
    """Act for the viewer; again where somebody turns in a token just then, who holds it and waits for the answer."""
    try:
        with connect.acting("self", token=token) as connection:
            connection.execute(SQL[statement].encode(), told)
    except DeadlockDetected:
        if not again:
            raise
        _act(statement, token, told, again=again - 1)
    except Error as error:
        refusal = REFUSALS.get(error.sqlstate or "")
        if refusal is None:
            raise
        raise refusal(error.diag.message_primary or "", advice=ADVICE.get(error.sqlstate or "", "")) from error


def live(*, token: str, application: str) -> Grant | None:
    """Return the viewer's answer to an application that holds now."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Grant)) as cursor:
        return cursor.execute(SQL["live_grant"].encode(), {"application": application}).fetchone()


def newest(*, token: str, application: str) -> Grant | None:
    """Return the viewer's last answer to an application, over or not."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Grant)) as cursor:
        return cursor.execute(SQL["newest_grant"].encode(), {"application": application}).fetchone()


def grants(token: str) -> list[Grant]:
    """Return the answers of the viewer, agreed or not, those that hold now first."""
    with connect.looking(token) as connection, connection.cursor(row_factory=class_row(Grant)) as cursor:
        return cursor.execute(SQL["grants"].encode()).fetchall()


def standing(subject: uuid.UUID, application: str) -> Standing | None:
    """Return what an application may see of somebody now; None where it gets no token and no answer."""
    with door.cursor() as cursor:
        cursor.execute(SQL["application_standing"], {"subject": subject, "application": application})
        row = cursor.fetchone()
    return Standing(tuple(map(parsed, row[0])), tuple(row[1])) if row else None


def users(application: str, *, after: uuid.UUID, most: int) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Return answers to an application that stand, each with whose it is, in the order of the answers behind one."""
    with door.cursor() as cursor:
        cursor.execute(SQL["application_users"], {"application": application, "after": after, "most": most})
        return list(cursor.fetchall())


def used(subject: uuid.UUID, application: str, *, known_as: str) -> None:
    """Note that an application asked about somebody just now, and by which name it knows them."""
    with door.cursor() as cursor:
        cursor.execute(SQL["use_application"], {"subject": subject, "application": application, "known_as": known_as})


def told(subject: uuid.UUID, application: str, scopes: Sequence[str]) -> dict[str, object]:
    """Return the claims (OpenID Connect Core 1.0, section 5.1) that an application gets about somebody now.

    Each is read as the claim's purpose: what the policy does not let that purpose read, what the person did not permit
    the application, and all of a person who is not in the purpose, is absent.
    """
    now = standing(subject, application)
    claims = dict(_read(subject, within(now.claims, list(scopes)))) if now else {}
    if EMAIL in claims:
        claims["email_verified"] = address_proven(subject, str(claims[EMAIL]))
    return claims


def _read(subject: uuid.UUID, claims: Sequence[Claim]) -> Iterator[tuple[str, object]]:
    plan, catalog = published.current().plan, published.current().catalog
    for claim in claims:
        where = column(plan, catalog, claim.category, claim.purpose)
        if where is None:
            continue
        parts = {"table": sql.Identifier(where[0]), "column": sql.Identifier(where[1])}
        statement = sql.SQL(SQL["claimed"]).format(**parts)
        try:
            with connect.acting(claim.purpose) as connection:
                row = connection.execute(statement, {"subject": subject}).fetchone()
        except WITHHELD:  # a version came into force between the plan and the reading
            continue
        if row and row[0]:
            yield claim.name, row[0]
