"""What applications say in their own words: as their manifest declares it and the policy covers it, guarded, seen, and gone with the rest."""

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person
from tests.intake.sending import CRASH, MANIFEST, Application, Sent, finished, sent
from tests.rights.asking import erased, exported, part
from troth.database import apply, connect, published
from troth.database.catalog import load
from troth.database.errors import RequestRefusal
from troth.intake import described, queries, store, timeline
from troth.intake.answers import Request
from troth.intake.decisions import Decisions
from troth.intake.event import Refused
from troth.intake.kinds import KINDS
from troth.intake.reading import decode
from troth.intake.sent import Known, Sender, judge
from troth.people import metadata, registering
from troth.policy import parse
from troth.policy.plan import plan

FIRST = POLICY.read_text(encoding="utf-8")
REFUSING = "refuse what is not declared in metadata [P8, P9]\n"
DROPPING = REFUSING.replace("refuse", "drop")
SECOND = FIRST.replace("version 1 effective", "version 2 effective")
USED = {"feature": "export", "outcome": "done"}
FORMAT: dict[str, Any] = {"type": "string", "maxLength": 200, "x-category": "use.feature"}
PAGES: dict[str, Any] = {"type": "integer", "minimum": 0, "x-not-personal": "how long documents are"}
TAGS: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "maxItems": 3, "x-category": "use.feature"}
SIZE: dict[str, Any] = {"type": "object", "properties": {"wide": {"type": "number"}}, "x-category": "use.feature"}
FIELDS: dict[str, Any] = {"format": FORMAT, "pages": PAGES, "tags": TAGS, "size": SIZE}
SCHEMA: dict[str, Any] = {"type": "object", "properties": FIELDS, "required": ["format"]}
TOLD = {"format": "pdf", "pages": 12, "tags": ["a", "b"], "size": {"wide": 1.5}}


def toml(value: Any) -> str:
    """Write a value as an inline part of a manifest."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(each)}" for name, each in value.items()) + "}"
    return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def manifest(schema: Any, kind: str = "feature_use") -> str:
    events = json.dumps(sorted(KINDS))
    return MANIFEST.format(events=events) + f"\n[metadata]\n{kind} = {toml(schema)}\n"


def registered(owner: Connection[Any], schema: Any = SCHEMA, kind: str = "feature_use") -> Application:
    name = registering.register(owner, {"manifest": manifest(schema, kind)})["application"]
    return Application(name, registering.add_key(owner, {"application": name})["key"], {})


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice uses, and which says more of what is used."""
    made = registered(owner)
    made.knows(cast["alice"])
    return made


def tell(notes: Application, told: Any, key: str = "event-0001", **more: Any) -> Sent:
    event = {"key": key, "kind": "feature_use", "person": notes.names["Alice"], "data": USED, "metadata": told}
    return sent(event | more, key=notes.key)


def stored(owner: Connection[Any], table: str = "feature_use") -> list[Any]:
    return [told for (told,) in owner.execute(f"SELECT metadata FROM troth.{table} ORDER BY at".encode()).fetchall()]


def under(owner: Connection[Any], source: str) -> None:
    apply.apply(owner, source, TERMS)
    published.forget()


# What is stored


