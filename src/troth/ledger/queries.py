"""Reading the ledger: all of it in order, or what concerns one person."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor, DataError
from psycopg.rows import class_row

from troth.database import statements
from troth.ledger.entry import Entry, mark
from troth.ledger.errors import UnreadableRefusal

BATCH = 5000
LAST = 2**63 - 1


def entries(connection: Connection[Any], *, after: int = -1, batch: int = BATCH) -> Iterator[Entry]:
    """Yield every entry whose index is above `after`, in order, `batch` rows at a time.

    Raises UnreadableRefusal for a row that `record` cannot have written.
    """
    statement = statements.load(f"{__package__}.sql")["entries"]
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        while found := _batch(cursor, statement, {"after": after, "limit": batch}):
            yield from found
            after = found[-1].index


def few(connection: Connection[Any], *, after: int, limit: int) -> list[Entry]:
    """Return at most `limit` entries whose index is above `after`, in order. Raises UnreadableRefusal."""
    statement = statements.load(f"{__package__}.sql")["entries"]
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        return _batch(cursor, statement, {"after": after, "limit": limit})


def newest(connection: Connection[Any], *, before: int = LAST, limit: int = 100) -> list[Entry]:
    """Return the newest entries below the index `before`, whomever they concern."""
    statement = statements.load(f"{__package__}.sql")["newest_entries"]
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(statement, {"before": before, "limit": limit}).fetchall()


def about(connection: Connection[Any], subject: UUID, *, before: int = LAST, limit: int = 100) -> list[Entry]:
    """Return the newest entries that `subject` did or that concern them, below the index `before`.

    The role sees only the salts it may: as `self` those of the viewer, so that anybody else's list is empty.
    """
    statement = statements.load(f"{__package__}.sql")["entries_about"]
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(statement, {"subject": subject, "before": before, "limit": limit}).fetchall()


def concerning(connection: Connection[Any], subject: UUID, actions: Sequence[str]) -> list[Entry]:
    """Return the entries of some actions that concern `subject`, in order: not those that they only did to others."""
    statement = statements.load(f"{__package__}.sql")["entries_by_action"]
    rows = connection.execute(statement.encode(), {"subject": subject, "actions": list(actions)}).fetchall()
    return [entry for *row, salt in rows if (entry := Entry(*row)).subject == mark(salt, subject)]


def _batch(cursor: Cursor[Entry], statement: str, asked: dict[str, int]) -> list[Entry]:
    try:
        return cursor.execute(statement, asked).fetchall()
    except DataError as error:
        sentence = f"an entry after index {asked['after']} cannot be read: {error}"
        raise UnreadableRefusal(sentence, advice="it was changed by hand; compare with a backup") from error
