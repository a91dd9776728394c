"""One time for all: what ends goes by the database's clock, and that of the machine that troth runs on must agree."""

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from troth.database.errors import ClockRefusal

#: How far the two may be apart: what lasts shortest is given a minute.
MOST = timedelta(seconds=5)


def ahead(connection: Connection[Any]) -> timedelta:
    """Return how far this machine's clock is ahead of the database's; negative where it is behind."""
    before = datetime.now(UTC)
    ((there,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    after = datetime.now(UTC)
    # What the way there and back takes counts for neither side.
    apart: timedelta = max(before - there, timedelta()) + min(after - there, timedelta())
    return apart


def check(connection: Connection[Any]) -> None:
    """Raise ClockRefusal where they are further apart: what one gives a minute would have ended for the other."""
    apart = ahead(connection)
    if abs(apart) > MOST:
        side = "ahead of" if apart > timedelta() else "behind"
        sentence = f"the clock of this machine is {abs(apart).total_seconds():.0f} s {side} the database's"
        raise ClockRefusal(sentence, advice="let both machines take the time from the network (NTP)")
