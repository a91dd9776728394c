"""Profile fields that the operator defines: what the text says, held against the policy, and the columns it becomes.

A field's column is governed like any other (`profile` for what people hold, `membership` for what their organizations
hold), so that grants, precision, withholding, retention, export and erasure follow from its category.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from troth.people.written import Desk, toml
from troth.policy.catalog import Catalog, Column, Table
from troth.policy.declaring import LONGEST, Type, joined
from troth.policy.errors import PolicyErrors
from troth.policy.meaning import Audience, Condition, Occasion, Policy, Right, Verb
from troth.policy.plan import plan
from troth.policy.planned import Plan
from troth.policy.voice import LANGUAGES

DECLARER = "profile"
PERSON, ORGANIZATION = "person", "organization"
#: Where a holder's fields have their columns.
TABLES = {PERSON: "profile", ORGANIZATION: "membership"}
#: What stands with a request for a correction of what an organization holds.
TIE = "person.organization"
OCCASIONS = (Occasion.SIGN_UP, Occasion.PROFILE)
VERBS = (Verb.REVIEW, Verb.CORRECT, Verb.DELETE)
TYPES = tuple(each for each in Type if each is not Type.IDENTIFIER)
KEYS = frozenset({"type", "category", "label", "asked", "required", "held_by", "may", "longest", "choices"})
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
WORD = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
MOST, MOST_CHOICES, LONGEST_LABEL = 40, 100, 100

type Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """A field: the name of its column, what it holds, and how it is asked. `words` are the choices with their labels.

    `occasion` is when people are asked, and `may` the permissions that the operator assigns (None: all that the policy
    lets people).
    """

    name: str
    type: Type
    category: str
    labels: Labels
    holder: str = PERSON
    occasion: Occasion = Occasion.PROFILE
    required: bool = False
    longest: int = 0
    words: Mapping[str, Labels] | None = None
    may: tuple[Verb, ...] | None = None

    @property
    def table(self) -> str:
        """Where its column is."""
        return TABLES[self.holder]

    @property
    def column(self) -> Column:
        """Its column as the catalog has it."""
        choices = tuple(self.words or ())
        held = self.holder if self.holder != PERSON else ""
        return Column(
            self.name, self.category, type=self.type, longest=self.longest, choices=choices, may=self.may, held=held
        )

    def said(self, language: str) -> str:
        """Return its label."""
        return self.labels.get(language, next(iter(self.labels.values())))

    def word(self, choice: str, language: str) -> str:
        """Return the label of a choice."""
        labels = (self.words or {}).get(choice, {})
        return labels.get(language, choice)


def tables(fields: tuple[Field, ...]) -> dict[str, Any]:
    """Return what the fields declare, as a `governed.toml` tells it."""
    return {
        table: {"columns": {field.name: _told(field) for field in fields if field.table == table}}
        for table in dict.fromkeys(field.table for field in fields)
    }


def _told(field: Field) -> dict[str, Any]:
    column = field.column
    told: dict[str, Any] = {"category": column.category, "type": str(field.type)}
    told |= {"longest": column.longest} if column.longest else {}
    told |= {"choices": list(column.choices)} if column.choices else {}
    told |= {"may": [str(verb) for verb in column.may]} if column.may is not None else {}
    return told | ({"held": column.held} if column.held else {})


def read(text: str, *, policy: Policy, plan: Plan, catalog: Catalog) -> tuple[Field, ...]:
    """Return the fields of a text (TOML, a table for each field) that the policy covers.

    `plan` and `catalog` are over the house's own tables, without any field. Raises ManifestRefusal with
    every error and its line.
    """
    desk = Desk(text, toml(text, "the text"), policy, plan, catalog)
    if len(desk.told) > MOST:
        desk.wrong(f"there are {len(desk.told)} fields; have at most {MOST}", list(desk.told)[MOST])
    found = [field for name, told in desk.told.items() for field in _field(desk, name, told)]
    desk.refuse("the fields cannot be declared")
    for field in found:
        for words in _uncovered(desk, field):
            desk.wrong(words, field.name, "category")
    desk.refuse("the fields cannot be declared")
    _plan(desk, tuple(found))
    return tuple(found)


# What the text says


def _field(desk: Desk, name: str, told: Any) -> Iterator[Field]:  # noqa: ANN401 - whatever the text holds
    before = len(desk.errors)
    if not NAME.fullmatch(name):
        desk.wrong(f"`{name}` names no field: use up to 40 small letters, digits and underscores", name)
    if not isinstance(told, dict):
        desk.wrong(f"`{name}` is no field; a field is a table: [{name}]", name)
        return
    for key in sorted(set(told) - KEYS):
        desk.wrong(f"`{key}` means nothing in a field; it may hold {', '.join(sorted(KEYS))}", name, key)
    for key in sorted({"type", "category", "label"} - set(told)):
        desk.wrong(f"`{name}` has no `{key}`", name)
    if not isinstance(told.get("category", ""), str):
        desk.wrong('`category` is one of the policy\'s, as in "person.phone"', name, "category")
    kind = _one(desk, name, told, "type", TYPES, Type.TEXT)
    holder = _one(desk, name, told, "held_by", tuple(TABLES), PERSON)
    occasion = _one(desk, name, told, "asked", OCCASIONS, Occasion.PROFILE)
    labels = _labels(desk, told.get("label", {}), name, "label")
    required = _required(desk, name, told, holder, occasion)
    _free(desk, name, holder)
    longest, words, may = _longest(desk, name, told, kind), _words(desk, name, told, kind), _may(desk, name, told)
    if len(desk.errors) == before:
        yield Field(name, kind, told["category"], labels, holder, occasion, required, longest, words, may)


def _one[T: str](desk: Desk, name: str, told: Mapping[str, Any], key: str, known: tuple[T, ...], usual: T) -> T:
    value = told.get(key, usual)
    if value not in known:
        desk.wrong(f"`{key}` is one of {', '.join(known)}", name, key)
        return usual
    return next(each for each in known if each == value)


def _required(desk: Desk, name: str, told: Mapping[str, Any], holder: str, occasion: Occasion) -> bool:
    required = told.get("required", False)
    if not isinstance(required, bool):
        desk.wrong("`required` is true or false", name, "required")
    elif required and (occasion is not Occasion.SIGN_UP or holder != PERSON):
        desk.wrong('only what is asked = "sign-up" can be required', name, "required")
    if holder == ORGANIZATION and occasion is not Occasion.PROFILE:
        desk.wrong('what an organization holds is asked = "profile"', name, "asked")
    return bool(required)


def _labels(desk: Desk, told: Any, *place: str) -> Labels:  # noqa: ANN401 - whatever the text holds
    sample = ", ".join(f'{language} = "…"' for language in LANGUAGES)
    if not isinstance(told, dict) or set(told) != set(LANGUAGES):
        desk.wrong(f"a label stands in each language: {{ {sample} }}", *place)
        return {}
    for text in told.values():
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_LABEL or not text.isprintable():
            desk.wrong(f"a label is a text of at most {LONGEST_LABEL} characters", *place)
            return {}
    return {language: " ".join(told[language].split()) for language in LANGUAGES}


def _free(desk: Desk, name: str, holder: str) -> None:
    own = {table.name: {column.name for column in table.columns} for table in desk.catalog}
    if (
        name in own.get(TABLES[holder], ())
        or name in own[TABLES[PERSON]]
        or (holder == ORGANIZATION and name in own["correction"])
    ):
        desk.wrong(f"`{name}` is what `{TABLES[holder]}` calls something of its own; choose another name", name)


def _longest(desk: Desk, name: str, told: Mapping[str, Any], kind: Type) -> int:
    most, usual = LONGEST.get(kind, (0, 0))
    longest = told.get("longest", usual)
    if "longest" in told and not most:
        desk.wrong(f"a {kind} has no `longest`", name, "longest")
    elif type(longest) is not int or not 0 <= longest <= most or (most and not longest):
        desk.wrong(f"`longest` is a number of characters from 1 to {most}", name, "longest")
    return longest if type(longest) is int else 0


def _words(desk: Desk, name: str, told: Mapping[str, Any], kind: Type) -> Mapping[str, Labels] | None:
    words = told.get("choices")
    if kind is not Type.CHOICE:
        if words is not None:
            desk.wrong('`choices` are for type = "choice"', name, "choices")
        return None
    if not isinstance(words, dict) or not 1 <= len(words) <= MOST_CHOICES:
        desk.wrong(f"`choices` names 1 to {MOST_CHOICES} words with their labels: [{name}.choices]", name, "choices")
        return None
    for word in words:
        if not WORD.fullmatch(word):
            desk.wrong(f"`{word}` is no word for a choice: use small letters, digits, - and _", name, "choices", word)
    return {word: _labels(desk, labels, name, "choices", word) for word, labels in words.items()}


def _may(desk: Desk, name: str, told: Mapping[str, Any]) -> tuple[Verb, ...] | None:
    may = told.get("may")
    if may is None:
        return None
    if not isinstance(may, list) or not set(may) <= set(VERBS):
        desk.wrong(f"`may` lists permissions out of {', '.join(VERBS)}", name, "may")
        return None
    return tuple(verb for verb in VERBS if verb in may)


# What the policy says


def _uncovered(desk: Desk, field: Field) -> Iterator[str]:
    """Yield why the policy in force does not let a field be, with the clause that would."""
    category = field.category
    undeclared = list(desk.undeclared(category))
    if undeclared or category in _elsewhere(desk.catalog):
        yield from undeclared or [f"`{category}` has its own place already, and no field"]
        return
    collected = [each for each in desk.policy.collections if category in each.categories]
    if not any(each.occasion is field.occasion for each in collected):
        needed = f"collect {category} on {field.occasion} for provide while the account exists"
        when = f"; `{collected[0].clause.name}` does on {collected[0].occasion}" if collected else ""
        yield f"no clause collects `{category}` on {field.occasion}{when}; the policy would need: {needed}"
    if field.holder == ORGANIZATION and not any(
        TIE in e.categories and e.occasion is field.occasion for e in desk.policy.collections
    ):
        needed = f"collect {TIE} on {field.occasion} for provide while the account exists"
        yield f"its person could not ask for a correction; the policy would need: {needed}"
    yield from _unseen(desk.policy, field)
    yield from _promised(desk.policy, field)


def _elsewhere(catalog: Catalog) -> set[str]:
    """Return the categories that the house holds itself, once for each person or by the sign-in service alone."""
    stamped = {column.category for table in catalog.stamped for column in table.columns if column.category}
    person = {column.category for column in catalog.table("person").columns if column.category}
    return person | (catalog.categories - stamped)


def _unseen(policy: Policy, field: Field) -> Iterator[str]:
    """Yield who would have to be shown a field, or let at it, and is not."""
    category = field.category
    if field.holder == ORGANIZATION and not _shown(policy, category, Audience.ADMINISTRATORS):
        yield f"nobody could fill it in; the policy would need: show {category} to {Audience.ADMINISTRATORS}"
    seen = any(Verb.REVIEW in each.verbs or Verb.CORRECT in each.verbs for each in _rights(policy, category))
    if not seen and not _shown(policy, category, Audience.PERSON):
        yield f"its person could not see it; the policy would need: show {category} to {Audience.PERSON}"
    later = field.holder == PERSON and field.occasion is Occasion.PROFILE
    if later and not any(Verb.CORRECT in right.verbs for right in _rights(policy, category)):
        yield f"nobody could fill it in; the policy would need: let people correct {category} {Condition.ASSIGNED}"
    elif later and field.may is not None and Verb.CORRECT not in field.may:
        yield 'nobody could fill it in: what is asked = "profile" needs "correct" in `may`'


def _promised(policy: Policy, field: Field) -> Iterator[str]:
    """Yield what the policy promises people without a condition, and the field would take from them."""
    kept = (Verb.CORRECT, Verb.DELETE) if field.holder == ORGANIZATION else ()
    for right in _rights(policy, field.category):
        for verb in right.verbs:
            missing = verb in kept or (field.may is not None and verb in VERBS and verb not in field.may)
            if missing and right.condition is not Condition.ASSIGNED:
                where = f"`{right.clause.name}` (line {right.clause.span.line} of the policy)"
                yield f"{where} lets people {verb} it whoever holds it; it would need: {Condition.ASSIGNED}"


def _shown(policy: Policy, category: str, audience: Audience) -> bool:
    return any(sight.audience is audience and category in sight.categories for sight in policy.sights)


def _rights(policy: Policy, category: str) -> list[Right]:
    return [right for right in policy.rights if category in right.categories]


def _plan(desk: Desk, fields: tuple[Field, ...]) -> None:
    try:
        plan(desk.policy, with_fields(desk.catalog, fields))
    except PolicyErrors as errors:
        for error in errors.errors:
            line = f"{error.code}, line {error.span.line} of the policy"
            desk.wrong(f"the tables could not hold to the policy then ({line}): {error.sentence}")
        desk.refuse("the fields cannot be declared")


def with_fields(catalog: Catalog, fields: tuple[Field, ...]) -> Catalog:
    """Return the house's catalog with the columns of fields."""

    def filled(table: Table) -> Table:
        columns = tuple(field.column for field in fields if field.table == table.name)
        return joined(table, Table(table.name, table.room, columns)) if columns else table

    return Catalog(tuple(map(filled, catalog)), catalog.functions)
