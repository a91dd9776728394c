"""What people let other people see: offered behind a link, answered, narrowed, renewed, ended, and read as `chosen`."""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from psycopg import DataError, Error, sql
from psycopg.errors import CheckViolation, IntegrityError
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from troth.consent.errors import (
    ConsentRefusal,
    EnoughForToday,
    NoSuchPermission,
    NotAsProposed,
    NotForChosenPeople,
    NotPermissible,
    NotSignedIn,
    NotTheirOrganization,
    NotTheOperator,
    OutdatedAgreement,
    WiderThanBefore,
)
from troth.database import connect, published
from troth.database.statements import load
from troth.policy.planned import Grantable

SQL = load("troth.consent")
CHOSEN = "chosen"
#: Records that a person is shown to choose among, the newest first.
MOST = 100
REFUSALS: dict[str, tuple[type[ConsentRefusal], str]] = {
    "TR002": (OutdatedAgreement, "open the page again"),
    "TR003": (NotSignedIn, "sign in again"),
    "TR070": (NotForChosenPeople, "choose among what the policy shows to chosen people"),
    "TR071": (EnoughForToday, "offer more tomorrow"),
    "TR072": (NoSuchPermission, "see your permissions"),
    "TR073": (WiderThanBefore, "offer it anew"),
    "TR074": (NotTheOperator, "ask an owner of the service"),
    "TR075": (NotPermissible, "choose what the policy permits with a person's yes"),
    "TR077": (NotTheirOrganization, "propose to a member of an organization that you administer"),
    "TR078": (EnoughForToday, "ask again tomorrow"),
    "TR076": (NotAsProposed, "read it as it stands now on your permissions"),
}


@dataclass(frozen=True, slots=True)
class PersonGrant:
    """What one person lets another see, as one of the two sees it; `mine`: the viewer gave it.

    `other` is what the other side is called while it lives, None where the policy shows no names.
    """

    subject: uuid.UUID
    given: uuid.UUID
    receiver: uuid.UUID | None
    address: str | None
    categories: Sequence[str]
    records: Sequence[str] | None
    reason: str
    agreed: uuid.UUID | None
    version: int
    at: datetime
    accepted_at: datetime | None
    since: datetime
    until: datetime
    used_at: datetime | None
    over_at: datetime | None
    over_by: str | None
    other: str | None
    mine: bool
    live: bool
    waiting: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """What waits behind a link for an answer; `giver` is None where the policy shows no names to chosen people."""

    subject: uuid.UUID
    given: uuid.UUID
    giver: str | None
    categories: Sequence[str]
    records: Sequence[str] | None
    reason: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the viewer's own, which they may let others see alone: key, time, and what it says by category."""

    record: str
    at: datetime | None
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ground:
    """Why a viewer may see something: the role as which it is read (`self`, `chosen`), the clause, and the grant."""

    via: str
    clause: str
    given: uuid.UUID | None
    until: datetime | None


def grantable() -> tuple[Grantable, ...]:
    """Return what the policy in force lets people show to chosen others."""
    return published.current().plan.grantable


def apart() -> dict[str, tuple[Grantable, ...]]:
    """Return what people may show of single records, by the table whose rows are told apart."""
    known = [each for each in grantable() if each.record]
    tables = {each.table for each in known}
    found: dict[str, list[Grantable]] = {}
    for each in known:  # what is told apart by another table's records is of those records
        found.setdefault(each.record if each.record in tables else each.table, []).append(each)
    return {table: tuple(each) for table, each in found.items()}


def own_records(
    token: str, table: str, *, only: Sequence[str] | None = None, most: int = MOST, behind: int = 0
) -> list[Record]:
    """Return the viewer's own records of a table of `apart()`, the newest first, or those among them that `only` names.

    A record says what the policy shows of it to its person; the first `behind` are left out.
    """
    shown = [each for each in apart()[table] if each.table == table]
    own = {each.column for each in published.current().plan.own if each.table == table}
    held = published.current().catalog.table(table)
    told = dict.fromkeys(c for each in shown for c in (*each.columns, *each.apart) if not held.column(c).large)
    columns = [c for c in told if c in own]
    record = shown[0].record
    if record not in own:
        return []
    statement = sql.SQL(SQL["own_records"]).format(
        record=sql.Identifier(record),
        columns=sql.SQL(", ").join(map(sql.Identifier, dict.fromkeys((*columns, record)))),
        table=sql.Identifier("troth", table),
        order=sql.Identifier("at" if "at" in columns else record),
    )
    told = {"only": None if only is None else list(only), "most": most, "behind": behind}
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement, told).fetchall()
    said = {e.category: e.columns[0] for e in shown if e.columns[0] in columns and e.columns[0] != "at"}
    return [
        Record(row["record"], row.get("at"), {c: row[name] for c, name in said.items() if row[name] is not None})
        for row in rows
    ]


