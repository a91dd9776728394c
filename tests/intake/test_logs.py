"""Logs as OpenTelemetry's exporters send them: crashes and activity, judged as every event, and told in their own way."""

import base64
import gzip
import json
import time
import tracemalloc
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from psycopg import Connection

from tests.conftest import SHARED, Person
from tests.intake.sending import Application, Sent, registered, sent, together
from troth.intake import logs, queries
from troth.intake.unpacking import LONGEST

PATH = "/v1/logs"
PROTOBUF = "application/x-protobuf"
EVERY = ("crash", "activity", "feature_use")
CRASHES, DOES = "collect-crash-report-on-crash", "collect-activity-event-on-system-activity"
PYTHON = """Traceback (most recent call last):
  File "/home/alice/notes/app.py", line 3, in main
    save("hunter2")
  File "/home/alice/notes/store.py", line 41, in save
ValueError: no diary
"""
JAVA = """java.lang.IllegalStateException: no diary of Alice
\tat com.harbor.Store.save(Store.java:41)
\tat com.harbor.App.main(App.java:3)
"""
NODE = """Error: no diary
    at save (/home/alice/notes/store.js:41:7)
    at async main [as run] (file:///home/alice/notes/app.js:3:1)
    at node:internal/process/task_queues:95:5
"""


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice uses."""
    made = registered(owner, events=EVERY)
    made.knows(cast["alice"])
    return made


def words(**said: str) -> list[dict[str, Any]]:
    return [{"key": name.replace("__", "."), "value": {"stringValue": word}} for name, word in said.items()]


def record(person: str, **told: Any) -> dict[str, Any]:
    """Return a record as JSON, of a minute ago."""
    moment = str(time.time_ns() - 60_000_000_000)
    attributes = words(user__id=person, user__email="alice@harbor.example", code__file__path="/home/alice/app.py")
    body = {"stringValue": 'synchronized "the diary" of alice@harbor.example'}
    return {"timeUnixNano": moment, "severityNumber": 9, "body": body, "attributes": attributes} | told


def failing(person: str, trace: str = PYTHON, **told: Any) -> dict[str, Any]:
    failure = {"type": "ValueError", "message": 'no "diary of Alice"', "stacktrace": trace}
    return record(
        person, attributes=words(user__id=person, **{f"exception__{k}": v for k, v in failure.items()}), **told
    )


def export(*records: Any, scope: str = "notes.sync") -> dict[str, Any]:
    about = words(service__version="1.4.2", deployment__environment__name="production", host__name="alices-laptop")
    parts = [{"scope": {"name": scope}, "logRecords": list(records)}]
    return {"resourceLogs": [{"resource": {"attributes": about}, "scopeLogs": parts}]}


def spelt(body: Any, key: str, **told: str) -> Sent:
    return sent(body, key=key, **{"path": PATH, "content_type": "application/json"} | told)


def packed(body: Mapping[str, Any], key: str) -> ExportLogsServiceResponse:
    """Send the same as protobuf; return what is answered."""
    request = ParseDict(dict(body), ExportLogsServiceRequest())
    answer = sent(request.SerializeToString(), key=key, path=PATH, content_type=PROTOBUF)
    assert (answer.status, answer.headers[b"content-type"]) == (200, PROTOBUF.encode())
    return ExportLogsServiceResponse.FromString(answer.content)


def rows(owner: Connection[Any]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    crashes = owner.execute("SELECT subject, kind, message, stack, release, environment FROM troth.crash")
    done = owner.execute("SELECT subject, event, severity, message, release, environment FROM troth.activity")
    return crashes.fetchall(), done.fetchall()


@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_a_record_is_activity_and_one_of_an_exception_a_crash_without_what_is_not_to_be_known(
    notes: Application, cast: dict[str, Person], owner: Connection[Any], form: str
) -> None:
    body = export(record(notes.names["Alice"]), failing(notes.names["Alice"]))
    if form == "json":
        assert spelt(body, notes.key).body == {}
    else:
        assert packed(body, notes.key) == ExportLogsServiceResponse()
    alice = cast["alice"].subject
    assert rows(owner) == (
        [(alice, "ValueError", "no -", "main (app.py):3\nsave (store.py):41", "1.4.2", "production")],
        [(alice, "notes.sync", "info", "synchronized - of [e-mail]", "1.4.2", "production")],
    )
    whole = owner.execute(
        "SELECT to_jsonb(c)::text || to_jsonb(a)::text FROM troth.crash c, troth.activity a"
    ).fetchone()
    assert whole is not None
    for secret in ("hunter2", "diary", "harbor.example", "laptop", "/home"):
        assert secret not in whole[0]
    (seen,) = queries.activities(cast["alice"].token)
    assert (seen.event, seen.severity) == ("notes.sync", "info")
    assert queries.activities(cast["bob"].token) == []


def test_our_own_protocol_takes_activity_too(notes: Application, owner: Connection[Any]) -> None:
    does = {"event": "sync.finished", "severity": "warn", "message": "3 notes of alice@harbor.example"}
    event = {"key": "activity-1", "kind": "activity", "person": notes.names["Alice"], "data": does}
    assert sent(event, key=notes.key).status == 201
    assert rows(owner)[1][0][1:4] == ("sync.finished", "warn", "3 notes of [e-mail]")
    wrongs: tuple[dict[str, Any], ...] = ({"severity": "loud"}, {"more": 1}, {"event": ""})
    for nth, wrong in enumerate(wrongs):
        refused = sent(event | {"key": f"activity-x{nth}", "data": does | wrong}, key=notes.key)
        assert (refused.status, refused.body["reason"]) == (422, "malformed")


@pytest.mark.parametrize("form", ["spelt", "packed"])
def test_a_clock_that_is_ahead_is_corrected_by_as_much_as_it_observed_after_the_receipt(
    notes: Application, owner: Connection[Any], form: str
) -> None:
    """Of each program by its own; what is late may have waited, and stands as it was told."""
    now, hour = time.time_ns(), 3_600_000_000_000
    person = notes.names["Alice"]
    ahead = [
        record(person, timeUnixNano=str(now + 5 * hour - hour), observedTimeUnixNano=str(now + 5 * hour)),
        record(person, timeUnixNano=str(now + 2 * hour), body={"stringValue": "earlier"}),
    ]
    right = [record(person, timeUnixNano=str(now - 2 * hour), observedTimeUnixNano=str(now - 2 * hour))]
    future = [record(person, timeUnixNano=str(now + 500 * 24 * hour))]
    both = {"resourceLogs": [part for each in (ahead, right, future) for part in export(*each)["resourceLogs"]]}
    for _ in range(2):  # what comes again, later, is the same
        if form == "spelt":
            answer = spelt(both, notes.key).body["partialSuccess"]
            told = int(answer["rejectedLogRecords"]), answer["errorMessage"]
        else:
            partial = packed(both, notes.key).partial_success
            told = partial.rejected_log_records, partial.error_message
        assert told[0] == 1
        assert "in-the-future" in told[1]
    rows = owner.execute("SELECT statement_timestamp() - at FROM troth.activity ORDER BY at").fetchall()
    ages = [age.total_seconds() / 3600 for (age,) in rows]
    assert ages == pytest.approx([3, 2, 1], abs=0.1)


def test_traces_of_several_languages_are_read_with_what_failed_last(notes: Application, owner: Connection[Any]) -> None:
    traces = {
        JAVA: "com.harbor.App.main (App.java):3\ncom.harbor.Store.save (Store.java):41",
        NODE: "? (task_queues):95\nasync main [as run] (app.js):3\nsave (store.js):41",
        "nothing of the kind": None,
    }
    for trace, stack in traces.items():
        assert spelt(export(failing(notes.names["Alice"], trace)), notes.key).body == {}
        assert owner.execute("DELETE FROM troth.crash RETURNING stack").fetchall() == [(stack,)]


def test_what_is_refused_is_counted_in_the_answer_by_reason_and_clause(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    body = export(record(""), record("alice@harbor.example"), failing("f" * 64), record(notes.names["Alice"]))
    told = {
        "rejectedLogRecords": "3",
        "errorMessage": f"1 names-nobody ({DOES}), 1 unknown-person, 1 unknown-person ({CRASHES})",
    }
    assert spelt(body, notes.key).body == {"partialSuccess": told}
    partial = packed(body, notes.key).partial_success
    assert (str(partial.rejected_log_records), partial.error_message) == tuple(told.values())
    owner.execute("UPDATE troth.permitted SET uses = 0 WHERE subject = %s", (cast["alice"].subject,))
    refused = spelt(export(record(notes.names["Alice"])), notes.key).body["partialSuccess"]
    assert refused == {"rejectedLogRecords": "1", "errorMessage": f"1 person-declined ({DOES})"}
    assert len(rows(owner)[1]) == 2
    assert [each.kind for each in queries.refusals(cast["alice"].token)] == ["activity"]


def test_the_same_export_again_stores_nothing_twice_and_equal_records_of_one_are_several(
    notes: Application, owner: Connection[Any]
) -> None:
    again = record(notes.names["Alice"])
    body = export(again, again, again | {"severityNumber": 17})
    assert [spelt(body, notes.key).body for _ in range(2)] == [{}, {}]
    assert sorted(row[2] for row in rows(owner)[1]) == ["error", "info", "info"]


def test_traces_and_metrics_are_refused_in_their_own_way_and_counted(
    notes: Application, owner: Connection[Any]
) -> None:
    traces = ExportTraceServiceRequest()
    spans = traces.resource_spans.add().scope_spans.add().spans
    for name in ("one", "two"):
        spans.add(name=name)
    metrics = ExportMetricsServiceRequest()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="many")
    metric.gauge.data_points.add(as_int=1)
    bodies: tuple[tuple[str, Any, Any, str, int], ...] = (
        ("/v1/traces", traces, {"resourceSpans": [{"scopeSpans": [{"spans": [{}, {}]}]}]}, "rejectedSpans", 2),
        (
            "/v1/metrics", metrics, {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"sum": {"dataPoints": [{}]}}]}]}]},
            "rejectedDataPoints", 1,
        ),
    )  # fmt: skip
    for path, told, as_json, name, many in bodies:
        answer = sent(told.SerializeToString(), key=notes.key, path=path, content_type=PROTOBUF)
        partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
        assert (partial.rejected_log_records, partial.error_message) == (many, f"{many} unknown-kind")
        partial = spelt(as_json, notes.key, path=path).body["partialSuccess"]
        assert partial == {name: str(many), "errorMessage": f"{many} unknown-kind"}
    assert [(each.reason, each.count) for each in queries.counts()] == [("unknown-kind", 6)]


def test_what_is_no_export_is_refused_whole_by_a_status_that_exporters_read(
    notes: Application, owner: Connection[Any]
) -> None:
    wrong = [b"", b"[]", b"{", b'{"a":' * 9000, b"\xff", b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[1]}]}]}']
    wrong += [json.dumps(export(record("x", timeUnixNano="soon"))).encode()]
    json_told = {"path": PATH, "content_type": "application/json"}
    answers = together([(body, notes.key, json_told) for body in wrong])
    assert [each.status for each in answers] == [400] * len(wrong)
    assert all(set(each.body) == {"message"} for each in answers)
    broken = sent(b"\x0a\xff", key=notes.key, path=PATH, content_type=PROTOBUF)
    # A google.rpc.Status says its words under number 2, as what is partial does.
    assert (broken.status, ExportLogsPartialSuccess.FromString(broken.content).error_message[:11]) == (
        400,
        "the body is",
    )
    others: tuple[tuple[int, str, dict[str, str]], ...] = (
        (401, "guessed", {}), (415, notes.key, {"content_type": "text/plain"}), (405, notes.key, {"method": "PUT"}),
    )  # fmt: skip
    for status, key, told in others:
        assert sent(b"{}", key=key, **json_told | told).status == status
    assert sent(b"", key="", method="OPTIONS", path=PATH).headers[b"access-control-allow-origin"] == b"*"
    assert rows(owner) == ([], [])


def test_more_than_is_taken_is_refused_whole_and_bombs_cost_no_more_than_is_unpacked(
    notes: Application, owner: Connection[Any]
) -> None:
    assert spelt(export(*[{}] * 1001), notes.key).status == 413
    told = {"path": PATH, "content_type": PROTOBUF, "content_encoding": "gzip"}
    assert sent(gzip.compress(b" " * (200 << 20)), key=notes.key, **told).status == 413
    # Empty records, and empty attributes of one: two bytes each.
    inner = b"\x12\x00" * 1_000_000
    many = [inner, b"\x0a" + b"\xfa\xff\x7f" + b"\x32\x00" * 1_000_000]
    started = time.process_time()
    for body in many:
        answer = sent(gzip.compress(body, 1), key=notes.key, **told)
        assert answer.status in (200, 400, 413)
    deep = b""
    while len(deep) < 100_000:  # a list of a list, as deep as it may be
        inside = b"\x0a" + _long(len(deep)) + deep
        deep = b"\x2a" + _long(len(inside)) + inside
    tower = b"\x2a" + _long(len(deep)) + deep
    for number in (b"\x12", b"\x12", b"\x0a"):
        tower = number + _long(len(tower)) + tower
    assert sent(gzip.compress(tower), key=notes.key, **told).status == 400
    assert time.process_time() - started < 10
    assert rows(owner) == ([], [])


def _long(many: int) -> bytes:
    out = bytearray()
    while many > 127:
        out.append(many & 127 | 128)
        many >>= 7
    return bytes([*out, many])


def test_what_an_export_is_made_of_costs_no_more_memory_than_is_said() -> None:
    body = json.dumps(export(record("x", attributes=[{}] * 900_000))).encode()
    assert len(body) < LONGEST
    tracemalloc.start()
    list(logs.spelt(body))
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_a_hostile_trace_costs_no_more_than_it_is_long() -> None:
    hostile = "\n".join(
        [" at " + ":1" * 348, " at " + "a " * 340 + "(", '  File "' + "x" * 600 + '", line 1, in'] * 1500
    )
    started = time.process_time()
    logs._stack(hostile)
    assert time.process_time() - started < 3


@pytest.mark.real
def test_what_exporters_were_seen_to_send_is_understood(notes: Application, owner: Connection[Any]) -> None:
    lines = (SHARED / "sdk_captures" / "python_node_sdk_requests.jsonl").read_text("utf-8").splitlines()
    requests = [each for each in map(json.loads, lines) if each["path"] == PATH]
    assert len(requests) == 2
    for each in requests:
        told = {name.lower().replace("-", "_"): value for name, value in each["headers"].items()}
        body = base64.b64decode(each["body_b64"])
        answer = sent(body, key=notes.key, **told | {"path": PATH})
        partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
        assert (partial.rejected_log_records, partial.error_message) == (1, f"1 names-nobody ({DOES})")
        plain = gzip.decompress(body) if "content_encoding" in told else body
        request = ExportLogsServiceRequest.FromString(plain)
        line = request.resource_logs[0].scope_logs[0].log_records[0]
        line.attributes.add(key="user.id").value.string_value = notes.names["Alice"]
        line.time_unix_nano = int(datetime.now(UTC).timestamp() * 1e9)
        answer = sent(request.SerializeToString(), key=notes.key, path=PATH, content_type=PROTOBUF)
        assert answer.content == b""
    assert sorted(row[1:4] for row in rows(owner)[1]) == [
        ("xgzip", "info", "device crash x"), ("xnone", "info", "device crash x"),
    ]  # fmt: skip