def test_what_was_declared_is_stored_and_read_by_the_purposes_that_may(
    notes: Application, owner: Connection[Any]
) -> None:
    assert tell(notes, TOLD).status == 201
    assert stored(owner) == [TOLD]
    with connect.acting("understand") as understand:
        assert understand.execute("SELECT metadata->>'format' FROM feature_use").fetchall() == [("pdf",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("provide") as provide:
        provide.execute("SELECT metadata FROM troth.feature_use")


def test_events_that_say_nothing_more_are_stored_as_before_beside_others(
    notes: Application, owner: Connection[Any]
) -> None:
    plain = {"key": "event-0001", "kind": "feature_use", "person": notes.names["Alice"], "data": USED}
    both = [plain, plain | {"key": "event-0002", "metadata": TOLD}]
    assert [each["outcome"] for each in sent(both, key=notes.key).body["events"]] == ["stored"] * 2
    assert sorted(stored(owner), key=str) == sorted([None, TOLD], key=str)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"secret": "x"}, ""),
        ({"__proto__": {}}, ""),
        ({"size": {"wide": 1, "high": 2}}, "/size"),
        ({"size": [{"wide": 1, "high": 2}]}, "/size"),
        ({"size": {"wide": {"secret": 1}}}, "/size/wide"),
        ({"format": {"secret": "x"}}, "/format"),
    ],
)
def test_what_was_not_declared_is_refused_with_the_clause_that_says_so_and_its_place(
    notes: Application, owner: Connection[Any], more: dict[str, Any], field: str
) -> None:
    answer = tell(notes, TOLD | more)
    assert (answer.status, answer.body["reason"], answer.body["clause"]) == (
        403, "metadata-undeclared", "refuse-undeclared",
    )  # fmt: skip
    assert answer.body["field"] == f"/metadata{field}"
    assert "secret" not in str(answer.body)
    if not field:
        assert answer.body["expected"]["propertyNames"] == {"enum": ["format", "pages", "tags", "size"]}
    assert stored(owner) == []
    assert {(each.reason, each.clause) for each in queries.counts() if each.outcome == "refused"} == {
        ("metadata-undeclared", "refuse-undeclared")
    }


def test_a_policy_may_let_it_be_dropped_and_the_rest_stored(notes: Application, owner: Connection[Any]) -> None:
    assert REFUSING in SECOND
    under(owner, SECOND.replace(REFUSING, DROPPING))
    assert tell(notes, TOLD | {"secret": "x", "size": {"wide": 1, "high": 2}}).status == 201
    assert stored(owner) == [TOLD | {"size": {"wide": 1}}]
    assert tell(notes, {"secret": "x"}, key="event-0002").body["reason"] == "metadata-unfit"  # `format` is required
    crash = {"key": "event-0003", "kind": "activity", "person": notes.names["Alice"], "data": {"event": "sync"}}
    assert sent(crash | {"metadata": {"secret": "x"}}, key=notes.key).status == 201
    assert stored(owner, "activity") == [None]


