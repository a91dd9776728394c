"""Where a person is signed in, and with which devices: as far as the policy collects it on sign-in, and not otherwise.

A session's row is what keeps it open: whoever removes it, from whatever browser, has signed that session out.
"""

import hashlib
import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from django.db import DatabaseError, transaction
from django.db import connection as door
from psycopg import sql
from psycopg.rows import class_row

from troth.database import connect, published
from troth.database.statements import load
from troth.database.viewing import shown
from troth.people.actions import Account, digest
from troth.people.errors import DeviceRefusal, NameRefusal, NobodyThere, PeopleRefusal
from troth.policy.meaning import Occasion, Precision

SQL = load("troth.people")
LOG = logging.getLogger(__name__)
LONGEST_NAME = 100
ADVICE = {
    "TR003": "sign in again",
    "TR074": "it may have ended already; see the list",
    "TR075": "it may be forgotten already; see the list",
}


@dataclass(frozen=True, slots=True)
class Session:
    """Where the viewer is signed in; what the policy does not collect or show of it is None."""

    session: uuid.UUID
    device: uuid.UUID | None
    browser: str | None
    system: str | None
    kind: str | None
    network: str | None
    used_at: datetime | None
    at: datetime
    this: bool


def kept(table: str) -> Mapping[str, Precision]:
    """Return what the policy in force lets be stored on sign-in: column -> precision; empty where it is nothing."""
    return published.current().plan.kept_on(Occasion.SIGN_IN, table)


def identifying() -> bool:
    """Whether the policy ties a device's identifier to the account, and lets a session say which device it is on."""
    return "device" in kept("device") and "device" in kept("session")


def named(subject: uuid.UUID, identifier: uuid.UUID) -> uuid.UUID:
    """Return what a browser's random identifier is stored as: for each account another, so that none are joined."""
    return uuid.UUID(bytes=hashlib.sha256(subject.bytes + identifier.bytes).digest()[:16], version=5)


def begin(account: Account, *, seen: Mapping[str, object], family: uuid.UUID | None) -> uuid.UUID | None:
    """Note a session that begins: of what was `seen` (column -> value) only what the policy collects.

    None where it collects nothing: the session is open all the same, and told apart by nobody. Runs on the role `door`.
    """
    known = {column: value for column, value in seen.items() if column in kept("session")}
    if not known:
        return None
    session = uuid.uuid4()
    columns, values = (sql.SQL(", ").join(map(made, known)) for made in (sql.Identifier, sql.Placeholder))
    statement = sql.SQL(SQL["begin_session"]).format(columns=columns, values=values)
    told = known | {"subject": account.subject, "session": session, "family": family}
    return session if _noted(statement, told) else None


def carry(subject: uuid.UUID, session: uuid.UUID, token: str) -> None:
    """Note which viewer's token a session holds, so that both end together."""
    _noted(sql.SQL(SQL["carry_viewer"]), {"subject": subject, "session": session, "digest": digest(token)})


def identify(subject: uuid.UUID, session: uuid.UUID, device: uuid.UUID) -> None:
    """Note which device a session is on."""
    if identifying():
        _noted(sql.SQL(SQL["identify_session"]), {"subject": subject, "session": session, "device": device})


def note(subject: uuid.UUID, session: uuid.UUID, *, at: Mapping[str, datetime]) -> None:
    """Note when a session, and the device that it is on, were used: for each table as exactly as the policy says."""
    told = {"subject": subject, "session": session}
    if "used_at" in kept("session"):
        _noted(sql.SQL(SQL["note_session"]), told | {"at": at["session"]})
    if "used_at" in kept("device") and "device" in kept("session"):
        _noted(sql.SQL(SQL["note_device"]), told | {"at": at["device"]})


def _noted(statement: sql.SQL | sql.Composed, told: Mapping[str, object]) -> bool:
    try:
        with transaction.atomic(), door.cursor() as cursor:
            cursor.execute(statement, told)  # type: ignore[arg-type] # Django hands it to psycopg as it is
    except DatabaseError as error:  # a version came into force meanwhile that collects it no more
        LOG.info("a session was not noted (%s)", getattr(error.__cause__, "sqlstate", ""))
        return False
    return True


def ended(subject: uuid.UUID, session: uuid.UUID) -> bool:
    """Whether a session that was noted has been signed out meanwhile."""
    with door.cursor() as cursor:
        cursor.execute(SQL["session_lives"], {"subject": subject, "session": session})
        return bool(kept("session")) and cursor.fetchone() is None


def device_of(token: str) -> uuid.UUID | None:
    """Return the device that the session of a viewer's token is on."""
    with door.cursor() as cursor:
        cursor.execute(SQL["device_of"], {"token": token})
        row = cursor.fetchone()
    return row[0] if row else None


def close(subject: uuid.UUID, session: uuid.UUID | None, *, others: bool = False) -> None:
    """Remove what is noted of a session that ends itself; with `others` of every one but it."""
    with door.cursor() as cursor:
        cursor.execute(SQL["close_sessions"], {"subject": subject, "session": session, "others": others})


def forget_old(longest: timedelta) -> int:
    """Remove the sessions that began so long ago that they are over; return how many."""
    with door.cursor() as cursor:
        cursor.execute(SQL["forget_old_sessions"], {"seconds": int(longest.total_seconds())})
        return int(cursor.fetchone()[0])


def sessions(token: str) -> list[Session]:
    """Return where the viewer, agreed or not, is signed in, the last used first."""
    with connect.looking(token) as connection, connection.cursor(row_factory=class_row(Session)) as cursor:
        return cursor.execute(shown(SQL["sessions"])).fetchall()


def end(*, token: str, session: uuid.UUID) -> None:
    """Sign one of the viewer's sessions out, as of its next statement. Raises a PeopleRefusal."""
    _act("end_session", token, {"session": session})


def end_others(*, token: str) -> None:
    """Sign every session of the viewer out but this one. Raises a PeopleRefusal."""
    _act("end_other_sessions", token, {})


def forget(*, token: str, device: uuid.UUID) -> None:
    """Forget a device of the viewer's and sign out whatever is signed in on it. Raises a PeopleRefusal."""
    _act("forget_device", token, {"device": device})


def call(*, token: str, device: uuid.UUID, name: str) -> None:
    """Name a device of the viewer's; an empty name takes the name away. Raises a PeopleRefusal."""
    words = " ".join(name.split())
    if len(words) > LONGEST_NAME:
        raise NameRefusal(f"this name has {len(words)} characters", advice=f"keep it to {LONGEST_NAME}")
    if not words.isprintable():
        raise NameRefusal("a name cannot hold control characters", advice="remove the invisible signs")
    with _refusing(), connect.acting("self", token=token) as connection:
        told = {"device": device, "name": words or None}
        if not connection.execute(SQL["call_device"].encode(), told).rowcount:
            raise DeviceRefusal("there is no such device", advice=ADVICE["TR075"])
        connection.execute(SQL["record_own"].encode(), {"action": "device-named"})


def _act(statement: str, token: str, told: Mapping[str, object]) -> None:
    with _refusing(), connect.acting("self", token=token) as connection:
        connection.execute(SQL[statement].encode(), told)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate not in ADVICE:
            raise
        refusal: type[PeopleRefusal] = NobodyThere if error.sqlstate == "TR003" else DeviceRefusal
        raise refusal(error.diag.message_primary or "", advice=ADVICE[error.sqlstate]) from error