def new_link() -> str:
    """Return the secret part of a new link."""
    return secrets.token_urlsafe(32)


def offer(  # noqa: PLR0913 - an offer says all of it
    *,
    token: str,
    categories: Sequence[str],
    reason: str,
    since: datetime,
    until: datetime,
    link: str,
    address: str = "",
    mail: Mapping[str, str] | None = None,
    records: Sequence[str] | None = None,
) -> uuid.UUID:
    """Offer to let somebody see categories of the viewer's, or of them only `records`. Raises a ConsentRefusal.

    Who it is for opens `link`; with an address it is for who has proven that, and `mail` (subject, text) leaves to it.
    """
    told: dict[str, object] = {
        "categories": list(categories),
        "records": None if records is None else list(records),
        "reason": reason,
    }
    told |= {"since": since, "until": until, "link": _digest(link), "address": address or None}
    return uuid.UUID(str(act("offer_grant", token, told | {"mail": Jsonb(dict(mail or {}) | {"html": ""})})))


def offered(token: str, link: str) -> Offer | None:
    """Return what waits behind a link for this viewer; None for anybody whom it is not for."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Offer)) as cursor:
        return cursor.execute(SQL["offered"].encode(), {"link": _digest(link)}).fetchone()


def answer(*, token: str, link: str, accepts: bool) -> None:
    """Accept or decline what waits behind a link. Raises a ConsentRefusal."""
    act("answer_grant", token, {"link": _digest(link), "accepts": accepts})


def end(*, token: str, given: uuid.UUID) -> None:
    """End what the viewer, agreed or not, granted or was granted; the next statement sees nothing.

    Raises a ConsentRefusal.
    """
    act("end_grant", token, {"given": given})


def change(
    *, token: str, given: uuid.UUID, kept: Sequence[str], until: datetime, records: Sequence[str] | None = None
) -> uuid.UUID:
    """Narrow what the viewer granted, or give it another end; return the one that now stands. Raises ConsentRefusal.

    `records` are those that stay of the ones granted; without them all do.
    """
    told = {"given": given, "kept": list(kept), "until": until}
    told |= {"records": None if records is None else list(records)}
    return uuid.UUID(str(act("change_grant", token, told)))


def grants(token: str) -> list[PersonGrant]:
    """Return what the viewer, agreed or not, granted and was granted, what is over last."""
    with connect.looking(token) as connection, connection.cursor(row_factory=class_row(PersonGrant)) as c:
        return c.execute(SQL["person_grants"].encode()).fetchall()


def may_see(token: str, whose: uuid.UUID, category: str) -> list[Ground]:
    """Return why the viewer may see a category of somebody now; empty: they may not. Asking leaves a trace."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Ground)) as cursor:
        return cursor.execute(SQL["may_see"].encode(), {"whose": whose, "category": category}).fetchall()


def seen(token: str, whose: uuid.UUID, category: str) -> list[dict[str, Any]]:
    """Return what the viewer is let see of a category of somebody's: a row for each record, a key for each column.

    It is read as the role `chosen`: what no live grant names is not there, whatever is asked.
    """
    rows: list[dict[str, Any]] = []
    for each in grantable():
        if each.category == category:
            held = published.current().catalog.table(each.table)
            told = dict.fromkeys(("subject", *each.apart, *each.columns))
            listed = map(sql.Identifier, (c for c in told if not held.column(c).large))
            function = sql.Identifier("troth", each.name)
            statement = sql.SQL(SQL["shown_to_chosen"]).format(columns=sql.SQL(", ").join(listed), function=function)
            with connect.acting(CHOSEN, token=token) as connection, connection.cursor(row_factory=dict_row) as cursor:
                rows += cursor.execute(statement, {"whose": whose}).fetchall()
    return rows


def act(statement: str, token: str, told: Mapping[str, object]) -> object:
    """Do one thing as the viewer, in one transaction, and return what it answers. Raises a ConsentRefusal."""
    try:
        with connect.acting("self", token=token) as connection:
            row = connection.execute(SQL[statement].encode(), told).fetchone()
            return row[0] if row else None
    except CheckViolation as error:
        raise NotForChosenPeople(
            "this is no window, or says nothing", advice="give a reason, something to show, and an end within a year"
        ) from error
    except (DataError, IntegrityError) as error:  # signs that no text of the database can hold
        raise NoSuchPermission("this cannot be kept", advice="use the forms of your page") from error
    except Error as error:
        refusal, advice = REFUSALS.get(error.sqlstate or "", (None, ""))
        if refusal is None:
            raise
        raise refusal(error.diag.message_primary or "", advice=advice) from error


def _digest(link: str) -> bytes:
    return sha256(link.encode("utf-8", "replace")).digest()