#: Of each kind: what it says, a field that the policy covers, and what reads it.
OTHERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "crash": (CRASH, "crash.report", "provide"),
    "page_view": ({"url": "/notes"}, "access.url", "understand"),
    "location": ({"latitude": 41.388791, "longitude": 2.158992}, "location.source", "provide"),
    "activity": ({"event": "sync"}, "activity.event", "provide"),
    "transaction": ({"item": "A lamp"}, "transaction.item", "provide"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_every_kind_takes_what_its_schema_declares_and_nothing_else(
    owner: Connection[Any], cast: dict[str, Person], kind: str
) -> None:
    data, category, purpose = OTHERS[kind]
    notes = registered(owner, {"type": "object", "properties": {"word": FORMAT | {"x-category": category}}}, kind)
    notes.knows(cast["alice"])
    told = {"kind": kind, "person": notes.names["Alice"], "data": data}
    answers = sent(
        [
            told | {"key": f"event-000{nth}", "metadata": more}
            for nth, more in enumerate(({"word": "for bob@harbor.example"}, {"word": 1}, {"secret": "x"}))
        ],
        key=notes.key,
    ).body["events"]
    assert [each.get("reason", each["outcome"]) for each in answers] == [
        "stored", "metadata-unfit", "metadata-undeclared",
    ]  # fmt: skip
    assert stored(owner, kind) == [{"word": "for [e-mail]"}]
    with connect.acting(purpose) as reader:
        assert reader.execute(f"SELECT metadata->>'word' FROM {kind}".encode()).fetchall() == [("for [e-mail]",)]
    (row,) = part(exported(owner, cast["alice"]), kind).rows
    assert row.values["metadata"] == {"word": "for [e-mail]"}
    (item,) = timeline.items(cast["alice"].token, of=[kind])
    assert item.metadata == {"word": "for [e-mail]"}


#: What no kind says, at each place where something may stand.
SURPLUS = (
    ("crash", CRASH | {"locals": {"password": "hunter2"}}),
    ("crash", CRASH | {"stack": [{"function": "save", "file": "store.py", "line": 41, "vars": {"password": "hunter2"}}]}),
    ("activity", {"event": "sync", "hunter2": None}),
    ("feature_use", USED | {"password": "hunter2"}),
    ("page_view", {"url": "/notes", "cookies": ["hunter2"]}),
    ("transaction", {"item": "A lamp", "card": 10**30}),
    ("location", {"latitude": 41.388791, "longitude": 2.158992, "street": "hunter2"}),
)  # fmt: skip


@pytest.mark.parametrize(("clause", "outcome"), [(REFUSING, "refused"), (DROPPING, "stored"), ("", "refused")])
def test_fields_that_no_kind_has_are_refused_or_dropped_as_the_policy_says(
    notes: Application, owner: Connection[Any], clause: str, outcome: str
) -> None:
    under(owner, SECOND.replace(REFUSING, clause))
    told = [
        {"key": f"event-{nth:04}", "kind": kind, "person": notes.names["Alice"], "data": data}
        for nth, (kind, data) in enumerate(SURPLUS)
    ]
    answers = sent(told, key=notes.key).body["events"]
    assert {each["outcome"] for each in answers} == {outcome}
    if outcome == "refused":
        why = {(each["reason"], each.get("clause", "")) for each in answers}
        assert why == {("malformed", "refuse-undeclared" if clause else "")}
    every = [owner.execute(f"SELECT to_jsonb(t)::text FROM troth.{kind} AS t".encode()).fetchall() for kind in KINDS]
    assert sum(map(len, every)) == (len(SURPLUS) if outcome == "stored" else 0)
    assert "hunter2" not in str(every)


@pytest.mark.parametrize(
    "data",
    [
        {"feature": 1, "more": 1}, {"more": 1}, {"feature": {"more": "x"}}, {"feature": "x", "more": []} | {"outcome": []},
        {"feature": "x", "more": json.loads("[" * 20 + "]" * 20)},
    ],
)  # fmt: skip
def test_what_is_left_when_fields_are_dropped_must_fit_its_kind(
    notes: Application, owner: Connection[Any], data: dict[str, Any]
) -> None:
    under(owner, SECOND.replace(REFUSING, DROPPING))
    told = {"key": "event-0001", "kind": "feature_use", "person": notes.names["Alice"], "data": data}
    assert sent(told, key=notes.key).body["reason"] == "malformed"
    deep = b'{"key": "event-0002", "kind": "crash", "person": "x", "data": {"kind": "x", "stack": ' + b"[" * 3000
    assert sent(deep + b"]" * 3000 + b"}}", key=notes.key).body["reason"] == "malformed"
    assert stored(owner) == []


def test_a_server_tells_how_a_page_was_asked_for_and_answered(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    page = {"key": "event-0001", "kind": "page_view", "person": notes.names["Alice"]}
    for data in (
        {"method": "get"},
        {"method": "GET\n"},
        {"method": "X" * 21},
        {"status": 99},
        {"status": 600},
        {"status": "200"},
    ):
        assert sent(page | {"data": {"url": "/notes"} | data}, key=notes.key).body["reason"] == "malformed", data
    assert sent(page | {"data": {"url": "/notes", "method": "POST", "status": 404}}, key=notes.key).status == 201
    assert owner.execute("SELECT method, status FROM troth.page_view").fetchall() == [("POST", 404)]
    (view,) = queries.page_views(cast["alice"].token)
    assert (view.method, view.status) == ("POST", 404)
    (item,) = timeline.items(cast["alice"].token, of=["page_view"])
    assert item.words == "POST /notes"


def test_it_is_not_stored_where_the_policy_does_not_collect_it(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    narrower = SECOND.replace(
        "access.url, access.method, access.status,\n    access.time", "access.url,\n    access.time"
    )
    narrower = narrower.replace(
        "access.url, access.method, access.status, access.time, access.place", "access.url, access.time, access.place"
    )
    assert narrower.count("access.method") == 1
    under(owner, narrower)
    page = {"key": "event-0001", "kind": "page_view", "person": notes.names["Alice"]}
    assert sent(page | {"data": {"url": "/notes", "method": "POST", "status": 404}}, key=notes.key).status == 201
    assert owner.execute("SELECT url, method, status FROM troth.page_view").fetchall() == [("/notes", None, None)]


def test_without_a_clause_it_is_refused(notes: Application, owner: Connection[Any]) -> None:
    under(owner, SECOND.replace(REFUSING, ""))
    answer = tell(notes, TOLD | {"secret": "x"})
    assert (answer.status, answer.body["reason"], answer.body.get("clause", "")) == (403, "metadata-undeclared", "")


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({}, "format"), ({"pages": 1}, "format"), (TOLD | {"pages": "12"}, "pages"), (TOLD | {"pages": -1}, "pages"),
        (TOLD | {"pages": 1.5}, "pages"), (TOLD | {"format": None}, "format"), (TOLD | {"format": "x" * 201}, "format"),
        (TOLD | {"tags": ["a"] * 4}, "tags"), (TOLD | {"tags": ["b", 1]}, "tags/1"), (TOLD | {"size": []}, "size"),
        (TOLD | {"format": ["pdf"]}, "format"), (TOLD | {"size": {"wide": True}}, "size/wide"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_was_declared_is_refused_and_the_field_named(
    notes: Application, owner: Connection[Any], told: Any, field: str
) -> None:
    answer = tell(notes, told)
    assert (answer.status, answer.body["reason"]) == (422, "metadata-unfit")
    assert answer.body["field"] == f"/metadata/{field}"
    kinds = {"format": "string", "pages": "integer", "tags": "array", "tags/1": "string", "size": "object"}
    assert answer.body["expected"]["type"] == kinds.get(field, "number")
    assert "xxx" not in answer.content.decode(), "nothing of what was sent"
    assert stored(owner) == []


def test_what_a_schema_requires_is_required_of_metadata_that_is_sent(notes: Application) -> None:
    plain = {"key": "event-0001", "kind": "feature_use", "person": notes.names["Alice"], "data": USED}
    assert sent(plain, key=notes.key).status == 201, "an event without any is taken"
    assert tell(notes, {"pages": 1}, key="event-0002").body["field"] == "/metadata/format"


def test_the_same_event_with_other_words_under_its_key_is_a_conflict(
    notes: Application, owner: Connection[Any]
) -> None:
    assert tell(notes, TOLD).status == 201
    assert tell(notes, TOLD).body["outcome"] == "repeated"
    assert tell(notes, TOLD | {"pages": 13}).status == 409
    assert stored(owner) == [TOLD]


def test_each_text_in_it_passes_the_guard(notes: Application, owner: Connection[Any]) -> None:
    told = {"format": "for bob@harbor.example\u0000", "tags": ["4111 1111 1111 1111", "plain"]}
    assert tell(notes, told).status == 201
    assert stored(owner) == [{"format": "for [e-mail]", "tags": ["[card]", "plain"]}]
    assert {each.kind for each in queries.counts() if each.outcome == "reduced"} == {"feature_use"}


def test_of_whoever_lets_no_purpose_use_it_none_is_stored(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    with connect.acting("self", token=cast["alice"].token) as mine:
        mine.execute("SELECT troth.choose('understand', 'objection')")
    assert tell(notes, TOLD).body["reason"] == "person-declined"
    assert stored(owner) == []


def test_an_application_that_declared_none_says_nothing_more(owner: Connection[Any], cast: dict[str, Person]) -> None:
    plain = registered(owner, {"type": "object", "properties": {"pages": PAGES}}, kind="activity")
    plain.knows(cast["alice"])
    assert tell(plain, TOLD).body["reason"] == "metadata-undeclared"
    with_crash = {"key": "event-0002", "kind": "crash", "person": plain.names["Alice"], "data": CRASH}
    answer = sent(with_crash | {"metadata": {"secret": "x"}}, key=plain.key).body
    assert (answer["reason"], answer["field"]) == ("metadata-undeclared", "/metadata")
    assert answer["expected"] == {"propertyNames": {"enum": []}}
    assert sent(with_crash | {"metadata": {}}, key=plain.key).status == 201
    assert stored(owner, "crash") == [None]


def test_what_a_later_policy_does_not_cover_any_more_is_as_if_it_was_not_declared(
    notes: Application, owner: Connection[Any]
) -> None:
    narrower = SECOND.replace("use.feature, use.metadata, use.time on use", "use.metadata, use.time on use")
    assert narrower != SECOND
    under(owner, narrower.replace(REFUSING, DROPPING))
    assert tell(notes, TOLD).status == 201
    assert stored(owner) == [{"pages": 12}]


# Attacks


def raw(notes: Application, told: bytes) -> Sent:
    person = notes.names["Alice"].encode()
    body = b'{"key": "event-0001", "kind": "feature_use", "person": "%s", "data": {"feature": "x"}, "metadata": %s}'
    return sent(body % (person, told), key=notes.key)


@pytest.mark.parametrize(
    "told",
    [
        b"null", b"[]", b'"x"', b"1", b'{"pages": NaN}', b'{"pages": Infinity}', b'{"pages": 1e999}',
        b'{"pages": ' + b"9" * 30 + b"}", b'{"pages": ' + b"9" * 5000 + b"}",
        b'{"format": "\\ud800"}', b'{"format": "' + b"x" * 9000 + b'"}',
        b'{"tags": ' + b"[" * 3000 + b"]" * 3000 + b"}", b'{"size": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b"[" * 200_000,
    ],
)  # fmt: skip
def test_what_is_sent_to_hurt_is_refused(notes: Application, owner: Connection[Any], told: bytes) -> None:
    answer = raw(notes, told)
    assert answer.status in (400, 422), answer.body
    assert stored(owner) == []


def test_a_pattern_that_would_be_tried_for_ever_is_matched_at_once(
    owner: Connection[Any], cast: dict[str, Person]
) -> None:
    word = FORMAT | {"pattern": "^(a+)+$", "maxLength": 7000}
    notes = registered(owner, {"type": "object", "properties": {"format": word}})
    notes.knows(cast["alice"])
    began = time.process_time()
    assert tell(notes, {"format": "a" * 6000 + "!"}).body["reason"] == "metadata-unfit"
    assert time.process_time() - began < 60, "backtracking would not end while anybody waits"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "object", "$ref": "http://127.0.0.1:9/schema.json", "properties": {"format": FORMAT}}, "`$ref` means nothing"),
        (SCHEMA | {"$defs": {"x": FORMAT}}, "`$defs` means nothing"),
        (SCHEMA | {"additionalProperties": True}, "`additionalProperties` means nothing"),
        (SCHEMA | {"patternProperties": {"": FORMAT}}, "`patternProperties` means nothing"),
        (SCHEMA | {"allOf": [SCHEMA]}, "`allOf` means nothing"),
        ({"type": "string", "x-category": "use.feature"}, '`type` is "object"'),
        ({"type": "object"}, "`properties` says at least one field"),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, "it needs a category"),
        ({"type": "object", "properties": {"a": FORMAT | {"x-not-personal": "no"}}}, "it has a category"),
        ({"type": "object", "properties": {"a": {"type": ["string", "null"]}}}, "`type` is one of"),
        ({"type": "object", "properties": {"a b": FORMAT}}, "`a b` is no name of a field"),
        ({"type": "object", "properties": {"a": FORMAT | {"pattern": "(?=x)"}}}, "it is no JSON Schema"),
        ({"type": "object", "properties": {"a": FORMAT | {"pattern": "((a{1,900}){1,900}){1,900}"}}}, "it is no JSON Schema"),
        ({"type": "object", "properties": {"a": FORMAT | {"maxLength": "long"}}}, "it is no JSON Schema"),
        ({"type": "object", "properties": {f"f{n}": FORMAT for n in range(51)}}, "at most 16 kB and 50 fields"),
        ({"type": "object", "properties": {"a": FORMAT | {"description": "x" * 17_000}}}, "at most 16 kB and 50 fields"),
        ({"type": "object", "properties": {"a": FORMAT | {"x-category": "use.secret"}}}, "the policy has no category `use.secret`"),
        ({"type": "object", "properties": {"a": FORMAT | {"x-category": "person.email"}}},
         "the policy would need: collect person.email on use of features for understand 30 days"),
        ({"type": "object", "properties": {"a": FORMAT | {"x-category": "health"}}},
         "the policy would need: collect health on use of features for understand 30 days"),
    ],
)  # fmt: skip
def test_a_schema_that_says_more_than_it_may_is_refused_with_its_line(
    owner: Connection[Any], cast: dict[str, Person], schema: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(RequestRefusal) as refused:
        registered(owner, schema)
    assert said in str(refused.value)
    assert f"line {len(manifest(SCHEMA).rstrip().splitlines())}:" in str(refused.value)


def test_schemas_lie_no_deeper_than_fields_may(owner: Connection[Any], cast: dict[str, Person]) -> None:
    for wrapped in (
        lambda inside: {"type": "object", "properties": {"a": inside}},
        lambda inside: {"type": "array", "items": inside},
    ):
        schema: dict[str, Any] = FORMAT
        for _ in range(200):
            schema = wrapped(schema)
        found = [*metadata.fields({"type": "object", "properties": {"deep": schema}})]
        assert any(isinstance(each, metadata.Wrong) and "deep" in each.words for each in found)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ('metadata = "all"', "`metadata` holds a JSON Schema for each kind"),
        ('[metadata.diary]\ntype = "object"', "no event `diary` has metadata"),
        ('[metadata.feature_use]\ntype = "object"', "`feature_use` is not among the manifest's events"),
    ],
)
def test_metadata_is_declared_for_kinds_that_are_sent_and_have_some(
    owner: Connection[Any], cast: dict[str, Person], told: str, said: str
) -> None:
    text = MANIFEST.format(events='["crash"]')
    whole = f"{told}\n{text}" if told.startswith("metadata") else f"{text}\n{told}\n"
    with pytest.raises(RequestRefusal) as refused:
        registering.register(owner, {"manifest": whole})
    assert said in str(refused.value)


