"""What browsers report on their own is counted by words of a closed list, and nothing of a report is read beyond them."""

import gzip
import json
from collections import Counter
from typing import Any

import pytest
from psycopg import Connection

from tests.intake.sending import Application, Sent, registered, sent, together
from troth.intake import queries
from troth.intake.reports import TYPES

REPORTS, VIOLATION = "application/reports+json", "application/csp-report"
#: As Chromium writes them.
PAGE = "https://notes.example/reset?token=qz7secret&email=alice%40harbor.example"
BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "csp-violation": (
        {
            "blockedURL": "https://tracker.example/pixel?who=alice",
            "columnNumber": 12,
            "disposition": "enforce",
            "documentURL": PAGE,
            "effectiveDirective": "script-src-elem",
            "lineNumber": 4,
            "originalPolicy": "default-src 'self'; report-to troth",
            "referrer": "https://elsewhere.example/search?q=my+illness",
            "sample": "let diary = 'Alice'",
            "sourceFile": PAGE,
            "statusCode": 200,
        },
        "script-src-elem https enforce",
    ),
    "network-error": (
        {
            "elapsed_time": 143, "method": "GET", "phase": "connection", "protocol": "h2", "referrer": PAGE,
            "sampling_fraction": 1.0, "server_ip": "192.0.2.77", "status_code": 0, "type": "tcp.timed_out",
        },
        "tcp.timed_out",
    ),
    "deprecation": ({"id": "UnloadHandler", "message": "of Alice", "sourceFile": PAGE, "lineNumber": 1}, ""),
    "intervention": ({"id": "HeavyAd", "message": "of Alice", "sourceFile": PAGE}, ""),
    "crash": ({"reason": "oom", "stack": "at diary (alice.js:1)", "is_top_level": True}, "oom"),
}  # fmt: skip


@pytest.fixture
def notes(owner: Connection[Any]) -> Application:
    """Harbor Notes, which nobody uses: a browser's report needs nobody."""
    return registered(owner)


def report(kind: str, **told: Any) -> dict[str, Any]:
    """Return a report as it is sent."""
    body = BODIES[kind][0] if kind in BODIES else {}
    return {"age": 27, "type": kind, "url": PAGE, "user_agent": "Mozilla/5.0 (X11) Harbor/7", "body": body} | told


def violation(**told: Any) -> dict[str, Any]:
    """Return one in the form that was before."""
    body = {"document-uri": PAGE, "referrer": PAGE, "violated-directive": "img-src", "blocked-uri": "data"}
    return {"csp-report": body | {"effective-directive": "img-src", "script-sample": "let diary"} | told}


def address(key: str) -> str:
    return f"/intake/v1/reports/{key}"


def post(body: Any, key: str, **told: Any) -> Sent:
    return sent(body, key="", **{"path": address(key), "content_type": REPORTS, "authorization": ""} | told)


def counted() -> dict[tuple[str, str], int]:
    return {(each.kind, each.reason): each.count for each in queries.reports()}


def refused() -> dict[tuple[str, str], int]:
    return {(each.kind, each.reason): each.count for each in queries.counts()}


def test_each_type_is_counted_by_its_words(notes: Application) -> None:
    assert set(BODIES) == set(TYPES)
    answer = post([report(kind) for kind in BODIES] + [report("csp-violation")], notes.key)
    assert (answer.status, answer.content) == (204, b"")
    assert counted() == {
        ("csp-violation", "script-src-elem https enforce"): 2, ("network-error", "tcp.timed_out"): 1,
        ("deprecation", ""): 1, ("intervention", ""): 1, ("page-crash", "oom"): 1,
    }  # fmt: skip
    assert refused() == {}


def test_a_violation_in_the_older_form_is_the_same(notes: Application) -> None:
    sources = violation(**{"effective-directive": "", "violated-directive": "script-src 'self'", "blocked-uri": ""})
    for body in (violation(), violation(**{"blocked-uri": "data:image/png,secret"}), sources):
        assert post(body, notes.key, content_type=f"{VIOLATION}; charset=utf-8").status == 204
    assert counted() == {("csp-violation", "img-src data enforce"): 2, ("csp-violation", "script-src other enforce"): 1}


