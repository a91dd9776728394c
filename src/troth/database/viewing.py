"""A viewer's statements as the policy in force lets them run."""

from troth.database import published
from troth.database.catalog import Declared
from troth.policy.viewing import narrowed

_held: dict[tuple[str, Declared, str, str], bytes] = {}
#: Statements of a few versions; a version in force changes seldom.
MOST_HELD = 200


def shown(statement: str, role: str = "self") -> bytes:
    """Return a statement of a viewer's role that asks only for what the policy shows it; the rest is empty."""
    now = published.current()
    key = (now.digest, now.declared, role, statement)
    if key not in _held:
        if len(_held) >= MOST_HELD:
            _held.clear()
        _held[key] = narrowed(statement, now.plan, now.catalog, role).encode()
    return _held[key]


def may_correct(table: str, column: str) -> bool:
    """Return whether the policy lets people correct a column of theirs."""
    return any((o.table, o.column, o.privilege) == (table, column, "update") for o in published.current().plan.own)