def test_whoever_reads_it_may_use_each_category_in_it_as_long() -> None:
    """Column grants and windows hold for what lies inside: a shorter window, a purpose less, or a coarser precision does not cover it."""
    table = load().table("feature_use")
    base = SECOND.replace("use.feature, use.metadata, use.time on use", "use.metadata, use.time on use")
    for clause, wanted in (
        ("    for understand 30 days\n    for personalise while consented\n", 0),
        ("    for understand 29 days\n    for personalise while consented\n", 1),
        ("    for understand 30 days\n", 1),
        ("    for understand 30 days as counted\n    for personalise while consented\n", 1),
    ):
        policy = parse.read(base + f"collect use.feature on use of features\n{clause}", "test.troth")
        assert len([*metadata.uncovered(policy, table, "use.feature")]) == wanted, clause


@pytest.mark.parametrize(("category", "wanted"), [("access.ip", 1), ("access.url", 0), ("access.browser", 0)])
def test_what_a_purpose_may_know_as_a_network_alone_lies_in_no_metadata_that_it_reads(
    category: str, wanted: int
) -> None:
    """`as network` makes an address coarser, and nothing of JSON: `understand` would read it whole there."""
    policy = parse.read(POLICY.read_text(encoding="utf-8"), POLICY.name)
    needed = [*metadata.uncovered(policy, load().table("page_view"), category)]
    assert [each.split(" for ")[1] for each in needed] == ["understand 30 days"] * wanted