def test_the_key_may_stand_in_the_query_as_in_sentrys_address(notes: Application) -> None:
    for path in ("/api/1/security/", "/api/anything/security"):
        told = {"path": path, "query": f"sentry_key={notes.key}", "content_type": VIOLATION}
        assert post(violation(), "", **told).status == 204
    assert counted() == {("csp-violation", "img-src data enforce"): 2}


@pytest.mark.parametrize(
    ("kind", "told", "words"),
    [
        ("csp-violation", {"effectiveDirective": "alice-src"}, "other https enforce"),
        ("csp-violation", {"blockedURL": "alice@harbor.example"}, "script-src-elem other enforce"),
        ("csp-violation", {"blockedURL": "inline"}, "script-src-elem inline enforce"),
        ("csp-violation", {"blockedURL": None}, "script-src-elem other enforce"),
        ("csp-violation", {"disposition": "alice"}, "script-src-elem https other"),
        ("csp-violation", {"disposition": "report"}, "script-src-elem https report"),
        ("network-error", {"type": "http.alice"}, "other"),
        ("crash", {"reason": "alice"}, "other"),
        ("crash", {"reason": None}, "other"),
    ],
)
def test_a_word_that_is_not_in_the_list_is_not_kept(
    notes: Application, kind: str, told: dict[str, Any], words: str
) -> None:
    assert post([report(kind, body=BODIES[kind][0] | told)], notes.key).status == 204
    assert [reason for _, reason in counted()] == [words]


def test_what_is_not_known_or_cannot_be_read_is_refused_and_counted(notes: Application) -> None:
    unfit = [
        report("permissions-policy-violation"), report("alice"), report("csp-violation", body=[]),
        report("csp-violation", body={"effectiveDirective": 7}), report("network-error", body=None), 7, {}, {"type": None},
    ]  # fmt: skip
    assert post([*unfit, report("crash")], notes.key).status == 204
    assert refused() == {
        ("", "unknown-kind"): 2, ("csp-violation", "malformed"): 2, ("network-error", "malformed"): 1, ("", "malformed"): 3,
    }  # fmt: skip
    assert counted() == {("page-crash", "oom"): 1}


def test_a_page_of_any_origin_may_ask_whether_it_may_send(notes: Application) -> None:
    asked = {"method": "OPTIONS", "origin": "https://notes.example", "access_control_request_headers": "content-type"}
    answer = post(b"", notes.key, **asked)
    assert answer.status == 204
    assert answer.headers[b"access-control-allow-origin"] == b"*"
    assert answer.headers[b"access-control-allow-methods"] == b"POST"
    assert answer.headers[b"access-control-allow-headers"] == b"content-type"
    assert (
        post([report("crash")], notes.key, origin="https://x.example").headers[b"access-control-allow-origin"] == b"*"
    )
    assert post(b"", notes.key, method="GET").status == 405


def test_what_is_no_report_is_refused_whole(notes: Application) -> None:
    bodies = {
        b"": 400, b"{": 400, b"{}": 400, b"7": 400, b"null": 400, b"\xff": 400, b"[" * 100_000: 400,
        json.dumps([{}] * 1001).encode(): 413, b" " * (2 << 20): 413,
    }  # fmt: skip
    told = {"path": address(notes.key), "content_type": REPORTS}
    assert [each.status for each in together([(body, "", told) for body in bodies])] == list(bodies.values())
    for body in (b"", b"[]", b'{"csp-report":7}', b'{"csp-report":' * 9000):
        assert post(body, notes.key, content_type=VIOLATION).status == 400
    for kind in ("", "text/plain", "application/json"):
        assert post([report("crash")], notes.key, content_type=kind).status == 415
    assert post(gzip.compress(b" " * (200 << 20)), notes.key, content_encoding="gzip").status == 413
    assert counted() == refused() == {}


def test_our_own_protocol_answers_as_before(notes: Application) -> None:
    """A count that only browsers' reports have is none of its outcomes."""
    answer = sent([], key=notes.key)
    assert set(answer.body) == {"stored", "kept", "repeated", "conflict", "refused", "events"}


def test_the_order_of_what_is_counted_is_the_most_frequent_first(notes: Application) -> None:
    """A list of made-up words is no longer than the closed list, and a refusal is never behind it."""
    many = Counter({"dns.failed": 2, "tls.failed": 3, "abandoned": 1})
    post([report("network-error", body={"type": each}) for each in many.elements()], notes.key)
    assert [each.reason for each in queries.reports()] == ["tls.failed", "dns.failed", "abandoned"]
