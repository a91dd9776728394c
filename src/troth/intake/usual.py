"""What somebody opens most, asked as the purpose that fits pages to them (P3, P18, P20)."""

import uuid
from collections import Counter
from collections.abc import Collection

from troth.database import connect, published
from troth.database.statements import load

SQL = load("troth.intake")
#: The purpose by which pages fit whoever looks.
PURPOSE = "personalise"
#: Of how many accesses, the newest; how often something was opened at least; how many things there are at most.
LATEST, OFTEN, MOST = 500, 2, 4


def permitted(uses: int) -> bool:
    """Whether somebody who is in the units of these bits is in the purpose."""
    bit = published.current().bits.get(PURPOSE)
    return bit is not None and bool(uses >> bit & 1)


def pages(subjects: Collection[uuid.UUID], among: Collection[str]) -> list[str]:
    """Return which of some paths these subjects opened most, the most frequent first.

    None where the policy has no such purpose or lets it not know what was opened, or where they did not permit it: the
    rows are not there for it then.
    """
    readable = {(each.purpose, each.table, each.column) for each in published.current().plan.readings}
    if not {(PURPOSE, "access", "url"), (PURPOSE, "access", "at")} <= readable:
        return []
    with connect.acting(PURPOSE) as purpose:
        told = {"subjects": list(subjects), "latest": LATEST}
        found = [str(url) for (url,) in purpose.execute(SQL["opened"].encode(), told) if url]
    counts = Counter(path for path in (url.partition("?")[0] for url in found) if path in among)
    return [path for path, many in counts.most_common(MOST) if many >= OFTEN]
