"""From written clauses to a policy, or to everything that is wrong with them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice

from troth.policy.errors import PolicyError
from troth.policy.meaning import (
    Basis,
    Category,
    Clause,
    Collection,
    Duty,
    Policy,
    Precision,
    Purpose,
    Right,
    Sight,
    Span,
    Use,
    WindowKind,
)
from troth.policy.source import Source
from troth.policy.written import Named, Statement, WrittenUse

RESERVED = frozenset(
    {
        "troth",
        "public",
        "information_schema",
        "door",
        "self",
        "steward",
        "intake",
        "stamper",
        "recorder",
        "usher",
        "owner",
        "keeper",
        "withheld",
    }
)
PURPOSE = re.compile(r"[a-z][a-z0-9_]{0,29}")
PROMISES = 40
MOST_PURPOSES = 40
MOST_CATEGORIES = 1_000
#: Beyond so many errors and names, none is told what it may have meant: a guess costs more than it helps.
MOST_GUESSES = 100
MOST_NEIGHBOURS = 500
MOST_DAYS = 36_500
#: Which categories can be known more coarsely, and how.
COARSER = {Precision.NETWORK: "access.ip", Precision.DAY: "access.time"}


@dataclass(slots=True)
class Checked:
    """The policy, where nothing was wrong, and the errors."""

    policy: Policy | None
    errors: list[PolicyError]


@dataclass(slots=True)
class _Desk:
    """What is known while a policy is checked."""

    whole: Source
    statements: list[Statement]
    partial: bool
    errors: list[PolicyError] = field(default_factory=list)
    categories: dict[str, Statement] = field(default_factory=dict)
    purposes: dict[str, Statement] = field(default_factory=dict)

    def of(self, kind: str) -> list[Statement]:
        return [statement for statement in self.statements if statement.kind == kind]

    def wrong(self, code: str, span: Span, sentence: str, advice: str) -> None:
        self.errors.append(PolicyError(code, self.whole.name, span, self.whole.line(span.line), sentence, advice))


def checked(statements: list[Statement], digest: str, whole: Source, *, partial: bool) -> Checked:
    """Check all clauses together. With `partial`, some could not be read: what they may have declared is not missed."""
    desk = _Desk(whole, statements, partial)
    for step in (_heads, _declared, _promises):
        step(desk)
    if not _too_many(desk):
        for step in (_collected, _shown, _unused):
            step(desk)
    if desk.errors or partial:
        return Checked(None, desk.errors)
    return Checked(_policy(desk, digest), [])


# The checks


def _heads(desk: _Desk) -> None:
    for kind, example in (
        ("policy", 'policy "Name" version 1 effective 2026-11-01'),
        ("operator", 'operator "Name" contact a@b.example'),
    ):
        found = desk.of(kind)
        if not found and not desk.partial:
            desk.wrong("P-M01", Span(1, 1, 1, 2), f"there is no `{kind}` clause", f"add one line: {example}")
        for extra in found[1:]:
            desk.wrong("P-N03", extra.span, f"`{kind}` stands twice", "keep one of them")
    for head in desk.of("policy"):
        if head.number < 1:
            desk.wrong("P-M02", head.span, "version `0` cannot be", "number versions from 1 upward")
    for statement in (*desk.of("policy"), *desk.of("operator")):
        if not statement.text.strip():
            desk.wrong(
                "P-M13", statement.span, f"`{statement.kind}` has no name", 'write its name in "quotation marks"'
            )


def _declared(desk: _Desk) -> None:
    for statement in desk.of("category"):
        for name in statement.names:
            if name.text.endswith(".*"):
                desk.wrong(
                    "P-N06", name.span, f"`{name.text}` names no single category", "declare categories one by one"
                )
            elif name.text in desk.categories:
                desk.wrong("P-N03", name.span, f"category `{name.text}` is declared twice", "keep one of them")
            desk.categories.setdefault(name.text, statement)
    for statement in desk.of("purpose"):
        name = statement.names[0]
        if not PURPOSE.fullmatch(name.text) or name.text in RESERVED or name.text.startswith(("pg_", "analyst")):
            advice = "use up to 30 small letters, digits and underscores, and no name that the database itself uses"
            desk.wrong("P-N04", name.span, f"`{name.text}` cannot name a purpose", advice)
        elif name.text in desk.purposes:
            desk.wrong("P-N03", name.span, f"purpose `{name.text}` is declared twice", "keep one of them")
        if not statement.text.strip():
            desk.wrong(
                "P-M13", statement.span, f"purpose `{name.text}` says nothing", 'say in "a sentence" what it is for'
            )
        desk.purposes.setdefault(name.text, statement)


def _too_many(desk: _Desk) -> bool:
    """Say so where there are more things than can be compared with each other."""
    before = len(desk.errors)
    for code, things, most, what in (
        ("P-M10", desk.purposes, MOST_PURPOSES, "purposes"),
        ("P-M11", desk.categories, MOST_CATEGORIES, "categories"),
    ):
        for last in islice(things.values(), most, most + 1):
            desk.wrong(code, last.span, f"there are {len(things)} {what}", f"have at most {most}")
    return len(desk.errors) > before


def _promises(desk: _Desk) -> None:
    for statement in desk.statements:
        for promise in statement.promises:
            if not 1 <= int(promise.text[1:]) <= PROMISES:
                desk.wrong("P-N05", promise.span, f"there is no promise `{promise.text}`", f"cite P1 to P{PROMISES}")


def _collected(desk: _Desk) -> None:
    windows: dict[tuple[str, str, str], WrittenUse] = {}
    for statement in desk.of("collect"):
        names = list(_expanded(desk, statement.names))
        for use in statement.uses:
            purpose = desk.purposes.get(use.purpose.text)
            if purpose is None:
                _unknown(desk, "P-N02", "purpose", use.purpose, desk.purposes)
                continue
            _check_use(desk, use, purpose, names)
            for name in names:
                key = (name, str(statement.occasion), use.purpose.text)
                other = windows.setdefault(key, use)
                if other.window != use.window:
                    sentence = f"`{use.purpose.text}` has two windows for `{name}` on {statement.occasion}"
                    desk.wrong("P-M07", use.span, sentence, f"keep one; the other is in line {other.span.line}")


def _check_use(desk: _Desk, use: WrittenUse, purpose: Statement, names: list[str]) -> None:
    kind, by_consent = use.window.kind, purpose.basis is Basis.CONSENT
    if kind is WindowKind.CONSENTED and not by_consent:
        sentence = f"`while consented` does not fit `{use.purpose.text}`, which is by {purpose.basis}"
        desk.wrong("P-M03", use.span, sentence, "give a number of days, or `while the account exists`")
    if kind is WindowKind.ACCOUNT and by_consent:
        sentence = f"`while the account exists` does not fit `{use.purpose.text}`, which is by consent"
        desk.wrong("P-M04", use.span, sentence, "write `while consented`, or a number of days")
    least = 1 if kind is WindowKind.DAYS else 0
    if kind is not WindowKind.CONSENTED and not least <= use.window.days <= MOST_DAYS:
        sentence = f"`{use.window.days} days` is no window"
        desk.wrong("P-M12", use.span, sentence, f"give 1 to {MOST_DAYS} days, or do not collect it")
    coarse = COARSER.get(use.precision)
    if coarse and coarse not in names:
        sentence = f"nothing here can be known `as {use.precision}`"
        desk.wrong("P-M05", use.span, sentence, f"only `{coarse}` can; drop `as {use.precision}`")
    for name in names:
        declared = desk.categories.get(name)
        if declared and declared.attribute == "sensitive" and not by_consent:
            sentence = f"`{name}` is sensitive, and `{use.purpose.text}` is not by consent"
            desk.wrong("P-M06", use.span, sentence, "use it only for purposes by consent")


def _shown(desk: _Desk) -> None:
    kept = {name for s in desk.of("collect") for name in _names(desk, s.names)}
    for statement in (*desk.of("show"), *desk.of("let")):
        for name in statement.names:
            for category in _expanded(desk, (name,)):
                if category not in kept and not name.text.endswith(".*") and not desk.partial:
                    sentence = f"`{category}` is never collected, so there is nothing to {statement.kind}"
                    desk.wrong("P-M08", name.span, sentence, "collect it, or leave it out")


def _unused(desk: _Desk) -> None:
    used = {use.purpose.text for s in desk.of("collect") for use in s.uses}
    for name, statement in desk.purposes.items():
        if name not in used and not desk.partial:
            sentence = f"purpose `{name}` uses nothing"
            desk.wrong("P-M09", statement.span, sentence, "let a `collect` clause name it, or leave it out")


def _expanded(desk: _Desk, names: Iterable[Named]) -> Iterator[str]:
    """Yield categories, patterns expanded, unknown ones reported."""
    for name in names:
        found = list(_names(desk, (name,)))
        yield from found
        if not found and name.text.endswith(".*"):
            desk.wrong(
                "P-N06", name.span, f"no category begins with `{name.text[:-1]}`", "declare one, or leave it out"
            )
        elif not found:
            _unknown(desk, "P-N01", "category", name, desk.categories)


def _names(desk: _Desk, names: Iterable[Named]) -> Iterator[str]:
    for name in names:
        if name.text.endswith(".*"):
            yield from (known for known in desk.categories if known.startswith(name.text[:-1]))
        elif name.text in desk.categories:
            yield name.text


def _unknown(desk: _Desk, code: str, kind: str, name: Named, known: Iterable[str]) -> None:
    if desk.partial and not known:
        return
    guessing = len(desk.errors) < MOST_GUESSES
    near = get_close_matches(name.text, list(islice(known, MOST_NEIGHBOURS)), 1, 0.6) if guessing else []
    advice = f"did you mean `{near[0]}`?" if near else f"declare it: {kind} {name.text} ..."
    desk.wrong(code, name.span, f"there is no {kind} `{name.text}`", advice)


# The meaning


def _policy(desk: _Desk, digest: str) -> Policy:
    head, operator = desk.of("policy")[0], desk.of("operator")[0]
    names = _clause_names(desk)
    made = {id(s): Clause(names[id(s)], tuple(p.text for p in s.promises), s.span) for s in desk.statements}
    if head.day is None:
        raise AssertionError("the grammar demands a date")
    return Policy(
        name=head.text,
        version=head.number,
        effective=head.day,
        operator=operator.text,
        contact=operator.contact,
        categories=tuple(
            Category(n.text, s.attribute == "identifying", s.attribute == "sensitive", made[id(s)])
            for s in desk.of("category")
            for n in s.names
        ),
        purposes=tuple(
            Purpose(s.names[0].text, s.text, s.basis or Basis.AGREEMENT, made[id(s)]) for s in desk.of("purpose")
        ),
        collections=tuple(_collection(desk, s, made[id(s)]) for s in desk.of("collect")),
        sights=tuple(Sight(_unique(desk, s), made[id(s)]) for s in desk.of("show")),
        rights=tuple(Right(s.verbs, _unique(desk, s), made[id(s)]) for s in desk.of("let")),
        duties=tuple(
            Duty(word, made[id(s)])
            for kind, word in (("require", "agreement"), ("encrypt", "transmission"))
            for s in desk.of(kind)
        ),
        digest=digest,
    )


def _unique(desk: _Desk, statement: Statement) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_names(desk, statement.names)))


def _collection(desk: _Desk, statement: Statement, clause: Clause) -> Collection:
    if statement.occasion is None:
        raise AssertionError("the grammar demands an occasion")
    uses = tuple(Use(u.purpose.text, u.window, u.precision) for u in statement.uses)
    return Collection(_unique(desk, statement), statement.occasion, uses, clause)


def _clause_names(desk: _Desk) -> dict[int, str]:
    """Name clauses by their content, so that their order changes no name."""
    wanted: dict[str, list[Statement]] = {}
    for statement in desk.statements:
        wanted.setdefault(_slug(statement), []).append(statement)
    names = {}
    for slug, alike in wanted.items():
        for number, statement in enumerate(sorted(alike, key=_content), start=1):
            names[id(statement)] = slug if number == 1 else f"{slug}-{number}"
    return names


def _slug(statement: Statement) -> str:
    first = statement.names[0].text.replace(".*", "").replace(".", "-") if statement.names else ""
    match statement.kind:
        case "collect":
            return f"collect-{first}-on-{statement.occasion}"
        case "show":
            return f"show-{first}-to-the-person"
        case "let":
            return f"let-people-{statement.verbs[0]}-{first}"
        case "require":
            return "require-agreement"
        case "encrypt":
            return "encrypt-transmission"
        case kind:
            return f"{kind}-{first}" if first else kind


def _content(statement: Statement) -> str:
    names = sorted(name.text for name in statement.names)
    uses = sorted(f"{u.purpose.text} {u.window} {u.precision}" for u in statement.uses)
    promises = sorted(promise.text for promise in statement.promises)
    return repr((names, uses, statement.verbs, statement.text, statement.attribute, promises))
