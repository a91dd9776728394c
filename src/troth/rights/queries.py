"""What closing an account takes away and what stays, derived from the plan."""

from dataclasses import dataclass

from troth.database import published
from troth.policy.planned import Plan, Retention
from troth.policy.voice import Voice, voice


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


def fates(language: str = "en") -> list[Fate]:
    """Return the fate of everything that is held about a person, should they close their account now."""
    now = published.current()
    speaking = voice(now.policy, language)
    collected = {each.table for each in now.plan.collected}
    return [_fate(now.plan, speaking, kept) for kept in now.plan.retention if kept.table in collected]


def _fate(plan: Plan, speaking: Voice, retention: Retention) -> Fate:
    table = published.current().catalog.table(retention.table)
    kept = {collected.column for collected in plan.collected if collected.table == table.name}
    words = dict.fromkeys(speaking.category(c.category) for c in table.columns if c.category and c.name in kept)
    clauses = dict.fromkeys(c.clause for c in plan.collected if c.table == table.name)
    return Fate(speaking.listed(words), table.name, max(retention.days or 0, retention.after_end or 0), tuple(clauses))
