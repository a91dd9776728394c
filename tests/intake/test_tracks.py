"""Calls of Segment's and RudderStack's clients are uses of features, judged as every event; nothing ties names together."""

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import SHARED, Person
from tests.intake.sending import Application, Sent, registered, sent, together
from troth.intake import queries

PATH = "/v1/batch"
USES = "collect-use-feature-on-use-of-features"


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice uses."""
    made = registered(owner)
    made.knows(cast["alice"])
    return made


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def post(body: Any, key: str, **told: str) -> Sent:
    return sent(body, key="", **{"path": PATH, "authorization": basic(key)} | told)


def call(kind: str, person: str | None, **told: Any) -> dict[str, Any]:
    """Return a call of a minute ago."""
    at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    secrets = {
        "properties": {"email": "alice@harbor.example"},
        "context": {"ip": "192.0.2.77"},
        "anonymousId": "anon-1",
    }
    named = {"event": "Order Completed"} if kind == "track" else {"name": "Home", "category": "Docs"}
    return {"type": kind, "userId": person, "timestamp": at, "messageId": f"{kind}-0001"} | secrets | named | told


def rows(owner: Connection[Any]) -> list[tuple[Any, ...]]:
    return owner.execute("SELECT subject, feature, outcome FROM troth.feature_use ORDER BY feature").fetchall()


def test_what_somebody_used_is_stored_without_what_is_not_to_be_known(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    who = notes.names["Alice"]
    calls = [call("track", who), call("page", who), call("screen", who, name=None)]
    answer = post(gzip.compress(json.dumps({"batch": calls}).encode()), notes.key, content_encoding="gzip")
    assert (answer.status, answer.body) == (200, {"success": True, "events": [{"outcome": "stored"}] * 3})
    alice = cast["alice"].subject
    assert rows(owner) == [(alice, "Docs", None), (alice, "Home", None), (alice, "Order Completed", None)]
    whole = owner.execute("SELECT string_agg(to_jsonb(f)::text, '') FROM troth.feature_use AS f").fetchone()
    assert whole is not None
    for secret in ("anon-1", "harbor.example", "192.0.2.77"):
        assert secret not in whole[0]


def test_each_call_has_a_path_of_its_own(notes: Application, owner: Connection[Any]) -> None:
    for kind in ("track", "page", "screen"):
        body = call("nothing", notes.names["Alice"], event="Export", name="Export", messageId=f"single-{kind}")
        assert post(body, notes.key, path=f"/v1/{kind}").body["events"] == [{"outcome": "stored"}]
    assert len(rows(owner)) == 3


def test_nothing_is_tied_to_anybody_and_that_it_was_not_is_counted(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """Alice was somebody anonymous before; whoever says so is refused, and what that one did is nobody's."""
    who = notes.names["Alice"]
    linking = [
        call(kind, who, previousId="anon-1", traits={"email": "a@b.example"}) for kind in ("identify", "alias", "group")
    ]
    before = owner.execute("SELECT count(*) FROM troth.subject").fetchone()
    answer = post({"batch": [call("track", None), *linking, call("track", who, messageId="track-0002")]}, notes.key)
    refused = {"outcome": "refused", "reason": "not-linked"}
    nobody = {"outcome": "refused", "reason": "names-nobody", "clause": USES}
    assert answer.body["events"] == [nobody, refused, refused, refused, {"outcome": "stored"}]
    for kind in ("identify", "alias", "group"):
        assert post(call(kind, who), notes.key, path=f"/v1/{kind}").body["events"] == [refused]
    assert rows(owner) == [(cast["alice"].subject, "Order Completed", None)]
    assert owner.execute("SELECT count(*) FROM troth.subject").fetchone() == before
    assert {(each.reason, each.count) for each in queries.counts()} == {("names-nobody", 1), ("not-linked", 6)}


def test_what_is_sent_again_is_stored_once_and_another_under_its_name_is_a_conflict(
    notes: Application, owner: Connection[Any]
) -> None:
    first = call("track", notes.names["Alice"])
    found = [post({"batch": [first]}, notes.key).body["events"][0]["outcome"] for _ in range(2)]
    assert found == ["stored", "repeated"]
    assert post({"batch": [first | {"event": "Another"}]}, notes.key).status == 409
    unnamed = first | {"messageId": None}
    for outcome in ("stored", "repeated"):
        answer = post({"batch": [unnamed, unnamed]}, notes.key)
        assert answer.body["events"] == [{"outcome": outcome}] * 2
    assert len(rows(owner)) == 3


