"""From clauses in which nothing is wrong to a policy: names expanded, clauses named after what they say."""

import re
from collections.abc import Collection as Known
from collections.abc import Iterable, Iterator

from troth.policy.meaning import (
    Audience,
    Basis,
    Called,
    Category,
    Clause,
    Coarsening,
    Collection,
    Condition,
    Correlation,
    Duty,
    Honoured,
    Note,
    Policy,
    Posting,
    Precision,
    Purpose,
    Right,
    Share,
    Sight,
    Storage,
    Stored,
    Use,
)
from troth.policy.source import Source
from troth.policy.written import Named, Statement

#: The fixed sentences, by the kind of their clause.
DUTIES = (
    "agreement",
    "one_agreement",
    "owner",
    "remains",
    "names_everywhere",
    "apart",
    "transmission",
    "never_sell",
    "share_nothing",
    "silence",
    "ties",
    "agreed_permissions",
    "own_permissions",
    "opening",
    "authorised",
    "changes_allowed",
    "refuse_undeclared",
    "drop_undeclared",
    "new_purpose",
)
#: What clauses of these kinds are named; the others after their kind.
SLUGS = {
    "agreement": "require-agreement",
    "transmission": "encrypt-transmission",
    "again": "ask-again",
    "honour": "honour-global-privacy-control",
    "notify": "notify-when-rights-are-reduced",
}


def expanded(names: Iterable[Named], known: Known[str]) -> Iterator[str]:
    """Yield the known categories that names and patterns such as `person.*` mean."""
    for name in names:
        if name.text.endswith(".*"):
            yield from (each for each in known if each.startswith(name.text[:-1]))
        elif name.text in known:
            yield name.text


def understood(statements: list[Statement], digest: str, whole: Source) -> Policy:
    """Return the policy that sound clauses make."""
    return _Reading(statements).policy(digest, whole)


class _Reading:
    """The clauses with their names, and the categories that patterns are expanded to."""

    def __init__(self, statements: list[Statement]) -> None:
        self.statements = statements
        named = _clause_names(statements)
        self.clauses = {
            id(s): Clause(named[id(s)], tuple(promise.text for promise in s.promises), s.span) for s in statements
        }
        self.categories = {name.text: None for s in self.of("category") for name in s.names}

    def of(self, *kinds: str) -> list[Statement]:
        return [statement for statement in self.statements if statement.kind in kinds]

    def clause(self, statement: Statement) -> Clause:
        return self.clauses[id(statement)]

    def names(self, names: Iterable[Named]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(expanded(names, self.categories)))

    def policy(self, digest: str, whole: Source) -> Policy:
        head, operator = self.of("policy")[0], self.of("operator")[0]
        if head.day is None:
            raise AssertionError("the grammar demands a date")
        return Policy(
            name=head.text,
            version=head.number,
            effective=head.day,
            operator=operator.text,
            contact=operator.contact,
            categories=tuple(
                Category(n.text, s.attribute == "identifying", s.attribute == "sensitive", self.clause(s))
                for s in self.of("category")
                for n in s.names
            ),
            purposes=tuple(
                Purpose(s.names[0].text, s.text, s.basis or Basis.AGREEMENT, self.clause(s), s.translations)
                for s in self.of("purpose")
            ),
            collections=tuple(self._collections()),
            sights=tuple(Sight(self.names(s.names), self.clause(s), Audience(s.words[0])) for s in self.of("show")),
            rights=tuple(self._rights()),
            duties=tuple(self._duties()),
            digest=digest,
            source=whole,
            postings=tuple(
                Posting(self.names(s.names), tuple(dict.fromkeys(map(Audience, s.words))), self.clause(s))
                for s in self.of("post")
            ),
            shares=tuple(
                Share(self.names(s.names), s.text, s.others[-1].text, self.clause(s)) for s in self.of("share")
            ),
            stored=tuple(
                Stored(s.text, Storage(s.words[0]), s.names[0].text, s.limit, self.clause(s)) for s in self.of("store")
            ),
            coarsenings=tuple(
                Coarsening(self.names(s.names), s.precision or Precision.AS_IS, s.number, self.clause(s))
                for s in self.of("coarsen")
            ),
            correlations=tuple(
                Correlation(self.names(s.names), self.names(s.others), s.words[0] == "correlate", self.clause(s))
                for s in self.of("correlate")
            ),
            called=tuple(
                Called(s.names[0].text, (("", s.text), *s.translations), self.clause(s)) for s in self.of("call")
            ),
            honoured=tuple(
                Honoured(tuple(dict.fromkeys(name.text for name in s.names)), self.clause(s)) for s in self.of("honour")
            ),
            notes=tuple(Note((("", s.text), *s.translations), self.clause(s)) for s in self.of("note")),
        )

    def _collections(self) -> Iterator[Collection]:
        for statement in self.of("collect"):
            uses = tuple(Use(u.purpose.text, u.window, u.precision, u.span) for u in statement.uses)
            for occasion in dict.fromkeys(statement.occasions):
                yield Collection(self.names(statement.names), occasion, uses, self.clause(statement))

    def _rights(self) -> Iterator[Right]:
        for s in self.of("let"):
            condition = Condition(s.words[0]) if s.words else None
            yield Right(tuple(dict.fromkeys(s.verbs)), self.names(s.names), self.clause(s), s.limit, condition)

    def _duties(self) -> Iterator[Duty]:
        for s in self.of(*DUTIES, "tell", "notify", "again"):
            name = {"again": "ask-again"}.get(s.kind, s.kind.replace("_", "-"))
            details = (str(s.limit),) if s.kind == "new_purpose" and s.limit else tuple(dict.fromkeys(s.words))
            yield Duty(name, self.clause(s), details)


