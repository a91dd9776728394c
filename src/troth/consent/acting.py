"""Acting as somebody, in one transaction: what the database refuses by a code is a refusal of this room."""

from collections.abc import Mapping
from typing import Any

from psycopg import Error

from troth.consent.errors import ConsentRefusal
from troth.database import connect
from troth.database.statements import load

SQL = load("troth.consent")


def act(
    role: str, viewer: str, statement: str, told: Mapping[str, Any], refusals: Mapping[str, type[ConsentRefusal]]
) -> list[tuple[Any, ...]]:
    """Execute a named statement as a viewer in a role and return its rows. Raises one of `refusals`, by its code."""
    try:
        with connect.acting(role, token=viewer) as connection:
            cursor = connection.execute(SQL[statement].encode(), told)
            return cursor.fetchall()
    except Error as error:
        refusal = refusals.get(error.sqlstate or "")
        if refusal is None:
            raise
        raise refusal(error.diag.message_primary or "") from error