def test_what_is_sensitive_is_refused_of_nobody() -> None:
    """P19, though nothing of nobody is stored here anyway: the reason says so."""
    source = (
        SECOND.replace("category health, race, religion sensitive", "category health, race, religion sensitive")
        .replace("collect use.feature, use.metadata, use.time on use of features [P16, P18]\n    for understand 30 days\n",
                 "collect use.feature, use.metadata, use.time, health on use of features [P16, P18]\n")
    )  # fmt: skip
    policy = parse.read(source, "test.troth")
    planned = plan(policy, load())
    decisions = Decisions.of(planned, {unit.purpose: nth for nth, unit in enumerate(planned.units)})
    word = FORMAT | {"x-category": "health"}
    schema = {"type": "object", "properties": {"list": {"type": "array", "items": word}, "plain": FORMAT}}
    assert not [each for each in metadata.fields(schema) if isinstance(each, metadata.Wrong)]
    declared = described.compiled({"metadata": {"feature_use": schema}}, policy, load())
    nobody = Known("notes", ["feature_use"], None, 0)
    sender = Sender("notes", b"digest", b"secret" * 6)
    for told, reason in (({"list": ["x"]}, "sensitive-of-nobody"), ({"plain": "x"}, "names-nobody")):
        body = {"key": "event-0001", "kind": "feature_use", "data": USED, "metadata": told}
        event = decode(json.dumps(body).encode(), sender, timedelta())
        assert not isinstance(event, Refused)
        found = judge(event, nobody, decisions, declared)
        assert isinstance(found, Refused)
        assert (found.reason, bool(found.clause)) == (reason, True)


