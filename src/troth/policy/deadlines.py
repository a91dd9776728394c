"""Whether what people may have erased is gone by the deadline: no purpose but one by legal duty keeps it for longer."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from troth.policy.desk import MOST_DAYS, Desk
from troth.policy.errors import PolicyError
from troth.policy.filling import Filling
from troth.policy.meaning import Basis, Policy, Right, Span, Verb, Whose, Window, WindowKind
from troth.policy.understood import expanded
from troth.policy.written import WrittenUse

type Wrong = Callable[[str, Span, str, str], PolicyError]


def lingers(window: Window) -> int:
    """Return for how many days something may still be there after an erasure.

    Days that are counted from the row's own time count in full: the newest row came just before.
    """
    return 0 if window.kind is WindowKind.CONSENTED else window.days


def check(desk: Desk) -> None:
    """Check the windows of the very categories that people may have erased."""
    lasting = _lasting(desk)
    for statement in desk.of("let"):
        soon = statement.limit or 0
        if Verb.ERASE not in statement.verbs or soon > MOST_DAYS:
            continue
        for name in {each.text: each for each in statement.names}.values():
            kept = [each for each in expanded((name,), desk.categories) if each in lasting]
            last = max(kept, key=lambda each: lingers(lasting[each].window), default=None)
            if last and lingers(lasting[last].window) > soon:
                use = lasting[last]
                days, user = lingers(use.window), use.purpose.text
                sentence = f"{_promised(last, soon)}, and `{user}` keeps it for up to {days} days afterwards"
                desk.wrong("P-M23", name.span, sentence, f"write `within {days} days`{_shorter(user, use.span)}")


def _lasting(desk: Desk) -> dict[str, WrittenUse]:
    """Return, by category, the use that keeps it longest of a person: what a law keeps is not among them."""
    found: dict[str, WrittenUse] = {}
    for statement in desk.of("collect"):
        names = set(expanded(statement.names, desk.categories))
        if all(occasion.whose is Whose.NOBODY for occasion in statement.occasions):
            continue
        for use in statement.uses:
            purpose = desk.purposes.get(use.purpose.text)
            if purpose is None or purpose.basis is Basis.LEGAL_DUTY or use.window.days > MOST_DAYS:
                continue
            for name in names:
                if name not in found or lingers(use.window) > lingers(found[name].window):
                    found[name] = use
    return found


def unfit(wrong: Wrong, policy: Policy, every: Sequence[Filling]) -> Iterator[PolicyError]:
    """Yield where something stands in rows that are kept past its deadline for what else they hold."""
    tables: dict[str, list[Filling]] = defaultdict(list)
    for each in every:
        tables[each[0].name].append(each)
    lawful = {purpose.name for purpose in policy.purposes if purpose.basis is Basis.LEGAL_DUTY}
    for right in policy.rights:
        if Verb.ERASE in right.verbs:
            for filled in tables.values():
                yield from islice(_beside(wrong, right, filled, lawful), 1)


def _beside(wrong: Wrong, right: Right, filled: Sequence[Filling], lawful: set[str]) -> Iterator[PolicyError]:
    """Yield what of a table stays too long. A law excuses only what it keeps itself, though the whole row stays."""
    soon = right.days or 0
    keeping = {(use.purpose, use.window): use for *_, use in filled}
    kept_by: dict[str, set[str]] = defaultdict(set)
    for _, category, collection, use in filled:
        if category in right.categories and collection.occasion.whose is not Whose.NOBODY:
            kept_by[category].add(use.purpose)
    for category, purposes in kept_by.items():
        others = [use for use in keeping.values() if use.purpose not in purposes & lawful]
        last = max(others, key=lambda use: lingers(use.window), default=None)
        if last and lingers(last.window) > soon:
            days, rows = lingers(last.window), f"rows of `{filled[0][0].name}`"
            sentence = (
                f"{_promised(category, soon)}, and `{last.purpose}` keeps {rows} for up to {days} days afterwards"
            )
            shorter = "" if last.purpose in lawful else _shorter(last.purpose, last.span)
            yield wrong("P-T07", right.clause.span, sentence, f"write `within {days} days`{shorter}")


def _promised(category: str, soon: int) -> str:
    return f"people may erase `{category}` {f'within {soon} days' if soon else 'at once'}"


def _shorter(purpose: str, span: Span) -> str:
    return f", or give `{purpose}` a shorter window in line {span.line}"