def test_a_clock_that_is_wrong_is_corrected(notes: Application, owner: Connection[Any]) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=5)
    one = call("track", notes.names["Alice"], timestamp=(ahead - timedelta(minutes=10)).isoformat())
    assert post({"batch": [one], "sentAt": ahead.isoformat()}, notes.key).body["success"]
    (row,) = owner.execute("SELECT statement_timestamp() - at FROM troth.feature_use").fetchall()
    assert timedelta(minutes=9) < row[0] < timedelta(minutes=11)


#: What is wrong with a call, and why it is refused.
WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"userId": ""}, "names-nobody"),
    ({"userId": "alice@harbor.example"}, "unknown-person"),
    ({"userId": "u1"}, "unknown-person"),
    ({"userId": 4711}, "unknown-person"),
    ({"userId": ["x"]}, "malformed"),
    ({"type": "purchase"}, "unknown-kind"),
    ({"event": None}, "malformed"),
    ({"event": "mail from alice@harbor.example"}, "malformed"),
    ({"event": "trailing\n"}, "malformed"),
    ({"timestamp": "yesterday"}, "malformed"),
    ({"timestamp": "2020-01-01T00:00:00Z"}, "older-than-every-window"),
    ({"properties": {"x": "y" * 33_000}}, "too-long"),
)


def test_what_is_not_to_be_taken_is_refused_with_a_reason(notes: Application, owner: Connection[Any]) -> None:
    calls = [
        call("track", notes.names["Alice"], messageId=f"wrong-{nth}") | wrong for nth, (wrong, _) in enumerate(WRONG)
    ]
    answer = post({"batch": calls}, notes.key)
    assert (answer.status, [each["reason"] for each in answer.body["events"]]) == (200, [why for _, why in WRONG])
    assert rows(owner) == []


def test_what_is_no_call_or_too_long_is_refused_whole(notes: Application, owner: Connection[Any]) -> None:
    bodies = {
        b"": 400, b"[]": 400, b"{": 400, b'{"batch":1}': 400, b'{"batch":' * 9000: 400, b"\xff": 400, b"{}": 400,
        json.dumps({"batch": [], "more": "x" * 600_000}).encode(): 413,
        json.dumps({"batch": [{}] * 1001}).encode(): 413,
    }  # fmt: skip
    told = {"path": PATH, "authorization": basic(notes.key)}
    answers = together([(body, "", told) for body in bodies])
    assert [each.status for each in answers] == list(bodies.values())
    assert all(each.body["success"] is False and each.body["what_next"] for each in answers)
    assert post({"x": "y" * 40_000}, notes.key, path="/v1/track").status == 413
    assert post(gzip.compress(b" " * (200 << 20)), notes.key, content_encoding="gzip").status == 413
    for wrong in (basic("guessed"), basic(""), "Basic %%%", f"Bearer {notes.key}", ""):
        assert sent({"batch": []}, key="", path=PATH, authorization=wrong).status == 401
    assert rows(owner) == []


def test_an_objection_holds(notes: Application, cast: dict[str, Person], owner: Connection[Any]) -> None:
    owner.execute("UPDATE troth.permitted SET uses = 0 WHERE subject = %s", (cast["alice"].subject,))
    answer = post({"batch": [call("track", notes.names["Alice"])]}, notes.key)
    assert answer.body["events"] == [{"outcome": "refused", "reason": "person-declined", "clause": USES}]
    assert rows(owner) == []


@pytest.mark.real
def test_what_clients_were_seen_to_send_is_understood(notes: Application, owner: Connection[Any]) -> None:
    lines = (SHARED / "sdk_captures" / "python_node_sdk_requests.jsonl").read_text("utf-8").splitlines()
    requests = [each for each in map(json.loads, lines) if each["path"] == PATH]
    assert len(requests) == 3
    reasons = []
    for each in requests:
        told = {name.lower().replace("-", "_"): value for name, value in each["headers"].items()}
        body = base64.b64decode(each["body_b64"])
        assert sent(body, key="", **told | {"path": PATH}).status == 401
        plain = gzip.decompress(body) if told.get("content_encoding") == "gzip" else body
        named = plain.replace(b'"u1"', json.dumps(notes.names["Alice"]).encode()).replace(b"WRITEKEY", b"")
        told = {name: value for name, value in told.items() if name != "content_encoding"}
        answer = sent(named, key="", **told | {"path": PATH, "authorization": basic(notes.key)})
        assert answer.status == 200
        reasons += [each.get("reason", "stored") for each in answer.body["events"]]
    assert reasons == [
        "not-linked", "stored", "stored", "stored", "not-linked", "not-linked",
        "stored", "stored", "names-nobody",
    ]  # fmt: skip
    assert [feature for _, feature, _ in rows(owner)] == ["E", "Home", "Main", "Order Completed", "Order Completed"]
