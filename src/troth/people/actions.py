"""What happens to people and their accounts: each a transaction of one role, each with its ledger entry."""

import hashlib
import secrets
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import Error as DoorError
from django.db import connection as door
from django.db import transaction
from django.utils import timezone
from psycopg import Error
from psycopg.types.json import Jsonb

from troth.database import connect
from troth.database.statements import load
from troth.people.cleaning import LONGEST_NAME, Value, clean_name
from troth.people.errors import NobodyThere
from troth.people.models import Account
from troth.people.profiles import tell_first
from troth.people.queries import asked_on_sign_up
from troth.people.sessionstore import kept_under

__all__ = [
    "BEGUN",
    "LONGEST_NAME",
    "UNAGREED",
    "Account",
    "clean_name",
    "close_viewer",
    "close_viewers",
    "correct_name",
    "decline",
    "digest",
    "end_sessions",
    "forget_sessions",
    "forget_stale",
    "note_factors",
    "open_viewer",
    "rehearse",
    "sign_up",
    "use_address",
]

SQL = load("troth.people")
#: How long an account without an agreement may wait before it is forgotten.
UNAGREED = timedelta(hours=24)
#: What a session holds of whoever gave a password in it: the account, and the mark of that password.
BEGUN = "begun_with"


def sign_up(account: Account, *, name: str | None, told: Mapping[str, Value] = {}) -> Account:
    """Save a new account with its subject, person and profile; agreeing comes after. Runs on the role `door`.

    None for the name where the policy does not collect one: the database would refuse it. `told` are profile fields.
    """
    account.subject = uuid.uuid4()
    person: dict[str, uuid.UUID | str] = {"subject": account.subject, "email": account.email}
    with transaction.atomic(), door.cursor() as cursor:
        cursor.execute(SQL["claim"], {"subject": account.subject})
        cursor.execute(SQL["add_subject"], {"subject": account.subject})
        if name is None:
            cursor.execute(SQL["add_person"], person)
        else:
            cursor.execute(SQL["add_named_person"], person | {"name": clean_name(name)})
        tell_first(account.subject, told)
        account.save()
        _record(cursor, "signed-up", account.subject)
    return account


def rehearse() -> None:
    """Do the work of a sign-up and take it back, for an address that is taken: a clock tells nobody which it was."""
    named = "person.name" in asked_on_sign_up()
    with transaction.atomic():
        account = Account(email=f"{uuid.uuid4().hex}@nobody.invalid", password="")
        sign_up(account, name="Nobody" if named else None)
        transaction.set_rollback(True)


def correct_name(*, token: str, name: str) -> None:
    """Correct the viewer's name, and with it that of every account linked with theirs (P21).

    Raises NameRefusal, or NobodyThere when the token opens nothing.
    """
    wanted = clean_name(name)
    with connect.acting("self", token=token) as connection:
        try:
            viewer = connection.execute(SQL["hold_name"].encode()).fetchone()
        except Error as error:
            if error.sqlstate != "TR003":
                raise
            raise NobodyThere("nobody is signed in", advice="sign in again") from error
        if viewer and connection.execute(SQL["correct_name"].encode(), {"name": wanted}).rowcount:
            told = {"action": "name-corrected", "actor": viewer[0], "subject": viewer[0], "facts": Jsonb({})}
            connection.execute(SQL["record"].encode(), told)


def use_address(account: Account, *, email: str) -> None:
    """Keep the person's address that of the account, where the policy collects it. Runs on the role `door`."""
    with transaction.atomic(), door.cursor() as cursor:
        cursor.execute(SQL["correct_email"], {"subject": account.subject, "email": email})
        _record(cursor, "address-changed", account.subject)


def note_factors(account: Account) -> None:
    """Record that a passkey, an app or recovery codes of an account came, went or changed."""
    with transaction.atomic(), door.cursor() as cursor:
        _record(cursor, "second-factor-changed", account.subject)


def decline(account: Account) -> None:
    """Forget somebody who will not agree: nothing of them is left. Raises when they have agreed before."""
    with transaction.atomic(), door.cursor() as cursor:
        subject = account.subject
        account.delete()
        cursor.execute(SQL["forget_unagreed"], {"subject": subject})


def forget_stale(*, now: datetime | None = None) -> int:
    """Forget accounts that have waited for an agreement for a day; return how many."""
    before, forgotten = (now or timezone.now()) - UNAGREED, 0
    waiting = Account.objects.filter(date_joined__lt=before, last_login=None)
    agreed = 0
    while batch := waiting.order_by("id")[agreed : agreed + 500]:
        done = sum(_forget(account) for account in batch)
        agreed += len(batch) - done
        forgotten += done
    return forgotten


def _forget(account: Account) -> bool:
    try:
        decline(account)
    except DoorError:  # an agreement exists: they verified nothing yet, and may still
        return False
    return True


def end_sessions(account: Account, *, but: str | None = None) -> int:
    """End every session of an account, also on the way in, but that of a key; return how many there were."""
    if but is None:
        with door.cursor() as cursor:
            told: dict[str, Any] = {"subject": account.subject, "session": None, "others": True}
            cursor.execute(SQL["close_sessions"], told)
    # A session does not say whose it is except inside its signed data; they are few beside what else closing does.
    whose = str(account.pk)
    live = Session.objects.filter(expire_date__gt=timezone.now())
    ended = [each.session_key for each in live.iterator() if _whose(each.get_decoded()) == whose]
    return int(Session.objects.filter(session_key__in=ended).exclude(session_key=kept_under(but or "")).delete()[0])


def _whose(session: Mapping[str, Any]) -> str:
    """Return who is signed in in a session or, where nobody is, who gave a password and waits at a later step."""
    begun, _ = session.get(BEGUN) or ("", "")
    return str(session.get(SESSION_KEY) or begun)


def forget_sessions() -> int:
    """Remove sessions that have run out and return how many."""
    return int(Session.objects.filter(expire_date__lt=timezone.now()).delete()[0])


def open_viewer(account: Account, *, until: datetime, level: int = 1) -> str:
    """Mint a viewer's token; only its digest is stored. The account must have agreed.

    `level` is the session's authentication assurance level (NIST SP 800-63B): 2 when a second factor was shown in it.
    """
    token = secrets.token_urlsafe(32)
    with door.cursor() as cursor:
        told: dict[str, Any] = {"subject": account.subject, "digest": digest(token), "until": until, "level": level}
        cursor.execute(SQL["open_token"], told)
    return token


def close_viewer(token: str) -> None:
    """End one viewer's token."""
    with door.cursor() as cursor:
        cursor.execute(SQL["close_token"], {"digest": digest(token)})


def close_viewers(account: Account) -> None:
    """End every viewer's token of an account's subject."""
    with door.cursor() as cursor:
        cursor.execute(SQL["close_tokens"], {"subject": account.subject})


def digest(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


def _record(cursor: Any, action: str, subject: uuid.UUID) -> None:  # noqa: ANN401 - Django's cursor wrapper
    cursor.execute(SQL["record"], {"action": action, "actor": subject, "subject": subject, "facts": Jsonb({})})
