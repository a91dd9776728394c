"""The only way to write to the ledger: one entry in each action's own transaction, as its last call."""

from typing import Any
from uuid import UUID

from psycopg import Connection, Error
from psycopg.types.json import Jsonb

from troth.database import statements
from troth.ledger.entry import Facts
from troth.ledger.errors import FactsRefusal

REFUSED = "TR030"


def record(
    connection: Connection[Any], *, action: str, actor: UUID | None, subject: UUID | None, facts: Facts | None = None
) -> int:
    """Append one entry in the connection's transaction and return its index.

    `actor` did it and `subject` is whom it concerns; both are stored as salted digests. `facts` is flat: integers,
    booleans, words, SHA-256 in hex. Nobody else records until the transaction ends. Raises FactsRefusal when the
    database finds a fact that could say who somebody is.
    """
    told = {"action": action, "actor": actor, "subject": subject, "facts": Jsonb(facts or {})}
    try:
        row = connection.execute(statements.load(f"{__package__}.sql")["call_record"], told).fetchone()
    except Error as error:
        if error.sqlstate != REFUSED:
            raise
        sentence = f"the ledger does not take the entry `{action}`: {error.diag.message_primary}"
        raise FactsRefusal(sentence, advice="give numbers, booleans, words or digests, and nothing personal") from error
    if row is None:
        raise LookupError(action)
    return int(row[0])
