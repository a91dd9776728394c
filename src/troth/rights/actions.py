"""What people do with everything that is held about them."""

import uuid
from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.db import DatabaseError, transaction
from django.db import connection as door
from psycopg import Error
from psycopg.types.json import Jsonb

from troth.consent.errors import NotSignedIn
from troth.database import connect
from troth.database.statements import load
from troth.people.actions import Account, end_sessions
from troth.people.organizations import Fate
from troth.rights import exporting

SQL = load("troth.rights")


class FatesChanged(Exception):
    """Something else would become of somebody's organizations than they read."""

    code = "fates-changed"


def close(
    account: Account,
    *,
    reason: str = "asked",
    fates: Iterable[Fate] | None = None,
    mail: Mapping[str, str] | None = None,
) -> None:
    """Close an account, in one transaction: what no purpose keeps goes now, the rest is marked and goes when due.

    `fates` is what the person read would become of their organizations, None where nobody read anything. Raises
    FatesChanged where it would be something else by now; in between they are held as they are. `mail` tells them; it is
    sent only where the policy keeps their address beyond the account.
    """
    subject, address = account.subject, account.email
    with transaction.atomic(), door.cursor() as cursor:
        if fates is not None:
            _confirm(cursor, subject, fates)
        end_sessions(account)
        account.delete()
        cursor.execute(SQL["end_subject"], {"subject": subject, "reason": reason})
        if mail is not None:
            told: dict[str, Any] = {"subject": subject, "address": address, "facts": Jsonb(dict(mail))}
            cursor.execute(SQL["tell_closed"], told)


def take_copy(token: str, out: IO[bytes]) -> int:
    """Write what the viewer is shown of everything that is held about them; return how many rows. The ledger notes it.

    Whoever has not agreed to what is in force takes it too. Raises NotSignedIn.
    """
    rows = exporting.write_own(token, out)
    try:
        with connect.acting("self", token=token) as connection:
            connection.execute(SQL["note_export"].encode(), {"rows": rows})
    except Error as error:
        if error.sqlstate != "TR003":
            raise
        raise NotSignedIn("nobody is signed in", advice="sign in again") from error
    return rows


def _confirm(cursor: Any, subject: uuid.UUID, fates: Iterable[Fate]) -> None:  # noqa: ANN401 - Django's cursor wrapper
    told = {str(each.organization): [each.fate, str(each.heir) if each.heir else None] for each in fates}
    try:
        cursor.execute(SQL["confirm_fates"], {"subject": subject, "told": Jsonb(told)})
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") != "TR066":
            raise
        raise FatesChanged from error
