"""Linking the accounts of one person (P6), with both sides' proof: a code made in one, entered in the other.

What a link shares is the name (P21), and nothing else: neither account reads, agrees, exports or closes for the other.
"""

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from django.db import DatabaseError, transaction
from django.db import connection as door
from psycopg.rows import class_row

from troth.database import connect
from troth.database.statements import load
from troth.people.actions import digest
from troth.people.errors import LinkRefusal, NobodyThere, PeopleRefusal

SQL = load("troth.people")
#: What a code is written in: no sign that is taken for another.
SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
#: Groups of four: 80 random bits, for ten minutes.
GROUPS = 4
ADVICE = {
    "TR003": "sign in again",
    "TR070": "what the policy does not let the service do, nobody can do here",
    "TR071": "make a new code in your other account, and enter it within ten minutes",
    "TR072": "nothing is left to do",
    "TR073": "see the list of your linked accounts",
}


@dataclass(frozen=True, slots=True)
class Linked:
    """Another account of the viewer's person: `tie` is what it is called by here, `address` hides most of its own."""

    tie: uuid.UUID
    address: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Offered:
    """The account that a code was made in."""

    address: str
    name: str | None


def offer(*, token: str) -> str:
    """Make a code in the viewer's account and return it; only its digest is stored. Raises a PeopleRefusal."""
    code = "-".join("".join(secrets.choice(SIGNS) for _ in range(4)) for _ in range(GROUPS))
    with _refusing(), connect.acting("self", token=token) as connection:
        connection.execute(SQL["offer_link"].encode(), {"digest": digest(code)})
    return code


def offered(*, token: str, code: str) -> Offered:
    """Return which account a code was made in. Raises LinkRefusal when it opens nothing to the viewer."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Offered)) as cursor:
        found = cursor.execute(SQL["offered_link"].encode(), {"digest": digest(typed(code))}).fetchone()
    if found is None:
        raise LinkRefusal("this code links nothing", advice=ADVICE["TR071"])
    return found


def link(*, token: str, code: str, theirs: bool) -> None:
    """Link the viewer's account with the one that a code was made in; both have one name then: `theirs`, or not.

    Runs on the role `door`, since the entry concerns both. Raises a PeopleRefusal.
    """
    _act("link_accounts", token, {"digest": digest(typed(code)), "theirs": theirs})


def unlink(*, token: str, tie: uuid.UUID) -> None:
    """End a link from the viewer's side. Raises a PeopleRefusal."""
    _act("unlink_account", token, {"tie": tie})


def linked(token: str) -> list[Linked]:
    """Return the accounts linked with the viewer's."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Linked)) as cursor:
        return cursor.execute(SQL["linked_accounts"].encode()).fetchall()


def typed(code: str) -> str:
    """Return a code as it was made, however somebody typed it."""
    signs = "".join(sign for sign in code.upper() if sign.isalnum())
    return "-".join(signs[start : start + 4] for start in range(0, len(signs), 4))


def _act(statement: str, token: str, told: dict[str, Any]) -> None:
    with _refusing(), transaction.atomic(), door.cursor() as cursor:
        cursor.execute(SQL["be_viewer"], {"token": token})
        cursor.execute(SQL[statement], told)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (DatabaseError, psycopg.Error) as error:
        cause = error.__cause__ if isinstance(error, DatabaseError) else error
        code = getattr(cause, "sqlstate", None) or ""
        if code not in ADVICE:
            raise
        refusal: type[PeopleRefusal] = NobodyThere if code == "TR003" else LinkRefusal
        sentence = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
        raise refusal(sentence or "", advice=ADVICE[code]) from error
