"""A sender is told which field of an event is malformed and what belongs there, and nothing of what it sent."""

import json
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from psycopg import Connection

from tests.conftest import Person
from tests.intake.sending import CRASH, USE, Application, event, registered, sent
from troth.intake import queries
from troth.intake.kinds import KINDS
from troth.intake.schema import fault, schema

#: What stands in an event and is told nobody.
SECRET = "hunter2"
FRAME = {"function": "save", "line": 41}


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice uses."""
    made = registered(owner, events=[*KINDS])
    made.knows(cast["alice"])
    return made


def said(answer: Any) -> tuple[str, Any]:
    assert answer.body["reason"] == "malformed", answer.body
    assert SECRET not in answer.content.decode()
    return answer.body["field"], answer.body["expected"]


#: What is otherwise than it should be, where, and what is said to belong there.
WRONG: tuple[tuple[dict[str, Any], str, dict[str, Any]], ...] = (
    ({"key": "short"}, "/key", {"type": "string", "minLength": 8, "maxLength": 200}),
    ({"key": None}, "/key", {"minLength": 8}),
    ({"kind": 7}, "/kind", {"enum": [*KINDS]}),
    ({"person": f"{SECRET}@harbor.example"}, "/person", {"maxLength": 64}),
    ({"at": SECRET}, "/at", {"type": "string", "format": "date-time"}),
    ({"at": "9999-12-31T23:59:59-14:00"}, "/at", {"format": "date-time"}),
    ({"objects": SECRET}, "/objects", {"type": "boolean"}),
    ({SECRET: 1}, "", {"required": ["key", "kind", "data"]}),
    ({"data": SECRET}, "/data", {"type": "object", "required": ["kind"]}),
    ({"data": {"message": SECRET}}, "/data/kind", {"type": "string", "minLength": 1}),
    ({"data": CRASH | {"release": 4}}, "/data/release", {"type": "string", "maxLength": 200}),
    ({"data": CRASH | {SECRET: {"password": SECRET}}}, "/data", {"type": "object"}),
    ({"data": CRASH | {"stack": [FRAME, FRAME | {"line": -1}]}}, "/data/stack/1/line", {"type": "integer", "minimum": 0}),
    ({"data": CRASH | {"stack": [FRAME, FRAME | {SECRET: 1}]}}, "/data/stack/1", {"propertyNames": {"enum": ["function", "file", "line"]}}),
    ({"data": CRASH | {"stack": SECRET}}, "/data/stack", {"type": "array", "maxItems": 200}),
    ({"metadata": [SECRET]}, "/metadata", {"type": "object"}),
    ({"metadata": {"more": SECRET * 4096}}, "/metadata", {"type": "object"}),
    ({"kind": "activity", "data": {"event": "sync", "severity": f"{SECRET} - at `$.kind"}}, "/data/severity", {"enum": ["debug", "error", "fatal", "info", "trace", "warn"]}),
    ({"kind": "transaction", "data": {"item": SECRET, "amount": "19.95"}}, "/data", {"dependentRequired": {"amount": ["currency"], "currency": ["amount"]}}),
    ({"kind": "location", "data": {"latitude": 91, "longitude": 2}}, "/data/latitude", {"minimum": -90, "maximum": 90}),
)  # fmt: skip


def test_the_answer_names_the_field_and_what_belongs_there(notes: Application) -> None:
    bodies = [
        event("crash", notes.names["Alice"], f"wrong-{nth:04}") | change for nth, (change, *_) in enumerate(WRONG)
    ]
    answer = sent(bodies, key=notes.key)
    assert SECRET not in answer.content.decode()
    for told, (change, field, expected) in zip(answer.body["events"], WRONG, strict=True):
        assert (told["reason"], told["field"]) == ("malformed", field), change
        assert expected.items() <= told["expected"].items(), change
        jsonschema_rs.Draft202012Validator(told["expected"])  # it is a schema


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ('"kind": "location", "data": {"latitude": NaN, "longitude": 2}', "/data/latitude"),
        ('"kind": "location", "data": {"latitude": 1, "longitude": -Infinity}', "/data/longitude"),
        ('"kind": "location", "data": {"latitude": 1e400, "longitude": 2}', "/data/latitude"),
        (
            f'"kind": "crash", "data": {{"kind": "{SECRET}", "stack": [{{}}, {{"file": "\\ud800"}}]}}',
            "/data/stack/1/file",
        ),
        (f'"kind": "crash", "data": {{"kind": "{SECRET}", "{SECRET}": NaN}}', "/data"),
        (f'"kind": "crash", "data": {{"kind": "{SECRET}"}}, "metadata": {{"{SECRET}": NaN}}', "/metadata"),
        (f'"kind": "{SECRET}", "data": {{"{SECRET}": NaN}}', "/data"),
        (f'"kind": NaN, "data": {{"{SECRET}": 1}}', "/kind"),
    ],
)
def test_what_json_has_not_is_named_by_its_field(notes: Application, told: str, field: str) -> None:
    body = f'{{"key": "event-0001", "person": "{notes.names["Alice"]}", {told}}}'
    assert said(sent(body.encode(), key=notes.key))[0] == field


def test_of_a_kind_that_is_none_those_that_are_are_told(notes: Application) -> None:
    answer = sent(event("crash", notes.names["Alice"], "event-0001") | {"kind": SECRET}, key=notes.key)
    assert (answer.status, answer.body["reason"], answer.body["field"]) == (422, "unknown-kind", "/kind")
    assert answer.body["expected"]["enum"] == [*KINDS]
    assert SECRET not in answer.content.decode()


@pytest.mark.parametrize("body", [b"", b"{", b'{"key": "hunter2\xff"}', b'"hunter2"', b'{"data":' * 3000])
def test_what_is_no_object_at_all_is_so_as_a_whole(notes: Application, body: bytes) -> None:
    field, expected = said(sent(body, key=notes.key))
    assert field == ""
    assert {"type": "object", "required": ["key", "kind", "data"]}.items() <= expected.items()


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b" ", "this is empty"),
        (b'{"key": "hunter2-0001", "data"', "this ends too early"),
        (b'{"key": "hunter2-0001" "kind": "crash"}', "this is none from byte 23 on"),
        (b'{"key": "hunter2\xff"}', "this is no UTF-8"),
        (b"\xef\xbb\xbf{}", "this is none from byte 0 on"),
    ],
)
def test_what_is_no_json_is_said_to_be_none_and_where(notes: Application, body: bytes, where: str) -> None:
    """Something else than what is told of JSON that says the wrong thing."""
    field, expected = said(sent(body, key=notes.key))
    assert (field, expected["type"]) == ("", "object")
    assert expected["description"] == f"one object of JSON, and in a body of lines one a line; {where}"
    assert "description" not in said(sent(b'{"hunter2": 1}', key=notes.key))[1]


def test_of_lines_that_are_one_event_each_is_said_to_be_none(notes: Application) -> None:
    body = json.dumps(event("crash", notes.names["Alice"], "event-0001"), indent=2).encode()
    answer = sent(body, key=notes.key, content_type="application/x-ndjson")
    assert {each["expected"]["description"].partition(";")[0] for each in answer.body["events"][:1]} == {
        "one object of JSON, and in a body of lines one a line"
    }


def test_a_field_of_the_senders_own_is_told_by_no_name_whatever_it_looks_like(notes: Application) -> None:
    """A name that looks like the end of what a decoder says leads to no place that only the sender knows."""
    for name in (
        f"x - at `$.{SECRET}",
        f"{SECRET}` - at `$.stack[{SECRET}]",
        f"Object missing required field `{SECRET}",
        "z` - at `$.stack[600123123].file[1]",
        "z` - at `$.stack[12]",
        "z` - at `$.stack.4111111111111111",
        "z` - at `$.stack[\u0661\u0662]",
    ):
        told = event("crash", notes.names["Alice"], "wrong-0001", data=CRASH | {name: SECRET})
        for body in (told, json.dumps(told).replace("`", "\\u0060").encode()):
            field, _ = said(sent(body, key=notes.key))
            assert field == "/data"


@given(
    name=st.text(max_size=30)
    | st.lists(
        st.sampled_from(
            ("z", "` - at `", "`", "$", ".stack", ".line", "[7]", "[600123123]", ".4111", "\u0661", "hunter2")
        ),
        max_size=12,
    ).map("".join),
    deep=st.booleans(),
)
def test_no_name_of_the_senders_own_is_in_what_is_told(name: str, deep: bool) -> None:  # noqa: FBT001 - drawn
    """What is told is that of a name which says nothing at all, or less of the place, whatever the name says."""

    def faulty(field: str) -> tuple[str, Any]:
        more: dict[str, Any] = {"stack": [FRAME, FRAME | {field: 1}]} if deep else {field: 1}
        raw = json.dumps(CRASH | more).encode()
        with pytest.raises(msgspec.ValidationError) as refused:
            msgspec.json.decode(raw, type=KINDS["crash"].says)
        told = fault(refused.value, raw, "/data", "crash")
        return told.pointer, told.expected

    assume(name not in schema()["$defs"]["Crash"]["properties"] | schema()["$defs"]["Frame"]["properties"])
    plain = faulty("plain")
    assert faulty(name) == (plain if "`" not in name else faulty("`"))
    assert plain[0] == ("/data/stack/1" if deep else "/data")


def test_where_it_was_wrong_is_counted_nowhere(notes: Application) -> None:
    """What the operator counts is the reason and the kind, whatever the field was."""
    wrong = [event("crash", notes.names["Alice"], f"wrong-{nth:04}", data=CRASH | more) for nth, more in enumerate(({"release": 4}, {"message": 4}))]  # fmt: skip
    sent([*wrong, {"key": "short"}, []], key=notes.key)
    counted = [(each.kind, each.reason, each.count) for each in queries.counts()]
    assert sorted(counted) == [("", "malformed", 2), ("crash", "malformed", 2)]


def test_the_schema_describes_the_whole_event(notes: Application) -> None:
    answer = sent(b"", key="", path="/intake/v1/schema", method="GET")
    assert answer.status == 200
    assert answer.body == json.loads(json.dumps(schema()))
    validator = jsonschema_rs.Draft202012Validator(answer.body)
    good = [event(kind, "alice", "event-0001", at="2026-11-29T10:00:00Z") for kind in ("crash", "feature_use")]
    good += [event("crash", "", "event-0001", objects=True, metadata={"more": 1})]
    others = {
        "activity": {"event": "sync"}, "page_view": {"url": "/notes"}, "transaction": {"item": "A lamp"},
        "location": {"latitude": 41.4, "longitude": 2.2},
    }  # fmt: skip
    good += [{"key": "event-0001", "kind": kind, "data": data} for kind, data in others.items()]
    assert {each["kind"] for each in good} == KINDS.keys()
    for each in good:
        validator.validate(each)
        assert sent(each, key=notes.key).body.get("reason") != "malformed"
    asserting = jsonschema_rs.Draft202012Validator(answer.body, validate_formats=True)
    for change, *_ in WRONG:
        if change.get("at", "").startswith("9999") or "more" in change.get("metadata", {}):
            continue  # the end of all calendars, and a length in bytes, are said in words
        assert not asserting.is_valid(event("crash", "alice", "event-0001") | change), change
    for kind in KINDS:
        wrong = {"key": "event-0001", "kind": kind, "data": USE | CRASH}
        assert not validator.is_valid(wrong), "what another kind says"
