"""From written clauses to a policy, or to everything that is wrong with them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice, product

from troth.policy import audiences, deadlines
from troth.policy.desk import MOST_DAYS, Desk, categories_of, unknown
from troth.policy.errors import PolicyError
from troth.policy.meaning import FITTING, Basis, Condition, Occasion, Policy, Precision, Span, Storage, Verb, WindowKind
from troth.policy.source import Source
from troth.policy.understood import DUTIES, expanded, understood
from troth.policy.written import Statement, WrittenUse

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
        "warden",
        "counter",
        "copier",
        "registrar",
        "namer",
        "provisioner",
        "poster",
        *audiences.ROLES,
        "owner",
        "keeper",
        "withheld",
    }
)
PURPOSE = re.compile(r"[a-z][a-z0-9_]{0,29}")
PROMISES = 40
MOST_PURPOSES = 40
MOST_CATEGORIES = 1_000
#: What a stored value can become in place.
IN_PLACE = (Precision.NETWORK, Precision.HOUR, Precision.DAY, Precision.CITY, Precision.REGION, Precision.COUNTRY)
#: Rights after which something is gone.
ENDING = frozenset({Verb.DELETE, Verb.ERASE})
#: Occasions on which nobody is known.
ANONYMOUS = (Occasion.VISIT, Occasion.COOKIE)
#: Kinds of clauses that can only be about what is collected, and what they would do with it.
HANDLED = {
    "show": "show",
    "let": "have a right to",
    "post": "post",
    "share": "share",
    "coarsen": "coarsen",
}
#: Kinds of clauses that stand at most once, besides duties.
ONCE = {
    "honour": "honour global privacy control",
    "policy": "policy",
    "operator": "operator",
    "again": "ask again",
    "notify": "notify",
}


@dataclass(slots=True)
class Checked:
    """The policy, where nothing was wrong, and the errors."""

    policy: Policy | None
    errors: list[PolicyError]


def checked(
    statements: list[Statement], digest: str, whole: Source, *, partial: bool, settled: bool = False
) -> Checked:
    """Check all clauses together. With `partial`, some could not be read: what they may have declared is not missed.

    With `settled` it was published before, and keeps what is asked of new ones alone as it was.
    """
    desk = Desk(whole, statements, partial)
    for step in (_heads, _declared, _promises):
        step(desk)
    if not _too_many(desk):
        for step in (
            _collected,
            _shown,
            _taken_away,
            *(() if settled else (deadlines.check,)),
            _kept_on_devices,
            _coarsened,
            _handed_on,
            _undeclared,
            _parted,
            _honoured,
            _asked,
            _called,
            _unused,
        ):
            step(desk)
    if desk.errors or partial:
        return Checked(None, desk.errors)
    return Checked(replace(understood(statements, digest, whole), settled=settled), [])


# The checks


def _heads(desk: Desk) -> None:
    for kind, example in (
        ("policy", 'policy "Name" version 1 effective 2026-11-01'),
        ("operator", 'operator "Name" contact a@b.example'),
    ):
        found = desk.of(kind)
        if not found and not desk.partial:
            desk.wrong("P-M01", Span(1, 1, 1, 2), f"there is no `{kind}` clause", f"add one line: {example}")
    _once(desk)
    for head in desk.of("policy"):
        if head.number < 1:
            desk.wrong("P-M02", head.span, "version `0` cannot be", "number versions from 1 upward")
    for statement in (*desk.of("policy"), *desk.of("operator")):
        if not statement.text.strip():
            desk.wrong(
                "P-M13", statement.span, f"`{statement.kind}` has no name", 'write its name in "quotation marks"'
            )


def _once(desk: Desk) -> None:
    seen: set[str] = set()
    for statement in desk.statements:
        kind = ONCE.get(statement.kind) or (
            " ".join((statement.kind, *statement.words)) if statement.kind in DUTIES or statement.kind == "tell" else ""
        )
        if kind and kind in seen:
            desk.wrong("P-N03", statement.span, f"`{kind.replace('_', ' ')}` stands twice", "keep one of them")
        seen.add(kind)
    for statement in desk.statements:
        _check_texts(desk, statement)


def _check_texts(desk: Desk, statement: Statement) -> None:
    languages = [language for language, _ in statement.translations]
    for language in sorted({each for each in languages if languages.count(each) > 1}):
        desk.wrong("P-N07", statement.span, f"the text stands twice in `{language}`", "keep one of them")
    for language, text in statement.translations:
        if not text.strip():
            desk.wrong(
                "P-M13", statement.span, f"the text in `{language}` says nothing", "translate it, or leave it out"
            )
    if statement.kind == "note" and not statement.text.strip():
        desk.wrong("P-M13", statement.span, "the note says nothing", "write something, or leave it out")


def _declared(desk: Desk) -> None:
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
        if (
            not PURPOSE.fullmatch(name.text)
            or name.text in RESERVED
            or name.text.startswith(("pg_", "analyst"))
            or name.text.endswith("_analysts")
        ):
            advice = "use up to 30 small letters, digits and underscores, and no name that the database itself uses"
            desk.wrong("P-N04", name.span, f"`{name.text}` cannot name a purpose", advice)
        elif name.text in desk.purposes:
            desk.wrong("P-N03", name.span, f"purpose `{name.text}` is declared twice", "keep one of them")
        if not statement.text.strip():
            desk.wrong(
                "P-M13", statement.span, f"purpose `{name.text}` says nothing", 'say in "a sentence" what it is for'
            )
        desk.purposes.setdefault(name.text, statement)


def _too_many(desk: Desk) -> bool:
    """Say so where there are more things than can be compared with each other."""
    before = len(desk.errors)
    for code, things, most, what in (
        ("P-M10", desk.purposes, MOST_PURPOSES, "purposes"),
        ("P-M11", desk.categories, MOST_CATEGORIES, "categories"),
    ):
        for last in islice(things.values(), most, most + 1):
            desk.wrong(code, last.span, f"there are {len(things)} {what}", f"have at most {most}")
    return len(desk.errors) > before


def _promises(desk: Desk) -> None:
    for statement in desk.statements:
        for promise in statement.promises:
            if not 1 <= int(promise.text[1:]) <= PROMISES:
                desk.wrong("P-N05", promise.span, f"there is no promise `{promise.text}`", f"cite P1 to P{PROMISES}")


def _collected(desk: Desk) -> None:
    windows: dict[tuple[str, str, str], WrittenUse] = {}
    for statement in desk.of("collect"):
        names = list(categories_of(desk, statement.names))
        for use in statement.uses:
            purpose = desk.purposes.get(use.purpose.text)
            if purpose is None:
                unknown(desk, "P-N02", "purpose", use.purpose, desk.purposes)
                continue
            _check_use(desk, use, purpose, names)
            if purpose.basis is Basis.CONSENT and Occasion.VISIT in statement.occasions:
                sentence = f"`{use.purpose.text}` is by consent, and on visit there is nobody who could give it"
                advice = "collect it for this purpose `on access`, or choose another basis"
                desk.wrong("P-M21", use.span, sentence, advice)
            for name, occasion in product(names, statement.occasions):
                other = windows.setdefault((name, str(occasion), use.purpose.text), use)
                if other.window != use.window:
                    sentence = f"`{use.purpose.text}` has two windows for `{name}` on {occasion}"
                    desk.wrong("P-M07", use.span, sentence, f"keep one; the other is in line {other.span.line}")
        _check_anonymous(desk, statement, names)


def _check_use(desk: Desk, use: WrittenUse, purpose: Statement, names: list[str]) -> None:
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
    if names and not any(use.precision.fits(name) for name in names):
        sentence = f"nothing here can be known `as {use.precision}`"
        desk.wrong("P-M05", use.span, sentence, f"only {_fitting(use.precision)} can; drop `as {use.precision}`")
    _check_sensitive(desk, use.span, purpose, names)


def _check_sensitive(desk: Desk, span: Span, purpose: Statement, names: Iterable[str]) -> None:
    if purpose.basis in (Basis.CONSENT, Basis.LEGAL_DUTY):
        return
    for name in filter(desk.is_sensitive, names):
        sentence = f"`{name}` is sensitive, and `{purpose.names[0].text}` is by {purpose.basis}"
        desk.wrong("P-M06", span, sentence, "use it only for purposes by consent or by legal duty")


def _fitting(precision: Precision) -> str:
    return f"what ends in {' or '.join(f'`.{ending}`' for ending in FITTING[precision])}"


def _check_anonymous(desk: Desk, statement: Statement, names: list[str]) -> None:
    if not desk.of("apart"):
        return
    for occasion in set(statement.occasions).intersection(ANONYMOUS):
        for name in filter(desk.is_sensitive, names):
            sentence = f"`{name}` is sensitive, and on {occasion} only an anonymous identifier is known"
            desk.wrong("P-M14", statement.span, sentence, "collect it on another occasion, of people who are known")


def _shown(desk: Desk) -> None:
    kept = {name for s in desk.of("collect") for name in expanded(s.names, desk.categories)}
    unsure = desk.partial or desk.said("P-N01")
    for statement in (each for kind in HANDLED for each in desk.of(kind)):
        for name in statement.names:
            for category in categories_of(desk, (name,)):
                if category not in kept and not name.text.endswith(".*") and not unsure:
                    sentence = f"`{category}` is never collected, so there is nothing to {HANDLED[statement.kind]}"
                    desk.wrong("P-M08", name.span, sentence, "collect it, or leave it out")
    for statement in desk.of("let"):
        if statement.limit is not None and not 1 <= statement.limit <= MOST_DAYS:
            desk.wrong(
                "P-M12", statement.span, f"`{statement.limit} days` is no deadline", f"give 1 to {MOST_DAYS} days"
            )


def _used(desk: Desk) -> dict[str, set[str]]:
    """Return what each purpose uses, whenever it is collected."""
    uses: dict[str, set[str]] = {}
    for statement in desk.of("collect"):
        for use in statement.uses:
            uses.setdefault(use.purpose.text, set()).update(expanded(statement.names, desk.categories))
    return uses


def _taken_away(desk: Desk) -> None:
    """Check that nobody is promised the end of what the law keeps."""
    held = {
        name: purpose
        for purpose, used in _used(desk).items()
        for name in sorted(used)
        if purpose in desk.purposes and desk.purposes[purpose].basis is Basis.LEGAL_DUTY
    }
    for statement in desk.of("let"):
        verbs = [verb for verb in statement.verbs if verb in ENDING]
        if not verbs or Condition.HELD in statement.words:
            continue
        for name in sorted(set(expanded(statement.names, desk.categories)).intersection(held))[:1]:
            sentence = f"people may {verbs[0]} `{name}`, and `{held[name]}` keeps it by legal duty"
            desk.wrong("P-M20", statement.span, sentence, f"add `{Condition.HELD}`")


def _kept_on_devices(desk: Desk) -> None:
    seen: set[str] = set()
    for statement in desk.of("store"):
        session = statement.words[0] == Storage.SESSION_COOKIE
        if not statement.text.rstrip("*").strip():
            desk.wrong("P-M13", statement.span, "what is stored has no name", 'write its name in "quotation marks"')
        if statement.text in seen:
            desk.wrong("P-N03", statement.span, f"`{statement.text}` is stored twice", "keep one of them")
        if session and statement.limit is not None:
            sentence = "a session cookie lasts as long as the session"
            desk.wrong("P-M19", statement.span, sentence, "drop the days, or make it a persistent cookie")
        if not session and not 1 <= (statement.limit or 0) <= MOST_DAYS:
            sentence = f"how long the {statement.words[0]} lasts is not said"
            desk.wrong("P-M19", statement.span, sentence, f"say how long, as 30 days, and at most {MOST_DAYS}")
        seen.add(statement.text)
        _purpose_of(desk, statement)


def _purpose_of(desk: Desk, statement: Statement) -> None:
    name = (statement.others or statement.names)[-1]
    if name.text not in desk.purposes:
        unknown(desk, "P-N02", "purpose", name, desk.purposes)


def _coarsened(desk: Desk) -> None:
    seen: set[str] = set()
    for statement in desk.of("coarsen"):
        precision = statement.precision
        if precision not in IN_PLACE:
            sentence = f"a value cannot be made `{precision}` in place"
            desk.wrong("P-M18", statement.span, sentence, f"one of: {', '.join(IN_PLACE)}")
            continue
        if not 1 <= statement.number <= MOST_DAYS:
            desk.wrong(
                "P-M12", statement.span, f"`{statement.number} days` is no window", f"give 1 to {MOST_DAYS} days"
            )
        for name in expanded(statement.names, desk.categories):
            if not precision.fits(name):
                advice = f"only {_fitting(precision)} can"
                desk.wrong("P-M05", statement.span, f"`{name}` cannot be made `{precision}`", advice)
            if name in seen:
                desk.wrong("P-N03", statement.span, f"`{name}` is coarsened twice", "keep one of them")
            seen.add(name)


def _handed_on(desk: Desk) -> None:
    for statement in desk.of("share"):
        _purpose_of(desk, statement)
        purpose = desk.purposes.get(statement.others[-1].text)
        if purpose is not None:
            _check_sensitive(desk, statement.span, purpose, expanded(statement.names, desk.categories))
        if not statement.text.strip():
            desk.wrong("P-M13", statement.span, "the recipient has no name", 'write its name in "quotation marks"')
        if desk.of("share_nothing"):
            sentence = f"`share with nobody` stands beside a share with `{statement.text}`"
            desk.wrong("P-M17", statement.span, sentence, "keep one of them")


def _undeclared(desk: Desk) -> None:
    for statement in desk.of("drop_undeclared") if desk.of("refuse_undeclared") else ():
        sentence = "what is not declared in metadata cannot be both dropped and refused"
        desk.wrong("P-M17", statement.span, sentence, "keep one of them")


def _parted(desk: Desk) -> None:
    """Check that no purpose uses both sides of what is never correlated, and that nothing is both allowed and not."""
    uses = _used(desk)
    said: dict[tuple[str, str], str] = {}
    for statement in desk.of("correlate"):
        left, right = (sorted(set(categories_of(desk, names))) for names in (statement.names, statement.others))
        for pair in product(left, right):
            key = (min(pair), max(pair))
            if said.setdefault(key, statement.words[0]) != statement.words[0]:
                sentence = f"`{key[0]}` with `{key[1]}` is both allowed and ruled out"
                desk.wrong("P-M16", statement.span, sentence, "keep one of them")
        for purpose, used in uses.items():
            pairs = product(sorted(used.intersection(left)), sorted(used.intersection(right)))
            both = next((f"`{one}` and `{other}`" for one, other in pairs if one != other), None)
            if statement.words[0] != "correlate" and both:
                advice = "let one purpose use one of them and another purpose the other"
                desk.wrong("P-M15", statement.span, f"`{purpose}` uses {both}, and so could correlate them", advice)


def _honoured(desk: Desk) -> None:
    """Check that a signal objects to what can be objected to: a yes is never a browser's to take back."""
    for name in (name for statement in desk.of("honour") for name in statement.names):
        purpose = desk.purposes.get(name.text)
        if purpose is None:
            unknown(desk, "P-N02", "purpose", name, desk.purposes)
        elif purpose.basis is not Basis.LEGITIMATE_INTEREST:
            sentence = f"`{name.text}` is by {purpose.basis}, and nobody objects to that"
            desk.wrong("P-M22", name.span, sentence, "name only purposes by legitimate interest")


