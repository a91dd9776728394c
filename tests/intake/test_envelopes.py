"""Sentry's clients send crashes as they are: judged as every crash, without what of them is not to be known."""

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import brotli
import pytest
from psycopg import Connection

from tests.conftest import SHARED, Person
from tests.intake.sending import Application, registered, sent, together
from troth.intake import queries
from troth.intake.envelopes import MOST_ITEMS, NEVER

PATH = "/api/1/envelope/"
EVENT = "312032acd38f4dfcadef1ad580e388bd"
FAILED = {
    "type": "ValueError",
    "value": 'no "diary of Alice" for alice@harbor.example',
    "stacktrace": {
        "frames": [
            {"function": "main", "abs_path": "/home/alice/app/main.py", "lineno": 3, "vars": {"password": "hunter2"}},
            {
                "function": "save", "filename": "app/store.py", "lineno": 41, "context_line": "token = 'hunter2'",
                "pre_context": ["hunter2"],
            },
        ]
    },
}  # fmt: skip


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice uses."""
    made = registered(owner)
    made.knows(cast["alice"])
    return made


def failure(person: object, **told: Any) -> dict[str, Any]:
    """Return an event as a client would say it."""
    now = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    whose = {"id": person, "email": "alice@harbor.example", "ip_address": "192.0.2.77", "username": "hunter2"}
    event = {
        "event_id": EVENT,
        "timestamp": now,
        "user": whose,
        "exception": {"values": [{"type": "KeyError"}, FAILED]},
    }
    return event | {"release": "notes@1.4.2", "environment": "production", "server_name": "alices-laptop"} | told


def envelope(*items: tuple[dict[str, Any], bytes], **head: Any) -> bytes:
    lines = [json.dumps({"event_id": EVENT} | head).encode()]
    for item, payload in items:
        lines += [json.dumps(item).encode(), payload]
    return b"\n".join(lines) + b"\n"


def one(event: Mapping[str, Any]) -> bytes:
    payload = json.dumps(event).encode()
    return envelope(({"type": "event", "length": len(payload)}, payload))


def post(body: bytes, key: str, **headers: str) -> Any:
    return sent(body, key="", path=PATH, x_sentry_auth=f"Sentry sentry_key={key}, sentry_version=7", **headers)


def rows(owner: Connection[Any]) -> list[tuple[Any, ...]]:
    return owner.execute("SELECT subject, kind, message, stack, release, environment FROM troth.crash").fetchall()


def test_a_crash_is_stored_without_what_is_not_to_be_known_of_it(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    answer = post(one(failure(notes.names["Alice"])), notes.key)
    assert (answer.status, answer.body) == (200, {"id": EVENT, "events": [{"outcome": "stored"}]})
    assert rows(owner) == [
        (
            cast["alice"].subject, "ValueError", "no - for [e-mail]", "main (main.py):3\nsave (store.py):41",
            "notes@1.4.2", "production",
        )
    ]  # fmt: skip
    whole = owner.execute("SELECT to_jsonb(c)::text FROM troth.crash AS c").fetchone()
    assert whole is not None
    for secret in ("hunter2", "diary", "harbor.example", "192.0.2.77", "laptop", "/home"):
        assert secret not in whole[0]


def test_the_key_in_the_query_opens_too_and_pages_of_any_origin_may_read_the_answer(
    notes: Application, owner: Connection[Any]
) -> None:
    query = f"sentry_version=7&sentry_key={notes.key}&sentry_client=sentry.javascript.browser%2F11"
    told = {"path": PATH, "query": query, "origin": "https://notes.example", "content_type": "text/plain;charset=UTF-8"}
    answer = sent(one(failure(notes.names["Alice"])), key="", **told)
    assert answer.status == 200
    assert answer.headers[b"access-control-allow-origin"] == b"*"
    assert b"access-control-allow-credentials" not in answer.headers
    asked = sent(b"", key="", method="OPTIONS", **told)
    assert (asked.status, asked.headers[b"access-control-allow-methods"]) == (204, b"POST")
    assert b"x-sentry-auth" in asked.headers[b"access-control-allow-headers"]
    assert len(rows(owner)) == 1


def test_every_packing_is_opened_and_items_need_no_length(notes: Application, owner: Connection[Any]) -> None:
    packings: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress,
    }  # fmt: skip
    for nth, (coding, pack) in enumerate(packings.items()):
        payload = json.dumps(failure(notes.names["Alice"], event_id=f"{nth:032}")).encode()
        assert post(pack(envelope(({"type": "event"}, payload))), notes.key, content_encoding=coding).status == 200
    assert len(rows(owner)) == 3
    assert post(zlib.compress(b" " * (200 << 20)), notes.key, content_encoding="deflate").status == 413


def test_what_is_sent_again_is_stored_once_and_another_under_its_name_is_a_conflict(
    notes: Application, owner: Connection[Any]
) -> None:
    first = failure(notes.names["Alice"])
    assert [post(one(first), notes.key).body["events"][0]["outcome"] for _ in range(2)] == ["stored", "repeated"]
    assert post(one(first | {"release": "notes@2"}), notes.key).status == 409
    assert len(rows(owner)) == 1


def test_what_is_never_taken_is_refused_and_clients_are_told_to_stop(
    notes: Application, owner: Connection[Any]
) -> None:
    body = envelope(*(({"type": kind}, b"{}") for kind in NEVER))
    answer = post(body, notes.key)
    assert answer.status == 200
    assert answer.body["events"] == [{"outcome": "refused", "reason": "unknown-kind"}] * len(NEVER)
    seconds, categories, rest = answer.headers[b"x-sentry-rate-limits"].decode().split(":", 2)
    assert (seconds, set(categories.split(";")), rest) == ("3600", set(NEVER.values()), "organization:not_taken")
    assert [(each.reason, each.count) for each in queries.counts()] == [("unknown-kind", len(NEVER))]


def test_an_application_that_declared_no_crashes_is_told_to_stop(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    modest = registered(owner, events=["feature_use"])
    answer = post(one(failure(modest.knows(cast["alice"]))), modest.key)
    assert answer.body["events"][0]["reason"] == "not-declared"
    assert "error" in answer.headers[b"x-sentry-rate-limits"].decode().split(":")[1].split(";")
    assert rows(owner) == []


#: What is wrong with an event, and why it is refused.
WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"user": None}, "names-nobody"),
    ({"user": {"email": "alice@harbor.example"}}, "names-nobody"),
    ({"user": {"id": "alice@harbor.example"}}, "unknown-person"),
    ({"user": {"id": "a\0b"}}, "unknown-person"),
    ({"user": {"id": 4711}}, "unknown-person"),
    ({"exception": None, "message": "a word"}, "unknown-kind"),
    ({"exception": []}, "unknown-kind"),
    (
        {"exception": {"values": [{"value": "a word", "mechanism": {"synthetic": True}}]}, "message": "a word"},
        "unknown-kind",
    ),
    ({"timestamp": 1e300}, "malformed"),
    ({"timestamp": "yesterday"}, "malformed"),
    ({"timestamp": "2020-01-01T00:00:00Z"}, "older-than-every-window"),
    ({"exception": {"values": [{"stacktrace": {"frames": "none"}}]}}, "malformed"),
)


def test_what_is_not_to_be_taken_is_refused_with_a_reason(notes: Application, owner: Connection[Any]) -> None:
    auth = {"x_sentry_auth": f"Sentry sentry_key={notes.key}", "path": PATH}
    answers = together([(one(failure(notes.names["Alice"]) | change), "", auth) for change, _ in WRONG])
    assert [(each.status, each.body["events"][0]["reason"]) for each in answers] == [(200, why) for _, why in WRONG]
    assert rows(owner) == []


BROKEN: tuple[bytes, ...] = (
    b"", b"\n", b"[]\n", b"{" * 10_000, b'{"a":' * 10_000, b"{}\nno json\n{}", b"{}\n{}\n{}",
    b'{}\n{"type":"event","length":-1}\n{}', b'{}\n{"type":"event","length":1e9}\n{}',
    b'{}\n{"type":"event","length":99999999999999999999}\n{}', b'{}\n{"type":"event","length":1}\n{}\n',
    b"{}\n" + b'{"type":"session"}\n{}\n' * (MOST_ITEMS + 1), b"\xff\xfe", b'{"event_id":1}\n',
)  # fmt: skip


def test_what_is_no_envelope_is_refused_whole(notes: Application, owner: Connection[Any]) -> None:
    auth = {"x_sentry_auth": f"Sentry sentry_key={notes.key}", "path": PATH}
    answers = together([(body, "", auth) for body in BROKEN])
    assert [(each.status, each.body["code"]) for each in answers] == [(422, "envelope")] * len(BROKEN)
    assert all(each.headers[b"access-control-allow-origin"] == b"*" for each in answers)
    nested = one(failure(notes.names["Alice"])).replace(b'"production"', b"[" * 9000 + b"]" * 9000)
    assert (
        post(envelope(({"type": "event"}, nested.split(b"\n")[2])), notes.key).body["events"][0]["reason"]
        == "malformed"
    )
    assert rows(owner) == []


def test_no_other_key_opens_it_and_an_objection_holds(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    other = registered(owner)
    body = one(failure(notes.names["Alice"]))
    for key in ("", "guessed", notes.key[:-1]):
        assert post(body, key).status == 401
    assert post(body, other.key).body["events"][0]["reason"] == "unknown-person"
    owner.execute("UPDATE troth.permitted SET uses = 0 WHERE subject = %s", (cast["alice"].subject,))
    assert post(body, notes.key).body["events"][0]["reason"] == "person-declined"
    assert rows(owner) == []


def captured() -> list[tuple[Mapping[str, str], bytes]]:
    """Return what clients sent, their headers in small letters, and bodies."""
    lines = (SHARED / "sdk_captures" / "python_node_sdk_requests.jsonl").read_text("utf-8").splitlines()
    requests = [each for each in map(json.loads, lines) if "/envelope/" in each["path"]]
    return [
        ({name.lower(): value for name, value in each["headers"].items()}, base64.b64decode(each["body_b64"]))
        for each in requests
    ]


@pytest.mark.real
def test_what_clients_were_seen_to_send_is_understood(notes: Application, owner: Connection[Any]) -> None:
    requests = captured()
    assert len(requests) > 3
    stored = 0
    for headers, body in requests:
        packed = headers.get("content-encoding", "")
        auth = {"path": PATH, "x_sentry_auth": f"Sentry sentry_key={notes.key}"}
        first = sent(body, key="", **auth, content_encoding=packed)
        assert first.status == 200
        assert {each["reason"] for each in first.body["events"]} <= {"names-nobody", "unknown-kind"}
        plain = gzip.decompress(body) if packed == "gzip" else body
        head, item, payload, *_ = plain.split(b"\n")
        if json.loads(item)["type"] == "event":
            named = json.loads(payload) | {"user": {"id": notes.names["Alice"]}}
            again = b"\n".join((head, b'{"type":"event"}', json.dumps(named).encode()))
            assert sent(again, key="", **auth).body["events"] == [{"outcome": "stored"}]
            stored += 1
    whole = owner.execute(
        "SELECT kind, message, stack, to_jsonb(c)::text FROM troth.crash AS c ORDER BY kind"
    ).fetchall()
    assert [each[:3] for each in whole] == [
        (
            "Error", "boom",
            "process.processTicksAndRejections (task_queues):95\n? (n.mjs):5",
        ),
        ("ZeroDivisionError", "division by zero", "<module> (py.py):11"),
    ]  # fmt: skip
    assert stored == 2
    for secret in ("rudderstack", "WRITEKEY", "__builtins__", "/srv/app", "127.0.0.1"):
        assert all(secret not in each[3] for each in whole)


def samples() -> list[Path]:
    return sorted((SHARED / "sentry" / "events" / "sentry").glob("*.json")) if SHARED.is_dir() else []


@pytest.mark.real
def test_real_events_are_each_stored_or_refused_with_a_reason(notes: Application, owner: Connection[Any]) -> None:
    bodies = []
    for nth, file in enumerate(samples()):
        event = json.loads(file.read_text("utf-8"))
        told = {
            "event_id": f"{nth:032}",
            "user": {"id": notes.names["Alice"]},
            "timestamp": datetime.now(UTC).timestamp(),
        }
        bodies.append(one(event | told))
    auth = {"path": PATH, "x_sentry_auth": f"Sentry sentry_key={notes.key}"}
    answers = [
        each
        for start in range(0, len(bodies), 20)
        for each in together([(b, "", auth) for b in bodies[start : start + 20]])
    ]
    assert {each.status for each in answers} == {200}
    outcomes = [each.body["events"][0] for each in answers]
    assert {each.get("reason", "stored") for each in outcomes} == {"stored", "unknown-kind"}
    assert len(rows(owner)) == sum(each["outcome"] == "stored" for each in outcomes) > 20
