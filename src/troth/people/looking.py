"""Looks of those who administer an organization at its people: each written down first, and told to those people.

A look is two transactions, as one of support is. The first writes it down and is committed; what it returns opens rows
to the very next transaction of the same session and to no other, so that nothing is seen that is not recorded.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from troth.database import connect
from troth.database.statements import load

SQL = load("troth.people")
ADMINISTRATOR = "administrator"
#: Kinds of looks: at the list of members, at those whose name begins so, at one of them, at who asks to be let in, and
#: at what members ask to be corrected.
LIST, SEARCH, MEMBER, REQUESTS, CORRECTIONS = "list", "search", "member", "requests", "corrections"
LATER = datetime(9999, 1, 1, tzinfo=UTC)
#: Looks on one page.
PAGE = 50


@dataclass(frozen=True, slots=True)
class OrganizationLook:
    """Somebody who administers an organization looked at the viewer; `alone`: at nobody else."""

    look: uuid.UUID
    organization: uuid.UUID
    organization_name: str | None
    who: str | None
    kind: str
    alone: bool
    at: datetime


@contextmanager
def looking(
    role: str, token: str, organization: uuid.UUID, kind: str, whom: uuid.UUID | None = None
) -> Iterator[Connection[Any]]:
    """Yield a connection that reads the people of an organization as a role, in one transaction.

    For who administers it the look is recorded before, at all of them or at `whom` alone; it opens nothing else, and
    nothing at all to whoever has no business there.
    """
    with connect.acting(role, token=token) as connection:
        if role == ADMINISTRATOR:
            told = {"organization": organization, "whom": whom, "kind": kind}
            row = connection.execute(SQL["look_at_members"].encode(), told).fetchone()
            connection.commit()  # from here on it is recorded, and this session's next transaction may see
            connection.execute(SQL["carry_look"].encode(), {"token": token, "look": row[0] if row else None})
        yield connection


def at_me(token: str, *, before: datetime | None = None, limit: int = PAGE) -> list[OrganizationLook]:
    """Return who looked at the viewer in an organization's name, the newest first."""
    told = {"before": before or LATER, "most": limit}
    with (
        connect.acting("self", token=token) as connection,
        connection.cursor(row_factory=class_row(OrganizationLook)) as cursor,
    ):
        return cursor.execute(SQL["looks_at_me"].encode(), told).fetchall()


def last_at_me(token: str) -> dict[uuid.UUID, datetime]:
    """Return when each organization's administrators last looked at the viewer."""
    with connect.acting("self", token=token) as connection:
        return dict(connection.execute(SQL["last_looks_at_me"].encode()).fetchall())
