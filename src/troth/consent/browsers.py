"""Applications that a browser lets know it, which is known without an account: a code for a yes, a token for a code.

Each application has a token of its own, made of random bits: two of them that compare theirs learn nothing.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from troth.consent.acting import act
from troth.consent.errors import ConsentRefusal, NoSuchApplication, NoSuchIdentifier
from troth.consent.identifiers import digest
from troth.database import connect
from troth.database.statements import load

SQL = load("troth.consent")
REFUSALS: Mapping[str, type[ConsentRefusal]] = {"TR008": NoSuchApplication, "TR080": NoSuchIdentifier}


@dataclass(frozen=True, slots=True)
class Knows:
    """An application that knows the browser, and since when it may."""

    application: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """A token by which an application calls a browser, and until when it is known at the latest."""

    token: str
    until: datetime


def let(token: str, *, application: str, address: str, challenge: str) -> str:
    """Let an application know the browser whose holder looks; return a code that it may turn in once, within a minute.

    `address` is where the code is sent, `challenge` the S256 digest of what its page keeps (RFC 7636). Raises
    NoSuchIdentifier, NoSuchApplication.
    """
    code = secrets.token_urlsafe(32)
    told: dict[str, Any] = {"application": application, "address": address, "challenge": challenge}
    act("self", token, "let_application_know", told | {"code": digest(code)}, REFUSALS)
    return code


def take(*, application: str, code: str, address: str, verifier: str) -> Taken | None:
    """Turn a code in for a token; None where it stands for nothing, as when it is brought a second time."""
    fresh = secrets.token_urlsafe(32)
    told: dict[str, Any] = {"application": application, "address": address, "verifier": verifier}
    told |= {"code": digest(code), "digest": digest(fresh)}
    with connect.acting("door") as connection:
        row = connection.execute(SQL["take_browser_code"].encode(), told).fetchone()
    return Taken(fresh, row[0]) if row and row[0] else None


def knowing(token: str) -> list[Knows]:
    """Return the applications that know the browser whose holder looks, the newest first."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Knows)) as cursor:
        return cursor.execute(SQL["knowing_browser"].encode()).fetchall()


def end(token: str, application: str) -> None:
    """End what an application knows of it. Raises NoSuchIdentifier, NoSuchApplication."""
    act("self", token, "end_application_browser", {"application": application}, REFUSALS)
