"""Lines of web servers' logs, by every form that is read: what of a request they say, and nothing else."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from troth.intake.lines import event_of, moment_of

AT = datetime(2026, 11, 1, 10, 0, 0, tzinfo=UTC)
COMMON = '192.0.2.7 - alice [01/Nov/2026:10:00:00 +0000] "GET /notes HTTP/1.1" 200 512'
COMBINED = COMMON + ' "https://elsewhere.example/" "Firefox"'
NGINX: dict[str, Any] = {
    "time_iso8601": "2026-11-01T12:00:00+02:00", "remote_addr": "192.0.2.7", "remote_user": "alice", "request": "GET /notes HTTP/1.1",
    "status": "200", "body_bytes_sent": "512", "http_referer": "https://elsewhere.example/", "http_user_agent": "Firefox",
}  # fmt: skip
CADDY: dict[str, Any] = {
    "level": "info", "ts": AT.timestamp(), "logger": "http.log.access", "msg": "handled request", "user_id": "alice", "status": 200,
    "request": {
        "remote_ip": "198.51.100.1", "client_ip": "192.0.2.7", "proto": "HTTP/2.0", "method": "GET", "host": "notes.example", "uri": "/notes",
        "headers": {"User-Agent": ["Firefox"], "Referer": ["https://elsewhere.example/"], "Cookie": ["session=hunter2"]},
    },
}  # fmt: skip
WHOLE = (AT, "GET", "/notes", 200, "https://elsewhere.example/", "192.0.2.7", "Firefox", False)
BARE = (AT, "GET", "/notes", 200, None, "192.0.2.7", None, False)


def said(line: str | dict[str, Any]) -> tuple[Any, ...] | None:
    found = event_of((json.dumps(line) if isinstance(line, dict) else line).encode())
    if found is None:
        return None
    assert "hunter2" not in repr(found)
    return found.at, found.method, found.url, found.status, found.referrer, found.ip, found.agent, found.objects


@pytest.mark.parametrize("virtual", ["", "notes.example:443 ", "notes.example ", "_:80 "])
def test_a_virtual_host_may_stand_before_a_line(virtual: str) -> None:
    assert said(virtual + COMBINED) == WHOLE
    assert said(virtual + COMMON) == BARE
    assert said(virtual + COMBINED.replace("192.0.2.7", "2001:db8::7")) == (*WHOLE[:5], "2001:db8::7", *WHOLE[6:])


def test_an_address_that_looks_like_a_host_with_a_port_is_an_address() -> None:
    line = COMMON.replace("192.0.2.7 - alice", "2001:db8::1 - John Smith")
    assert said(line) == (*BARE[:5], "2001:db8::1", *BARE[6:])


def test_nginx_says_it_by_its_variables_however_times_and_requests_are_written() -> None:
    assert said(NGINX) == WHOLE
    parts = {"request": "", "request_method": "GET", "request_uri": "/notes"}
    times: tuple[dict[str, Any], ...] = (
        {}, {"time_iso8601": None, "time_local": "01/Nov/2026:10:00:00 +0000"}, {"time_iso8601": "-", "msec": "1793527200.000"},
        {"time_iso8601": "", "msec": AT.timestamp()}, {"time_iso8601": None, "@timestamp": "2026-11-01T10:00:00Z"},
    )  # fmt: skip
    for told in times:
        assert said(NGINX | told) == WHOLE
        assert said(NGINX | told | parts | {"status": 200}) == WHOLE


def test_caddy_says_it_of_a_request_and_whether_its_browser_objects() -> None:
    assert said(CADDY) == WHOLE
    assert said(CADDY | {"ts": "2026-11-01T10:00:00.000Z"}) == WHOLE
    headers = CADDY["request"]["headers"] | {"Sec-Gpc": ["1"]}
    assert said(CADDY | {"request": CADDY["request"] | {"headers": headers}}) == (*WHOLE[:7], True)


@pytest.mark.parametrize(
    "change",
    [
        {"status": None}, {"status": "many"}, {"status": 1e999}, {"status": -1}, {"status": [200]}, {"status": True, "ts": None},
        {"ts": None}, {"ts": "soon"}, {"ts": 1e300}, {"ts": []}, {"ts": "2026-11-01T10:00:00"}, {"ts": "9999-12-31T23:59:59-14:00"},
    ],
)  # fmt: skip
def test_a_line_that_says_no_time_or_status_is_malformed(change: dict[str, Any]) -> None:
    told = json.loads(json.dumps(CADDY)) | change
    assert said(told) is None


@pytest.mark.parametrize(
    "line", ["{", "{}", "{" * 9000, '{"a":' * 9000, '{"ts":1}', "[]", "null", "{\xff", '{"request":{"headers":[1]}}']
)
def test_what_is_no_line_is_malformed(line: str) -> None:
    assert event_of(line.encode("latin-1")) is None


def test_odd_values_become_nothing() -> None:
    request = {
        "method": "get it",
        "uri": 7,
        "headers": {"User-Agent": [7], "Referer": {}, "Sec-Gpc": 1},
        "client_ip": ["x"],
    }
    assert said(CADDY | {"request": request}) == (AT, None, None, 200, None, None, None, False)


def test_the_moment_of_a_line_is_found_in_every_form() -> None:
    for line in (COMMON, "notes.example:443 " + COMBINED, json.dumps(NGINX), json.dumps(CADDY)):
        assert moment_of(line.encode()) == AT
    assert moment_of(b"nonsense") is None