def _asked(desk: Desk) -> None:
    for statement in desk.of("new_purpose"):
        if statement.limit is not None and not 1 <= statement.limit <= MOST_DAYS:
            sentence = f"nobody can be asked again after `{statement.limit} days`"
            advice = f"give 1 to {MOST_DAYS} days, or leave it out: people are asked once then"
            desk.wrong("P-M12", statement.span, sentence, advice)


def _called(desk: Desk) -> None:
    seen: set[str] = set()
    for statement in desk.of("call"):
        name = statement.names[0].text
        if name in seen:
            desk.wrong("P-N03", statement.span, f"`{name}` is called twice", "keep one of them")
        seen.add(name)
        if not statement.text.strip():
            desk.wrong("P-M13", statement.span, f"`{name}` is called nothing", 'say it in "a few words"')
        list(categories_of(desk, statement.names))


def _unused(desk: Desk) -> None:
    used = {use.purpose.text for s in desk.of("collect") for use in s.uses}
    used |= {s.names[-1].text for s in desk.of("store")} | {s.others[-1].text for s in desk.of("share") if s.others}
    for name, statement in desk.purposes.items():
        if name not in used and not desk.partial and not desk.said("P-N02"):
            sentence = f"purpose `{name}` uses nothing"
            desk.wrong("P-M09", statement.span, sentence, "let a `collect` clause name it, or leave it out")
