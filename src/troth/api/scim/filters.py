"""From a filter (RFC 7644 section 3.4.2.2) to what an index narrows, and whether more of it is left to judge."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scim2_models import ScimFilter
from scim2_models.path import AttrPath, CompareOperator, Comparison, FilterNode, LogicalExpr, ValuePath
from scim2_models.path.expressions import LogicalOperator

from troth.people.directory import Sought

NOBODY = uuid.UUID(int=0)
#: Attribute and operator, in lower case, to the part of `Sought` that an index answers.
INDEXED: Mapping[tuple[str, CompareOperator], str] = {
    ("id", CompareOperator.eq): "entry",
    ("username", CompareOperator.eq): "user",
    ("username", CompareOperator.sw): "user_begins",
    ("externalid", CompareOperator.eq): "external",
    ("emails", CompareOperator.eq): "email",
    ("emails.value", CompareOperator.eq): "email",
    ("displayname", CompareOperator.eq): "name",
    ("displayname", CompareOperator.sw): "name_begins",
    ("members", CompareOperator.eq): "member",
    ("members.value", CompareOperator.eq): "member",
}
IDENTIFIERS = frozenset({"entry", "member"})
#: What of a person no group has, and of a group no person.
PERSONS, GROUPS = frozenset({"user", "user_begins", "email"}), frozenset({"member"})


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What is sought, and whether each that is found must still be judged by the whole filter."""

    sought: Sought
    judged: bool


def narrowed(scim_filter: ScimFilter[Any] | None, *, persons: bool) -> Narrowed:
    """Return the narrowest condition of a filter that an index answers."""
    if scim_filter is None:
        return Narrowed(Sought(), judged=False)
    others = GROUPS if persons else PERSONS
    terms = list(_terms(scim_filter.ast))
    known = [(part, value) for term in terms for part, value in _indexed(term) if part not in others]
    if not known:
        return Narrowed(Sought(), judged=True)
    part, value = min(known, key=lambda each: each[0].endswith("begins"))
    if "\0" in value:  # which no text of the database can hold
        return Narrowed(Sought(entry=NOBODY), judged=False)
    told: dict[str, Any] = {part: _identifier(value) if part in IDENTIFIERS else value}
    return Narrowed(replace(Sought(), **told), judged=len(terms) > 1 or not isinstance(scim_filter.ast, Comparison))


def _terms(node: FilterNode) -> Iterator[FilterNode]:
    if isinstance(node, LogicalExpr) and node.op == LogicalOperator.and_:
        for term in node.terms:
            yield from _terms(term)
    else:
        yield node


def _indexed(term: FilterNode) -> Iterator[tuple[str, str]]:
    if isinstance(term, ValuePath):  # emails[type eq "work" and value eq "x"], as clients in the field write it
        for inner in _terms(term.val_filter):
            if isinstance(inner, Comparison):
                yield from _known(f"{term.attr_path.attr}.{inner.attr_path.attr}", inner)
    elif isinstance(term, Comparison):
        yield from _known(_written(term.attr_path), term)


def _known(written: str, comparison: Comparison) -> Iterator[tuple[str, str]]:
    part = INDEXED.get((written.lower(), comparison.op))
    if part is not None and isinstance(comparison.value, str):
        yield part, comparison.value


def _written(path: AttrPath) -> str:
    return f"{path.attr}.{path.sub_attr}" if path.sub_attr else path.attr


def _identifier(value: str) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except ValueError:
        return NOBODY