def test_whoever_fills_what_is_remembered_of_manifests_hides_none(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(described, "MOST_KNOWN", 1)
    other = registered(owner)
    now = published.current()

    async def asked() -> list[set[bytes]]:
        pool, known = await store.open_pool(), described.Manifests()
        known.under(now.policy, now.catalog)
        try:
            batches = ((notes,), (notes, other), (other,))
            return [set(await known.of(pool, [saying(each) for each in batch])) for batch in batches]
        finally:
            await pool.close()

    def saying(application: Application) -> Request:
        sender = Sender(application.application, sha256(application.key.encode()).digest(), b"secret" * 6)
        body = {"key": "event-0001", "kind": "feature_use", "data": USED, "metadata": TOLD}
        event = decode(json.dumps(body).encode(), sender, timedelta())
        return Request(sender, [event], asyncio.get_running_loop().create_future())

    first, second = (sha256(each.key.encode()).digest() for each in (notes, other))
    assert finished(asked()) == [{first}, {first, second}, {second}]


# Whose it is


def test_its_person_sees_it_exports_it_and_it_goes_with_the_rest(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    tell(notes, TOLD)
    tell(notes, TOLD, key="event-0002")
    first, _ = timeline.items(alice.token, of=["feature_use"])
    assert first.metadata == TOLD
    assert [each.metadata for each in queries.feature_uses(alice.token)] == [TOLD, TOLD]
    assert queries.feature_uses(cast["bob"].token) == []
    assert timeline.remove(alice.token, first)
    (row,) = part(exported(owner, alice), "feature_use").rows
    assert row.values["metadata"] == TOLD
    owner.execute("UPDATE troth.feature_use SET at = at - interval '31 days'")
    assert erased(owner, alice)["feature_use"]["at_once"] == 1
    assert stored(owner) == []


def test_a_database_takes_no_metadata_that_is_no_object(notes: Application, cast: dict[str, Person]) -> None:
    statement = (
        "INSERT INTO troth.feature_use (subject, at, id, application, feature, metadata)"
        " VALUES (%s, statement_timestamp(), uuidv7(), %s, 'x', %s)"
    )
    for told in ("[]", '"x"', "1"):
        with pytest.raises(psycopg.errors.CheckViolation), connect.acting("intake") as intake:
            intake.execute(statement, (cast["alice"].subject, notes.application, told))


@pytest.mark.parametrize("table", sorted(KINDS))
def test_each_kind_has_a_category_for_it(table: str) -> None:
    assert "metadata" in KINDS[table].columns
    assert (load().table(table).column("metadata").category or "").endswith(".metadata")


def test_only_whose_key_is_open_is_told_a_manifest(notes: Application, owner: Connection[Any]) -> None:
    asked = "SELECT manifest FROM troth.manifests_of(ARRAY[sha256(%s)])"
    with connect.acting("intake") as intake:
        assert len(intake.execute(asked, (notes.key,)).fetchall()) == 1
        assert intake.execute(asked, ("guessed",)).fetchall() == []
    registering.end_keys(owner, {"application": notes.application})
    with connect.acting("intake") as intake:
        assert intake.execute(asked, (notes.key,)).fetchall() == []
    for role in ("door", "self", "understand"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting(role) as other:
            other.execute(asked, (notes.key,))
