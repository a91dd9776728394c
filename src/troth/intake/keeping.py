"""What the keeper forgets for the intake: keys that nobody sends again, old counts, and salts of days that are over."""

from typing import Any

from psycopg import Connection

from troth.database import connect
from troth.database.keeper import Keeper
from troth.database.statements import load

SQL = load("troth.intake")


def taught(keeper: Keeper) -> Keeper:
    """Return the keeper, who forgets them from time to time."""
    keeper.chores = (*keeper.chores, forget)
    return keeper


def forget(_connection: Connection[Any]) -> None:
    """Forget what is past its time."""
    with connect.acting("steward") as connection:
        connection.execute(SQL["forget"].encode())
        connection.execute(SQL["forget_rollups"].encode())
