"""What people do with everything that is held about them."""

from django.db import connection as door
from django.db import transaction

from troth.database.statements import load
from troth.people.actions import Account, end_sessions

SQL = load("troth.rights")


def close(account: Account, *, reason: str = "asked") -> None:
    """Close an account, in one transaction: what no purpose keeps goes now, the rest is marked and goes when due."""
    subject = account.subject
    with transaction.atomic(), door.cursor() as cursor:
        end_sessions(account)
        account.delete()
        cursor.execute(SQL["end_subject"], {"subject": subject, "reason": reason})
