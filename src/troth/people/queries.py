"""What is held about a person, read as that person: the database proves who is looking."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from troth.database import connect, published
from troth.database.statements import load
from troth.database.viewing import shown
from troth.policy.meaning import Occasion

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
    model: str | None
    name: str | None
    used_at: datetime | None
    at: datetime
    this: bool


@dataclass(frozen=True, slots=True)
class EarlierName:
    """A name that was replaced, and when."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Remembered:
    """A browser that is remembered: since when, when it last came back, until when at most."""

    at: datetime
    turned_at: datetime
    until: datetime


def asked_on_sign_up() -> frozenset[str]:
    """Return the categories that the policy in force collects on sign-up: nothing else is asked for, or taken."""
    collections = published.current().policy.collections
    return frozenset(c for each in collections if each.occasion is Occasion.SIGN_UP for c in each.categories)


def profile(token: str) -> Profile | None:
    """Return the viewer's profile, or None when the token opens nothing."""
    with connect.acting("self", token=token) as connection, connection.cursor(row_factory=class_row(Profile)) as cursor:
        return cursor.execute(shown(SQL["profile"])).fetchone()


def devices(token: str) -> list[Device]:
    """Return the devices of the viewer, agreed or not, the newest first."""
    with connect.looking(token) as connection, connection.cursor(row_factory=class_row(Device)) as cursor:
        return cursor.execute(shown(SQL["devices"])).fetchall()


def earlier_names(token: str) -> list[EarlierName]:
    """Return the viewer's earlier names, the last first: none where the policy keeps none, or shows none."""
    with (
        connect.acting("self", token=token) as connection,
        connection.cursor(row_factory=class_row(EarlierName)) as cursor,
    ):
        return [each for each in cursor.execute(shown(SQL["earlier_names"])).fetchall() if each.name]


def remembered(token: str) -> list[Remembered]:
    """Return the viewer's remembered browsers, the last used first."""
    with (
        connect.acting("self", token=token) as connection,
        connection.cursor(row_factory=class_row(Remembered)) as cursor,
    ):
        return cursor.execute(SQL["remembered_browsers"].encode()).fetchall()
