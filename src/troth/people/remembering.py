"""Remembering a browser (P15): a random token, new at each use, of which only a digest is stored; never a password.

A token of the family that was replaced already is held by two: the family ends, and every session with it
(after OAuth's refresh rotation, RFC 9700, section 4.14.2).
"""

import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as door
from django.db import transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from troth.database.statements import load
from troth.people.actions import Account, close_viewers, digest, end_sessions

SQL = load("troth.people")
#: Seconds in which a browser's other requests may still carry the token before: they let nobody in, and end nothing.
GRACE = 10


@dataclass(frozen=True, slots=True)
class Turned:
    """What became of a token: whose it is and the one to keep now; or whose it was when two hold it.

    `token` is empty for a theft, and for a token replaced a moment ago, which has no `account` either.
    """

    account: Account | None = None
    token: str = ""
    stolen: bool = False


def remember(account: Account, *, days: int) -> tuple[str, datetime]:
    """Begin to remember a browser for some days; return its first token and when it ends."""
    secret, until = secrets.token_urlsafe(32), timezone.now() + timedelta(days=days)
    told: dict[str, Any] = {"subject": account.subject, "digest": digest(secret), "until": until}
    with transaction.atomic(), door.cursor() as cursor:
        cursor.execute(SQL["remember"], told)
        family = cursor.fetchone()[0]
        _record(cursor, "browser-remembered", account.subject, account.subject)
    return f"{family.hex}.{secret}", until


def turn(token: str) -> Turned | None:
    """Exchange a token for the next of its family. None: it opens nothing (unknown, forgotten, run out)."""
    family, secret = _parts(token)
    if family is None:
        return None
    with transaction.atomic(), door.cursor() as cursor:
        cursor.execute(SQL["remembered_family"], {"family": family, "grace": GRACE})
        row = cursor.fetchone()
        account = Account.objects.filter(subject=row[0], is_active=True).first() if row else None
        if row is None or account is None:
            return None
        shown = digest(secret)
        if hmac.compare_digest(shown, bytes(row[1])):
            following = secrets.token_urlsafe(32)
            cursor.execute(SQL["turn_family"], {"family": family, "digest": digest(following)})
            return Turned(account, f"{family.hex}.{following}")
        if row[3] and row[2] is not None and hmac.compare_digest(shown, bytes(row[2])):
            return Turned()
        return _stolen(cursor, account)


def _stolen(cursor: Any, account: Account) -> Turned:  # noqa: ANN401 - Django's cursor wrapper
    # What the thief opened with the family is not told apart from the person's own: all of it ends.
    cursor.execute(SQL["forget_families"], {"subject": account.subject})
    end_sessions(account)
    close_viewers(account)
    _record(cursor, "browser-token-replayed", None, account.subject)
    return Turned(account, stolen=True)


def forget(token: str) -> None:
    """Forget the browser that holds a token."""
    family, _ = _parts(token)
    if family is not None:
        with door.cursor() as cursor:
            cursor.execute(SQL["forget_family"], {"family": family})


def forget_all(account: Account) -> int:
    """Forget every remembered browser of an account; return how many there were."""
    with transaction.atomic(), door.cursor() as cursor:
        cursor.execute(SQL["forget_families"], {"subject": account.subject})
        number = int(cursor.rowcount)
        if number:
            _record(cursor, "browsers-forgotten", account.subject, account.subject)
    return number


def forget_outlasted() -> int:
    """Forget the browsers whose time is over; return how many."""
    with door.cursor() as cursor:
        cursor.execute(SQL["forget_outlasted"])
        return int(cursor.rowcount)


def _parts(token: str) -> tuple[uuid.UUID | None, str]:
    family, _, secret = token.partition(".")
    try:
        return uuid.UUID(hex=family), secret
    except ValueError:
        return None, ""


def _record(cursor: Any, action: str, actor: uuid.UUID | None, subject: uuid.UUID) -> None:  # noqa: ANN401 - the same
    cursor.execute(SQL["record"], {"action": action, "actor": actor, "subject": subject, "facts": Jsonb({})})
