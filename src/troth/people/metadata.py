"""What an application says beside what a kind of event says: a JSON Schema in its manifest, each field of a category.

A part of the vocabulary of 2020-12 only: no references, nothing that is tried in several ways, patterns that are
matched in linear time. What a field says is held under the category of the table's column: whoever may use that may use
the field's own category as well, as long.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import msgspec

from troth.policy.catalog import Catalog, Table
from troth.policy.meaning import Occasion, Policy, Precision, Use

COLUMN = "metadata"
CATEGORY, APART = "x-category", "x-not-personal"
SAID = frozenset({"title", "description"})
#: By type, what may be said of a value; of any type also what is in EACH.
EACH = frozenset({"type", "enum", "const", CATEGORY, APART}) | SAID
WORDS: Mapping[str, frozenset[str]] = {
    "string": EACH | {"minLength", "maxLength", "pattern"},
    "integer": EACH | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "number": EACH | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "boolean": EACH,
    "array": EACH - {"enum", "const"} | {"items", "minItems", "maxItems", "uniqueItems"},
    "object": EACH - {"enum", "const"} | {"properties", "required"},
}
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
#: Bytes of a schema as JSON, fields of it, and how deep they may lie.
LONGEST, MOST, DEEPEST = 16 * 1024, 50, 5
#: What a pattern may come to, compiled.
PATTERNS = jsonschema_rs.RegexOptions(size_limit=256 * 1024, dfa_size_limit=256 * 1024)


@dataclass(frozen=True, slots=True)
class Field:
    """A value that may be told, by its path, with its category; none where it is declared not personal."""

    path: tuple[str, ...]
    category: str | None

    @property
    def written(self) -> str:
        """The path as people read it."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a schema, and at which of its words."""

    words: str
    path: tuple[str, ...]


def fields(schema: Any) -> Iterator[Field | Wrong]:  # noqa: ANN401 - whatever a manifest holds
    """Yield each value that a schema lets be told, and everything that is wrong with it."""
    found = list(_walk(schema, (), None, "object"))
    yield from found
    try:
        size = len(msgspec.json.encode(schema))
    except (TypeError, ValueError, OverflowError, RecursionError):
        size = LONGEST + 1
    if size > LONGEST or sum(isinstance(each, Field) for each in found) > MOST:
        yield Wrong(f"a schema has at most {LONGEST // 1024} kB and {MOST} fields", ())
    elif not any(isinstance(each, Wrong) for each in found):
        try:
            validator(schema)
        except (jsonschema_rs.ValidationError, TypeError, ValueError) as error:
            yield Wrong(f"it is no JSON Schema: {str(error).partition(chr(10))[0]}", ())


def _walk(
    told: Any,  # noqa: ANN401 - whatever a manifest holds
    path: tuple[str, ...],
    category: str | None,
    wanted: str = "",
    deep: int = 0,
) -> Iterator[Field | Wrong]:
    kind = told.get("type") if isinstance(told, dict) else None
    if not isinstance(kind, str) or kind not in WORDS or (wanted and kind != wanted):
        yield Wrong(f"`type` is {f'"{wanted}"' if wanted else 'one of ' + ', '.join(WORDS)}", path)
        return
    if deep > DEEPEST:
        yield Wrong(f"fields lie at most {DEEPEST} deep", path)
        return
    for word in sorted(set(told) - WORDS[kind]):
        yield Wrong(f"`{word}` means nothing here, of type {kind}; there is {', '.join(sorted(WORDS[kind]))}", path)
    own, apart = told.get(CATEGORY), told.get(APART)
    if (own is not None and apart is not None) or not all(
        isinstance(each, str) and each for each in (own or "-", apart or "-")
    ):
        yield Wrong(f"it has a category (`{CATEGORY}`), or the reason why it is not personal (`{APART}`)", path)
        return
    category = own or ("" if apart else category)
    if kind == "object":
        yield from _properties(told, path, category, deep)
    elif kind == "array":
        yield from _walk(told.get("items"), path, category, deep=deep + 1)
    elif category is None:
        yield Wrong(f"it needs a category (`{CATEGORY}`), or the reason why it is not personal (`{APART}`)", path)
    else:
        yield Field(path, category or None)


def _properties(
    told: dict[str, Any], path: tuple[str, ...], category: str | None, deep: int
) -> Iterator[Field | Wrong]:
    properties = told.get("properties")
    if not isinstance(properties, dict) or not properties:
        yield Wrong("`properties` says at least one field", path)
        return
    for name, each in properties.items():
        if not NAME.fullmatch(name):
            yield Wrong(f"`{name[:60]}` is no name of a field: letters, digits and `_`, at most 60", path)
        else:
            yield from _walk(each, (*path, name), category, deep=deep + 1)


def validator(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Compile a schema. Raises jsonschema_rs.ValidationError and ValueError."""
    return jsonschema_rs.Draft202012Validator(dict(schema), pattern_options=PATTERNS, offline=True)


def uncovered(policy: Policy, table: Table, category: str) -> Iterator[str]:
    """Yield what the policy would need so that whoever may use a table's metadata may use a category in it."""
    held = table.column(COLUMN).category or ""
    for occasion in table.occasions:
        known = list(_uses(policy, category, occasion))
        for use in _uses(policy, held, occasion):
            if not any(_covers(each, use, category) for each in known):
                yield f"collect {category} on {occasion} for {use.purpose} {use.window.written}"


def _uses(policy: Policy, category: str, occasion: Occasion) -> Iterator[Use]:
    for each in policy.collections:
        if each.occasion is occasion and category in each.categories:
            yield from each.uses


def _covers(known: Use, use: Use, category: str) -> bool:
    # What lies in JSON is read as it is or not at all: a network of it cannot be made.
    counted = known.precision is use.precision is Precision.COUNTED
    finely = known.precision is Precision.AS_IS or counted or not known.precision.fits(category)
    return known.purpose == use.purpose and finely and use.window.within(known.window)


def kinds(catalog: Catalog) -> dict[str, Table]:
    """Return the tables of events that can hold metadata, by kind."""
    return {
        table.name: table
        for table in catalog.stamped
        if table.through and any(column.name == COLUMN for column in table.columns)
    }
