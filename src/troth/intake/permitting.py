"""What is asked before anything is told: what of a person's events would be kept, what their browser may hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from troth.intake.decisions import Decisions
from troth.intake.kinds import KINDS
from troth.intake.sent import Known
from troth.policy import subjects
from troth.policy.meaning import Storage, Stored

#: Seconds for which a page may go by an answer without asking again.
LASTS = 10


@dataclass(frozen=True, slots=True)
class Permitted:
    """By kind of event the columns that one would keep; by key of the browser's storage the days it may be there."""

    permits: Mapping[str, Sequence[str]]
    keeps: Mapping[str, int]
    lasts: int = LASTS


def permitted(about: Known | None, decisions: Decisions, stored: Sequence[Stored], *, objects: bool) -> Permitted:
    """Return it of somebody; nothing of whoever the application does not know, or nobody does."""
    if about is None or about.subject is None:
        return Permitted({}, {})
    whose = subjects.whose(about.subject)
    kinds = (KINDS[name] for name in about.events if name in KINDS)
    kept = {kind.table: (kind, decisions.part(kind, about.uses, objects=objects, whose=whose).kept) for kind in kinds}
    return Permitted(
        {name: [each for each in kind.columns if each in columns] for name, (kind, columns) in kept.items() if columns},
        {
            each.key: each.days
            for each in stored
            if each.storage is Storage.BROWSER_STORAGE
            and each.days
            and decisions.uses(each.purpose, about.uses, objects=objects)
        },
    )
