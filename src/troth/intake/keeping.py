"""What the keeper forgets for the intake: keys that nobody sends again, old counts, and salts of days that are over."""

from datetime import timedelta
from typing import Any

from psycopg import Connection

from troth.database import connect, published
from troth.database.keeper import Keeper
from troth.database.published import Published
from troth.database.statements import load
from troth.intake.decisions import Decisions
from troth.policy.meaning import Occasion

SQL = load("troth.intake")
#: How long web servers leave a file that they rotated: until then it may be brought in once more.
ROTATED = timedelta(days=31)


def taught(keeper: Keeper) -> Keeper:
    """Return the keeper, who forgets them from time to time."""
    keeper.chores = (*keeper.chores, forget)
    return keeper


def forget(_connection: Connection[Any]) -> None:
    """Forget what is past its time."""
    longest = imported_for(published.current("steward"))
    with connect.acting("steward") as connection:
        connection.execute(SQL["forget"].encode())
        connection.execute(SQL["forget_rollups"].encode())
        if longest is not None:
            connection.execute(SQL["forget_imported"].encode(), {"longest": longest})


def imported_for(now: Published) -> timedelta | None:
    """Return how long keys of imported lines are known, which are of visits; None while visits have no end."""
    decisions = Decisions.of(now.plan, now.bits)
    if not decisions.kept[Occasion.VISIT]:
        return ROTATED
    return decisions.oldest + ROTATED if decisions.oldest is not None else None
