"""What is held about a person, read as that person: the database proves who is looking."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from troth.database import connect
from troth.database.statements import load

SQL = load("troth.people")


@dataclass(frozen=True, slots=True)
class Profile:
    """A person as they see themselves."""

    subject: uuid.UUID
    email: str | None
    name: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of device that the service was used with."""

    device: uuid.UUID
    browser: str | None
    system: str | None
    kind: str | None
    at: datetime


def profile(token: str) -> Profile | None:
    """Return the viewer's profile, or None when the token opens nothing."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Profile)) as cursor:
        return cursor.execute(SQL["profile"].encode()).fetchone()


def devices(token: str) -> list[Device]:
    """Return the viewer's devices, the newest first."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Device)) as cursor:
        return cursor.execute(SQL["devices"].encode()).fetchall()
