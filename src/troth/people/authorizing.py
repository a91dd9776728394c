"""What is remembered of codes and tokens: each code is taken once, each refresh token turned in once.

All of it runs on the role `door`, in the transaction of the request that asks. Whoever brings a used code or a spent
refresh token ends the whole family of tokens that came of it (RFC 9700 sections 4.5 and 4.14.2).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import connection as door
from django.utils import timezone
from psycopg.types.json import Jsonb

from troth.database.statements import load

SQL = load("troth.people")
#: How long a spent refresh token without an end of its own is remembered.
REMEMBERED = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Application:
    """An application as it was registered; claims are written `claim:category:purpose`, events are kinds of them."""

    application: str
    name: str
    manifest: str
    purposes: tuple[str, ...]
    claims: tuple[str, ...]
    events: tuple[str, ...]
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for. `challenge` is the PKCE S256 digest (RFC 7636); `used`: somebody had it before."""

    subject: uuid.UUID
    application: str
    redirect_uri: str
    scopes: Sequence[str]
    nonce: str | None
    challenge: str
    signed_in_at: datetime | None
    family: uuid.UUID
    used: bool


def applications() -> list[Application]:
    """Return every application that is registered, by name."""
    with door.cursor() as cursor:
        cursor.execute(SQL["applications"])
        return [_application(row) for row in cursor.fetchall()]


def application(name: str) -> Application | None:
    """Return one by its id."""
    with door.cursor() as cursor:
        cursor.execute(SQL["application"], {"application": name})
        row = cursor.fetchone()
    return _application(row) if row else None


def keep_code(code: str, *, seconds: int, **told: Any) -> None:  # noqa: ANN401 - the columns' values
    """Keep a code's digest and meaning for so many seconds."""
    with door.cursor() as cursor:
        cursor.execute(SQL["keep_code"], told | {"code": _digest(code), "seconds": seconds})


def held_code(code: str, application: str) -> Code | None:
    """Return what a code of an application means; until the transaction ends nobody else is told."""
    with door.cursor() as cursor:
        cursor.execute(SQL["held_code"], {"code": _digest(code), "application": application})
        row = cursor.fetchone()
    return Code(*row) if row else None


def use_code(code: str, application: str) -> bool:
    """Take a code of an application, for which tokens are about to be made; return whether nobody had before."""
    with door.cursor() as cursor:
        cursor.execute(SQL["use_code"], {"code": _digest(code), "application": application})
        return bool(cursor.rowcount == 1)


def spend(digest: str, *, subject: uuid.UUID, application: str, family: str, until: datetime | None) -> None:
    """Note that a refresh token (by its SHA-256 in hex) was turned in."""
    told: dict[str, Any] = {"digest": digest, "subject": subject, "application": application, "family": family}
    with door.cursor() as cursor:
        cursor.execute(SQL["spend"], told | {"expires_at": until or timezone.now() + REMEMBERED})


def spent(digest: str, application: str) -> tuple[uuid.UUID, uuid.UUID] | None:
    """Return subject and family of a refresh token that was turned in before, or None."""
    with door.cursor() as cursor:
        cursor.execute(SQL["spent"], {"digest": digest, "application": application})
        row = cursor.fetchone()
    return (row[0], row[1]) if row else None


def end_family(family: uuid.UUID | str, *, application: str) -> int:
    """Remove every token that came of one sign-in; return how many there were."""
    with door.cursor() as cursor:
        cursor.execute(SQL["end_family"], {"family": str(family), "application": application})
        return int(cursor.rowcount)


def end_stolen(family: uuid.UUID, *, subject: uuid.UUID, application: str) -> None:
    """End a family of which somebody brought a part twice, and write down that it happened."""
    if end_family(family, application=application):
        told: dict[str, Any] = {"action": "token-brought-twice", "actor": None, "subject": subject}
        with door.cursor() as cursor:
            cursor.execute(SQL["record"], told | {"facts": Jsonb({"application": application})})


def address_proven(subject: uuid.UUID, email: str) -> bool:
    """Whether a person's address was proven by a code."""
    with door.cursor() as cursor:
        cursor.execute(SQL["address_proven"], {"subject": subject, "email": email})
        row = cursor.fetchone()
    return bool(row and row[0])


def forget_outlasted_tokens() -> None:
    """Remove codes and tokens that have run out."""
    with door.cursor() as cursor:
        for statement in ("forget_codes", "forget_spent", "forget_tokens"):
            cursor.execute(SQL[statement])


def _application(row: tuple[Any, ...]) -> Application:
    return Application(row[0], row[1], row[2], tuple(row[3]), tuple(row[4]), tuple(row[5]), row[6])


def _digest(code: str) -> bytes:
    return sha256(code.encode()).digest()