# Names of clauses


def _clause_names(statements: list[Statement]) -> dict[int, str]:
    """Name clauses by their content, so that their order changes no name."""
    wanted: dict[str, list[Statement]] = {}
    for statement in statements:
        wanted.setdefault(_slug(statement), []).append(statement)
    names = {}
    for slug, alike in wanted.items():
        for number, statement in enumerate(sorted(alike, key=_content), start=1):
            names[id(statement)] = slug if number == 1 else f"{slug}-{number}"
    return names


def _slug(statement: Statement) -> str:
    first = _dashed(statement.names[0].text) if statement.names else ""
    known = {
        "collect": lambda: f"collect-{first}-on-{_dashed(statement.occasions[0])}",
        "show": lambda: f"show-{first}-to-{_dashed(statement.words[0])}",
        "let": lambda: f"let-people-{statement.verbs[0]}-{first}",
        "post": lambda: f"let-people-post-{first}",
        "share": lambda: f"share-{first}-with-{_dashed(statement.text)}",
        "store": lambda: f"store-{_dashed(statement.text)}",
        "correlate": lambda: f"{_dashed(statement.words[0])}-{first}-with-{_dashed(statement.others[0].text)}",
        "tell": lambda: f"tell-people-{_dashed(statement.words[0])}",
    }
    kind = statement.kind
    return known[kind]() if kind in known else SLUGS.get(kind, f"{kind}-{first}".rstrip("-").replace("_", "-"))


def _dashed(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text.lower().replace(".*", "")).strip("-") or "it"


def _content(statement: Statement) -> str:
    names = [sorted(name.text for name in each) for each in (statement.names, statement.others)]
    uses = sorted(f"{u.purpose.text} {u.window} {u.precision}" for u in statement.uses)
    promises = sorted(promise.text for promise in statement.promises)
    rest = (statement.text, statement.translations, statement.attribute, statement.limit, statement.number)
    occasions, words = sorted(statement.occasions), sorted(statement.words)
    return repr((names, uses, sorted(statement.verbs), rest, occasions, words, promises))
