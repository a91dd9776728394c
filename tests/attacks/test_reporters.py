"""Browsers that report what is somebody's, and whoever holds a key that stands in a header: numbers of a closed list, no more."""

import asyncio
import json
import logging
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection, sql

from tests.intake.sending import Application, registered, sent, together
from tests.intake.test_reports import BODIES, PAGE, REPORTS, VIOLATION, address, counted, post, report, violation
from troth.database import place
from troth.intake import queries
from troth.intake.reports import BLOCKED, DIRECTIVES, DISPOSITIONS
from troth.people import registering

#: What of somebody stands in each place of a report where a browser, or whoever pretends to be one, can write.
MARK = "zq9alicesdiary"


@pytest.fixture
def notes(owner: Connection[Any]) -> Application:
    """Harbor Notes."""
    return registered(owner)


def marked(said: Any, mark: str = MARK) -> Iterator[Any]:
    """Yield a report with a mark in one place after the other, names included."""
    for name, value in said.items():
        for inner in marked(value, mark) if isinstance(value, dict) else [f"{mark} {value}", f"{value}{mark}"]:
            yield said | {name: inner}
    yield said | {mark: mark}


def everything(owner: Connection[Any]) -> str:
    """Return every row of every table as text."""
    tables = owner.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'troth'").fetchall()
    asked = "SELECT coalesce(string_agg(to_jsonb(t)::text, ' '), '') FROM {} AS t"
    found = [owner.execute(sql.SQL(asked).format(sql.Identifier(*table))).fetchone() for table in tables]
    return " ".join(row[0] for row in found if row)


def written(owner: Connection[Any], mark: str = MARK) -> list[Path]:
    """Return the files of the service and of its database that hold a mark, once the database has written all of them."""
    owner.execute("CHECKPOINT")
    files = (each for each in place.current().data.rglob("*") if each.is_file())
    return [each for each in files if mark.encode() in each.read_bytes()]


def test_nothing_of_a_report_touches_a_table_a_log_or_a_file(
    notes: Application, owner: Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reports = [each for kind in (*BODIES, "unheard-of") for each in marked(report(kind))]
    assert len(reports) > 50
    assert post(reports, notes.key).status == 204
    told = {"path": address(notes.key), "content_type": VIOLATION, "referer": PAGE + MARK, "user_agent": MARK}
    answers = together([(each, "", told) for each in marked(violation())])
    assert {each.status for each in answers} <= {204, 400}  # one says in its wrapping that it is none
    for broken in (MARK.encode(), json.dumps(reports)[:-1].encode(), json.dumps([MARK] * 1001).encode()):
        answer = post(broken, notes.key)
        assert answer.status in (400, 413)
        assert MARK not in answer.content.decode()
    assert sum(counted().values()) > 50
    assert MARK not in everything(owner)
    assert MARK not in caplog.text
    assert written(owner) == []


def test_the_search_finds_what_is_written(owner: Connection[Any]) -> None:
    owner.execute("SELECT troth.count_outcomes('counted', '', %s, '', 1)", (MARK[::-1],))
    assert MARK[::-1] in everything(owner)
    assert written(owner, MARK[::-1])


def test_no_report_is_an_access_whatever_stands_in_its_address(
    notes: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.config import asgi

    application = asgi.Application()
    recorded: list[Any] = []
    monkeypatch.setattr(application.recorder, "record", recorded.append)

    async def whole() -> list[int]:
        await application.lean.start()
        try:
            return [
                await answered(application, path, query)
                for path, query in (
                    (address(notes.key), MARK),
                    (address(MARK), ""),
                    ("/api/1/security/", f"sentry_key={MARK}"),
                )
            ]
        finally:
            await application.lean.stop()

    assert asyncio.run(whole()) == [204, 410, 410]
    assert recorded == []


async def answered(application: Any, path: str, query: str) -> int:
    statuses: list[int] = []
    parts = [json.dumps([report("crash")]).encode()]
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": path, "query_string": query.encode(), "client": ("192.0.2.7", 1),
        "headers": [(b"content-type", REPORTS.encode())],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": parts.pop(), "more_body": False}

    async def send(message: Any) -> None:
        statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])

    await application(scope, receive, send)
    return statuses[0]


def test_a_key_opens_nothing_once_it_ended_and_browsers_are_told_to_stop(
    notes: Application, owner: Connection[Any]
) -> None:
    for key in ("guessed", notes.application, notes.key[:-1], notes.key + "x"):
        assert post([report("crash")], key).status == 410
    for query in ("", "sentry_key=", "sentry_key=guessed", f"key={notes.key}"):
        assert post(violation(), "", path="/api/1/security/", query=query, content_type=VIOLATION).status == 410
    registering.end_keys(owner, {"application": notes.application})
    assert post([report("crash")], notes.key).status == 410
    assert counted() == {}


def test_what_a_hostile_key_fills_is_bounded_by_the_list_and_hides_no_refusal(notes: Application) -> None:
    words = list(product([*DIRECTIVES, "a", "b"], [*BLOCKED, "c", "d"], [*DISPOSITIONS, "e", "f"]))
    bodies = [
        {"effectiveDirective": directive, "blockedURL": blocked, "disposition": disposition}
        for directive, blocked, disposition in words
    ]
    reports = [report("csp-violation", body=body) for body in bodies]
    told = {"path": address(notes.key), "content_type": REPORTS}
    assert {
        each.status for each in together([(reports[n : n + 900], "", told) for n in range(0, len(reports), 900)])
    } == {204}
    post([report("alice")], notes.key)
    assert len(queries.reports()) == 50
    assert [(each.reason, each.count) for each in queries.counts()] == [("unknown-kind", 1)]


def test_a_list_of_words_is_all_that_can_be_counted(notes: Application, owner: Connection[Any]) -> None:
    reports = [
        report("csp-violation", body={"effectiveDirective": f"x{n}", "blockedURL": f"y{n}:", "disposition": f"z{n}"})
        for n in range(1000)
    ]
    assert post(reports, notes.key).status == 204
    assert owner.execute("SELECT reason, count FROM troth.intake_count").fetchall() == [("other other other", 1000)]


def test_more_than_waits_is_shed(notes: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("troth.intake.gate.SHARE", 5)
    answer = post([report("crash")] * 6, notes.key)
    assert (answer.status, answer.headers[b"retry-after"]) == (503, b"5")
    assert counted() == {}


def test_a_report_makes_no_person_and_reaches_no_person(notes: Application, owner: Connection[Any]) -> None:
    """A page of somebody's names them in its address: that is no name by which an application calls them."""
    before = owner.execute("SELECT count(*) FROM troth.subject").fetchone()
    assert (
        post([report("crash", url=f"https://notes.example/{name}") for name in ("alice", "bob")], notes.key).status
        == 204
    )
    for table in ("crash", "activity", "feature_use", "access", "refused_event", "intake_taken"):
        found = owner.execute(sql.SQL("SELECT count(*) FROM troth.{}").format(sql.Identifier(table))).fetchone()
        assert found == (0,), table
    assert owner.execute("SELECT count(*) FROM troth.subject").fetchone() == before


def test_a_page_that_holds_a_cookie_tells_nothing_by_it(notes: Application) -> None:
    answer = sent([report("crash")], key="", path=address(notes.key), content_type=REPORTS, cookie="__Host-viewer=x")
    assert answer.status == 204
    assert b"access-control-allow-credentials" not in answer.headers
