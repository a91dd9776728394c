"""What an event may be, as JSON Schema (2020-12); and where one that was sent is something else."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from troth.intake.event import Fault
from troth.intake.kinds import KINDS, Sending

#: Where a decoder's message says that something stands which is no such thing, and what it misses.
PLACE, MISSING = re.compile(r" - at `\$([^`]*)`$"), re.compile(r"Object missing required field `([^`]*)`")
STEP = re.compile(r"\.([^.\[\]`]+)|\[([0-9]{1,9})\]")
#: How a message begins that holds a name of the sender's own, in which whatever follows may stand, too.
UNKNOWN = "Object contains unknown field `"
#: What of JSON makes a backtick, with which such a name could pretend to be a place.
BACKTICK = re.compile(rb"`|\\u0060")
#: What of a field's schema says what is expected there.
SAYING = (
    "description", "type", "enum", "const", "format", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems",
    "required", "dependentRequired",
)  # fmt: skip
#: What stands there together or not at all.
TOGETHER = {"Transaction": {"amount": ["currency"], "currency": ["amount"]}}
NULL = {"type": "null"}
#: Where a decoder says that what it read is no JSON.
BYTE = re.compile(r"\(byte ([0-9]{1,9})\)$")


def schema() -> dict[str, Any]:
    """Return the schema of an event; below `$defs` stands what each kind says."""
    return EVENT


def fault(error: Exception | None, raw: bytes, within: str = "", kind: str = "") -> Fault:
    """Return where a decoder met something else than expected, and what was expected there; nothing of what it met.

    `raw` is what it read, `within` where in the event that began, and `kind` the event's, where it was known by then.
    """
    message = str(error) if isinstance(error, msgspec.ValidationError) else ""
    feigned = message.startswith(UNKNOWN) and BACKTICK.search(raw) is not None
    found = None if feigned else PLACE.search(message)
    steps: list[str | int] = [name or int(nth) for name, nth in STEP.findall(found.group(1))] if found else []
    if missing := MISSING.match(message):
        steps.append(missing.group(1))
    elif not steps and not message.startswith(UNKNOWN):
        steps, kind = _no_value(raw, within, kind)
        if not steps and not within and error is not None and not message:
            return Fault("", {"description": _no_json(error, raw), **_expected(EVENT)})
    pointer, known = within, DATA[kind] if kind and within == "/data" else EVENT["properties"].get(within[1:], EVENT)
    for step in steps:
        inside = DATA[kind] if kind and f"{pointer}/{step}" == "/data" else _inside(known, step)
        if inside is None:  # which no schema knows: words of the sender's
            break
        pointer, known = f"{pointer}/{step}", inside
    return Fault(pointer, _expected(known))


def unfit(declared: Mapping[str, Any], path: Sequence[str | int]) -> Fault:
    """Return where in metadata something else stands than its application declared, and what it declared there."""
    known, way = declared, list[str | int]()
    for step in path:
        inside = known.get("items") if isinstance(step, int) else known.get("properties", {}).get(step)
        if inside is None:  # of another form than declared
            break
        known, way = inside, [*way, step]
    return Fault("/metadata" + "".join(f"/{step}" for step in way), _expected(known))


def _no_json(error: Exception, raw: bytes) -> str:
    """Return that one object of JSON is expected, and where this is none: the number of a byte tells nothing of it."""
    place = BYTE.search(str(error))
    match error:
        case _ if not raw.strip():
            where = "this is empty"
        case UnicodeDecodeError():
            where = "this is no UTF-8"
        case _ if place:
            where = f"this is none from byte {place[1]} on"
        case _ if "truncated" in str(error):
            where = "this ends too early"
        case _:
            where = "this is none"
    return f"one object of JSON, and in a body of lines one a line; {where}"


def _no_value(raw: bytes, within: str, kind: str) -> tuple[list[str | int], str]:
    """Return the way to the first value that JSON has not, a number that is none or endless or half a sign.

    And the kind of the event. Python's own decoder takes those, of which the other does not say where they are.
    """
    try:
        told = json.loads(raw)
        if not isinstance(told, dict):
            return [], kind
        named = told.get("kind")
        return _odd(told.get(within[1:]) if within else told) or [], kind or (named if named in [*KINDS] else "")
    except (ValueError, RecursionError):
        return [], kind


def _odd(told: Any) -> list[str | int] | None:  # noqa: ANN401 - whatever JSON holds
    match told:
        case float():
            return None if math.isfinite(told) else []
        case str():
            return [] if any("\ud800" <= sign <= "\udfff" for sign in told) else None
        case dict() | list():
            inside = told.items() if isinstance(told, dict) else enumerate(told)
            ways = ([step, *way] for step, each in inside if (way := _odd(each)) is not None)
            return next(ways, None)
    return None


def _resolved(known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference leads to, and of what may be null the rest."""
    if "$ref" in known:
        return _resolved(EVENT["$defs"][known["$ref"].rpartition("/")[2]])
    others = [each for each in known.get("anyOf", ()) if each != NULL]
    return {**known, **_resolved(others[0])} if len(others) == 1 else known


def _inside(known: Mapping[str, Any], step: str | int) -> Mapping[str, Any] | None:
    """Return what is expected one step further; None where the schema knows no such step."""
    known = _resolved(known)
    if isinstance(step, int):
        return known.get("items") if step < known.get("maxItems", 0) else None
    found: Mapping[str, Any] | None = known.get("properties", {}).get(step)
    return found


def _expected(known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is expected as a schema of its own; of an object, which fields it may have."""
    known = _resolved(known)
    told = {name: known[name] for name in SAYING if known.get(name, []) != []}
    if "properties" not in known:
        return told
    return {name: told[name] for name in told if name != "description"} | {
        "propertyNames": {"enum": [*known["properties"]]}
    }


def _event() -> dict[str, Any]:
    (sending, *kinds), known = msgspec.json.schema_components(
        [Sending, *(kind.says for kind in KINDS.values())], ref_template="#/$defs/{name}"
    )
    event: dict[str, Any] = known.pop(sending["$ref"].rpartition("/")[2])
    says = dict(zip(KINDS, kinds, strict=True))
    event["properties"]["kind"] |= {"enum": [*KINDS]}
    event["properties"]["data"] |= {"type": "object"}
    event["properties"]["metadata"] = {"type": "object"} | event["properties"]["metadata"]
    for name, needs in TOGETHER.items():
        known[name]["dependentRequired"] = needs
    event["allOf"] = [
        {"if": {"properties": {"kind": {"const": name}}}, "then": {"properties": {"data": told}}}
        for name, told in says.items()
    ]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **event, "title": "Event", "$defs": known}


EVENT = _event()
#: By kind, the schema of what it says.
DATA: Mapping[str, Any] = {
    each["if"]["properties"]["kind"]["const"]: each["then"]["properties"]["data"] for each in EVENT["allOf"]
}
