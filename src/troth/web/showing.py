"""Profile fields as pages show them: label, value, why it is there, and the clause."""

from typing import Any

from troth.people.cleaning import Value
from troth.people.fields import Field
from troth.people.holding import Held, Seen
from troth.web.telling import clause_of, language, why


def row(held: Held) -> dict[str, Any]:
    """Return a field that an organization holds, or that is seen of a member, as a page shows it."""
    return field_row(held.field, held.value) | {"seen": True, "since": held.since, "writable": held.writable}


def field_row(field: Field, value: Value) -> dict[str, Any]:
    """Return a value of a field as a page shows it."""
    return {
        "name": field.name,
        "label": field.said(language()),
        "value": field.word(value, language()) if isinstance(value, str) else value,
        "type": str(field.type),
        "why": why(field),
        "clause": clause_of(field),
    }


def rows(seen: Seen) -> dict[str, list[dict[str, Any]]]:
    """Return a member as a page shows them, to whoever administers and to themselves."""
    return {"held": [row(each) for each in seen.held], "told": [row(each) for each in seen.told]}
