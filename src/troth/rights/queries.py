"""What closing an account takes away and what stays, derived from the plan."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg.sql import SQL, Identifier

from troth.database import connect, published
from troth.database.statements import load
from troth.policy.meaning import Whose
from troth.policy.planned import Plan, Retention
from troth.policy.viewing import granted_to
from troth.policy.voice import Voice, voice

#: What a table that shows its person nothing has rows of only where another one has.
HELD_WITH = {"directory_awaited": "directory_entry"}


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of what one table holds about a person: the words for it, the days it stays, the clauses."""

    what: str
    table: str
    days: int
    clauses: tuple[str, ...]

    @property
    def goes_at_once(self) -> bool:
        """Whether nothing of it stays."""
        return self.days == 0


def fates(language: str = "en", token: str = "", *, agreed: int = 0) -> list[Fate]:
    """Return the fate of everything that is held about a person, should they close their account now.

    With a token, of its viewer, agreed or not: without what they can see that there is none of. `agreed` is the version
    that they agreed to last, 0 for none: nothing stays longer than that says.
    """
    now = published.current()
    speaking = voice(now.policy, language)
    collected = {each.table for each in now.plan.collected if each.occasion.whose is Whose.PERSON}
    gone = _without(token, [kept.table for kept in now.plan.retention if kept.table in collected]) if token else set()
    with connect.acting("door") as connection:
        asked = load("troth.rights")["retention_said"].encode()
        said = dict(connection.execute(asked, {"version": agreed}).fetchall())
    return [_fate(now.plan, speaking, kept, said) for kept in now.plan.retention if kept.table in collected - gone]


def _without(token: str, tables: Iterable[str]) -> set[str]:
    """Return the tables in which a viewer sees no row of theirs; of one that shows them nothing nobody can tell."""
    now = published.current()
    told = {name: name for name in tables} | {name: by for name, by in HELD_WITH.items() if name in tables}
    with connect.looking(token) as connection:
        return {
            name
            for name, by in told.items()
            if granted_to("self", now.plan, now.catalog.table(by))
            and not connection.execute(SQL("SELECT 1 FROM troth.{} LIMIT 1").format(Identifier(by))).fetchone()
        }


def _fate(plan: Plan, speaking: Voice, retention: Retention, said: Mapping[str, int]) -> Fate:
    table = published.current().catalog.table(retention.table)
    kept = {collected.column for collected in plan.collected if collected.table == table.name}
    words = dict.fromkeys(speaking.category(c.category) for c in table.columns if c.category and c.name in kept)
    clauses = dict.fromkeys(c.clause for c in plan.collected if c.table == table.name)
    days = max(retention.days or 0, retention.after_end or 0)
    return Fate(speaking.listed(words), table.name, min(days, said.get(table.name, days)), tuple(clauses))
