"""Who may speak for an organization's directory, and what each person sees and decides of what it holds about them."""

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from psycopg.rows import class_row

from troth.database import connect
from troth.database.statements import load
from troth.database.viewing import shown
from troth.people.cleaning import Value
from troth.people.directory import refusing

SQL = load("troth.people")
#: What a token begins with, so that whoever finds one in a text knows what it is.
PREFIX = "troth-dir-"
#: Days for which a token may hold.
LASTING = (30, 90, 180, 365)


@dataclass(frozen=True, slots=True)
class Token:
    """A directory's token, without what it is. `listed_at`: when several people were last read at once."""

    token: uuid.UUID
    name: str
    at: datetime
    until: datetime
    used_at: datetime | None
    listed_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a directory holds under an address that the viewer has proven.

    `domain_held`: the organization holds the domain of the address. `fields`: what it supplied of those declared, by
    name; a day is a text.
    """

    entry: uuid.UUID
    organization: uuid.UUID
    organization_name: str
    domain_held: bool
    user_name: str
    email: str
    display_name: str | None
    employee_number: str | None
    at: datetime
    declined: bool
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Held:
    """What the directory of an organization holds about the viewer, who has joined it."""

    organization: uuid.UUID
    entry: uuid.UUID
    user_name: str | None
    external_id: str | None
    email: str | None
    employee_number: str | None
    joined_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Act:
    """What a directory did about the viewer."""

    organization: uuid.UUID
    kind: str
    at: datetime


def open_directory(*, token: str, organization: uuid.UUID, name: str, days: int) -> str:
    """Make a token for an organization's directory and return it: only its digest is kept.

    Raises DirectoryClosed unless the viewer keeps its members, DirectoryFull.
    """
    made = PREFIX + secrets.token_urlsafe(32)
    told = {"organization": organization, "name": name, "digest": sha256(made.encode()).digest(), "days": days}
    with refusing(), connect.acting("self", token=token) as connection:
        connection.execute(SQL["open_directory"].encode(), told)
    return made


def end_directory(*, token: str, which: uuid.UUID) -> None:
    """End a directory's token. Raises DirectoryUnknown."""
    with refusing(), connect.acting("self", token=token) as connection:
        connection.execute(SQL["end_directory"].encode(), {"token": which})


def tokens(token: str, organization: uuid.UUID) -> list[Token]:
    """Return the tokens of an organization that the viewer administers, the newest first."""
    with (
        connect.acting("administrator", token=token) as connection,
        connection.cursor(row_factory=class_row(Token)) as cursor,
    ):
        return cursor.execute(SQL["directory_tokens"].encode(), {"organization": organization}).fetchall()


def offers(token: str) -> list[Offer]:
    """Return what directories hold under the viewer's addresses and the viewer has not joined, the oldest first."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Offer)) as cursor:
        return cursor.execute(SQL["my_offers"].encode()).fetchall()


def join(*, token: str, entry: uuid.UUID) -> None:
    """Join the organization whose directory made an offer. Raises DirectoryUnknown, DirectoryTaken, NobodyThere."""
    with refusing(), connect.acting("self", token=token) as connection:
        connection.execute(SQL["join_entry"].encode(), {"entry": entry})


def decline(*, token: str, entry: uuid.UUID) -> None:
    """Want no mail about an offer. Raises DirectoryUnknown."""
    with refusing(), connect.acting("self", token=token) as connection:
        connection.execute(SQL["decline_entry"].encode(), {"entry": entry})


def held(token: str) -> list[Held]:
    """Return what directories hold about the viewer."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Held)) as cursor:
        return cursor.execute(shown(SQL["my_entries"])).fetchall()


def acts(token: str, organization: uuid.UUID) -> list[Act]:
    """Return the last things that an organization's directory did about the viewer, the newest first."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Act)) as cursor:
        return cursor.execute(SQL["my_acts"].encode(), {"organization": organization}).fetchall()


def named(token: str, organization: uuid.UUID) -> dict[str, Any]:
    """Return `name`, of an organization that the viewer is in, and `listed_at`, when its directory last read many."""
    with connect.acting("member", token=token) as connection:
        row = connection.execute(SQL["organization_named"].encode(), {"organization": organization}).fetchone()
    return {"name": row[0] if row else "", "listed_at": last_listed(token, organization) if row else None}


def last_listed(token: str, organization: uuid.UUID) -> datetime | None:
    """Return when a directory of the viewer's organization last read several of its people at once."""
    with connect.acting("member", token=token) as connection:
        row = connection.execute(SQL["last_listed"].encode(), {"organization": organization}).fetchone()
    return row[0] if row else None


def due_offers() -> list[tuple[uuid.UUID, str, str]]:
    """Take whom to write to: subject, address, the organization's name. Each is taken once. Runs on the role `door`."""
    with connect.acting("door") as connection:
        return connection.execute(SQL["due_offers"].encode()).fetchall()


def end_unsupplied() -> None:
    """Let those go whom no directory supplies any more, because their organization ended."""
    with connect.acting("door") as connection:
        connection.execute(SQL["end_unsupplied"].encode())
