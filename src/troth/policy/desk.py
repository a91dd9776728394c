"""The desk on which a policy is checked: what is known of it meanwhile, and everything that is found wrong."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice

from troth.policy.errors import PolicyError
from troth.policy.meaning import Span
from troth.policy.source import Source
from troth.policy.understood import expanded
from troth.policy.written import Named, Statement

#: Beyond so many errors and names, none is told what it may have meant: a guess costs more than it helps.
MOST_GUESSES = 100
MOST_NEIGHBOURS = 500
#: A century, beyond which nothing is promised.
MOST_DAYS = 36_500


@dataclass(slots=True)
class Desk:
    """What is known while a policy is checked."""

    whole: Source
    statements: list[Statement]
    partial: bool
    errors: list[PolicyError] = field(default_factory=list)
    categories: dict[str, Statement] = field(default_factory=dict)
    purposes: dict[str, Statement] = field(default_factory=dict)

    def of(self, kind: str) -> list[Statement]:
        """Return the clauses of a kind."""
        return [statement for statement in self.statements if statement.kind == kind]

    def is_sensitive(self, name: str) -> bool:
        """Whether a category that is declared is a sensitive one."""
        return name in self.categories and self.categories[name].attribute == "sensitive"

    def said(self, code: str) -> bool:
        """Whether a name was misspelt: what it was meant to name is then not called unused or uncollected."""
        return any(error.code == code for error in self.errors)

    def wrong(self, code: str, span: Span, sentence: str, advice: str) -> None:
        """Note an error, with its place."""
        self.errors.append(PolicyError(code, self.whole.name, span, self.whole.line(span.line), sentence, advice))


def categories_of(desk: Desk, names: Iterable[Named]) -> Iterator[str]:
    """Yield categories, patterns expanded, unknown ones reported."""
    for name in names:
        found = list(expanded((name,), desk.categories))
        yield from found
        if not found and name.text.endswith(".*"):
            desk.wrong(
                "P-N06", name.span, f"no category begins with `{name.text[:-1]}`", "declare one, or leave it out"
            )
        elif not found:
            unknown(desk, "P-N01", "category", name, desk.categories)


def unknown(desk: Desk, code: str, kind: str, name: Named, known: Iterable[str]) -> None:
    """Note that nothing is called so, and what may have been meant."""
    if desk.partial and not known:
        return
    guessing = len(desk.errors) < MOST_GUESSES
    near = get_close_matches(name.text, list(islice(known, MOST_NEIGHBOURS)), 1, 0.6) if guessing else []
    advice = f"did you mean `{near[0]}`?" if near else f"declare it: {kind} {name.text} ..."
    desk.wrong(code, name.span, f"there is no {kind} `{name.text}`", advice)
