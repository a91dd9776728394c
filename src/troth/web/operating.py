"""What the operator's page counts, read as the purpose that may."""

from datetime import date, timedelta

from django.utils import timezone

from troth.database import connect, published
from troth.database.statements import load

PURPOSE = "protect"


def accesses_by_day() -> list[tuple[date, int]]:
    """Return accesses by day of the last month as the purpose `protect` may count them; nothing where there is none."""
    readable = {(r.purpose, r.table, r.column) for r in published.current().plan.readings}
    if (PURPOSE, "access", "at") not in readable:
        return []
    since = timezone.now().date() - timedelta(days=30)
    with connect.acting(PURPOSE) as connection:
        rows = connection.execute(load("troth.web")["accesses_by_day"].encode()).fetchall()
    return [(day, many) for day, many in rows if day >= since]
