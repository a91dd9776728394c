"""What the operator's page counts, read as the purpose that may; and the link that makes the first owner's account."""

import hmac
from contextlib import suppress
from datetime import date, timedelta
from hashlib import sha256

from django.utils import timezone

from troth.database import connect, place, published
from troth.database.statements import load
from troth.people import staffing

PURPOSE = "protect"
FILE = "first-link"  # in the folder of secrets: the digest of the link's token, empty once it was used


def accesses_by_day() -> list[tuple[date, int]]:
    """Return accesses by day of the last month as the purpose `protect` may count them; nothing where there is none."""
    readable = {(r.purpose, r.table, r.column) for r in published.current().plan.readings}
    if (PURPOSE, "access", "at") not in readable:
        return []
    since = timezone.now().date() - timedelta(days=30)
    with connect.acting(PURPOSE) as connection:
        rows = connection.execute(load("troth.web")["accesses_by_day"].encode()).fetchall()
    return [(day, many) for day, many in rows if day >= since]


def opens(token: str) -> bool:
    """Whether a first link's token may still make the operator's account."""
    file = place.current().secrets / FILE
    wanted = file.read_text(encoding="ascii").strip() if file.exists() else ""
    same = bool(wanted) and hmac.compare_digest(wanted, sha256(token.encode()).hexdigest())
    return same and not staffing.has_owner()


def use_up() -> None:
    """Make the first link open nothing any more, now that the operator has agreed."""
    with suppress(OSError):  # where the server may not write, the account that exists keeps the link shut
        place.replace_file(place.current().secrets / FILE, b"", 0o600)


def renew() -> None:
    """Let the next start print a new first link, as the operator has left."""
    with suppress(OSError):
        (place.current().secrets / FILE).unlink(missing_ok=True)
