"""What pages of applications ask and tell: what is permitted now, page views judged as accesses are, nothing tied to nobody."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.intake.sending import CRASH, USE, Application, Sent, registered, sent
from troth.database import connect
from troth.intake.permitting import LASTS

AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
EVERY = ("crash", "feature_use", "page_view")
VIEW = {"url": "https://notes.example/diary/7?token=hunter2&tab=all#top", "referrer": "https://search.example/?q=ill"}


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice uses, whose pages tell of three kinds."""
    made = registered(owner, events=EVERY)
    made.knows(cast["alice"])
    return made


def tell(notes: Application, person: str, *events: dict[str, Any], **told: Any) -> Sent:
    """Send as a page does: the key in the address, plain text, what browsers add of themselves."""
    headers = {"user-agent": AGENT, "sec-ch-ua-platform": '"Windows"', "content-type": "text/plain;charset=UTF-8"}
    body = {"person": person, "events": list(events)} | {k: v for k, v in told.items() if k not in ("key", "gpc")}
    path = f"/intake/v1/telemetry/{told.get('key', notes.key)}"
    more = {"sec_gpc": "1"} if told.get("gpc") else {}
    return sent(json.dumps(body).encode(), key="", path=path, **headers, **more)


def shown(key: str = "view-0001", **told: Any) -> dict[str, Any]:
    return {"key": key, "kind": "page_view", "at": datetime.now(UTC).isoformat(), "data": VIEW | told}


def views(owner: Connection[Any]) -> list[tuple[Any, ...]]:
    return owner.execute("SELECT subject, url, referrer, browser, system, kind, model FROM troth.page_view").fetchall()


def choose(person: Person, purpose: str, kind: str) -> None:
    with connect.acting("self", token=person.token) as mine:
        mine.execute("SELECT troth.choose(%s, %s)", (purpose, kind))


def test_asking_tells_what_would_be_kept_now_and_what_the_browser_may_hold(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    answer = tell(notes, notes.names["Alice"])
    assert answer.status == 200
    assert answer.headers[b"cache-control"] == b"no-store"
    assert answer.headers[b"access-control-allow-origin"] == b"*"
    assert answer.body["events"] == []
    assert set(answer.body["permits"]) == set(EVERY)
    assert answer.body["permits"]["page_view"] == [
        "url", "referrer", "browser", "system", "kind", "model", "method", "status", "metadata",
    ]  # fmt: skip
    assert answer.body["keeps"] == {"troth-device": 365, "troth-telemetry": 7}
    assert 0 < answer.body["lasts"] == LASTS <= 30
    choose(cast["alice"], "understand", "objection")
    assert set(tell(notes, notes.names["Alice"]).body["permits"]) == {"crash", "page_view"}
    choose(cast["alice"], "protect", "objection")
    assert set(tell(notes, notes.names["Alice"]).body["permits"]) == {"crash"}
    choose(cast["alice"], "personalise", "consent")
    permits = tell(notes, notes.names["Alice"]).body["permits"]
    assert permits["page_view"] == ["url"]
    assert permits["feature_use"] == ["feature", "outcome", "metadata"]
    assert views(owner) == []


@pytest.mark.parametrize("person", ["", "somebody-else"])
def test_of_whom_the_application_does_not_know_nothing_is_permitted(notes: Application, person: str) -> None:
    answer = tell(notes, person, shown())
    assert (answer.body["permits"], answer.body["keeps"]) == ({}, {})
    assert answer.body["events"][0]["outcome"] == "refused"


def test_whoever_ended_the_application_permits_nothing(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    with connect.acting("self", token=cast["alice"].token) as mine:
        mine.execute("SELECT troth.end_application(%s)", (notes.application,))
    answer = tell(notes, notes.names["Alice"], shown())
    assert (answer.body["permits"], answer.body["keeps"]) == ({}, {})
    assert views(owner) == []


def test_a_page_view_is_kept_without_secrets_and_says_what_it_was_shown_in(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    answer = tell(notes, notes.names["Alice"], shown(), system="15.0.0", model="SM-G991B")
    assert answer.body["events"] == [{"outcome": "stored"}]
    row = (cast["alice"].subject, "/diary/7?token=-&tab=all", "https://search.example/", "Chrome 140", "Windows 11")
    assert views(owner) == [(*row, "computer", "SM-G991B")]


@pytest.mark.parametrize("model", ["", 'x"; y="z', "\\", "\n", "M" * 101, "\u0627"])
def test_a_model_that_no_browser_says_is_none(notes: Application, owner: Connection[Any], model: str) -> None:
    assert tell(notes, notes.names["Alice"], shown(), model=model).body["events"] == [{"outcome": "stored"}]
    assert [row[6] for row in views(owner)] == [None]


def test_the_model_is_kept_only_of_whoever_permits_it(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    choose(cast["alice"], "protect", "objection")
    answer = tell(notes, notes.names["Alice"], shown(), model="SM-G991B")
    assert "model" not in answer.body["permits"]["page_view"]
    assert [row[6] for row in views(owner)] == [None]


@pytest.mark.parametrize("version", ["", "0.0.0", 'fifteen"; x="1', "1" * 200])
def test_a_version_that_is_none_changes_nothing(notes: Application, owner: Connection[Any], version: str) -> None:
    assert tell(notes, notes.names["Alice"], shown(), system=version).body["events"] == [{"outcome": "stored"}]
    assert [row[4] for row in views(owner)] == ["Windows"]


def test_the_same_view_again_is_the_same_whatever_the_browser_says_of_itself_then(
    notes: Application, owner: Connection[Any]
) -> None:
    view = shown()
    assert tell(notes, notes.names["Alice"], view).body["events"] == [{"outcome": "stored"}]
    assert tell(notes, notes.names["Alice"], view, system="15.0.0").body["events"] == [{"outcome": "repeated"}]
    other = view | {"data": {"url": "/another"}}
    conflict = tell(notes, notes.names["Alice"], other)
    assert (conflict.status, conflict.body["events"]) == (409, [{"outcome": "conflict"}])
    assert set(conflict.body["permits"]) == set(EVERY)
    assert len(views(owner)) == 1


def test_what_an_address_holds_is_taken_out(notes: Application, owner: Connection[Any]) -> None:
    tell(notes, notes.names["Alice"], shown(url="/write/to/bob%40harbor.example/now", referrer=None))
    ((_, url, referrer, *_),) = views(owner)
    assert "harbor.example" not in url
    assert referrer is None


@pytest.mark.parametrize("told", [{"gpc": True}, {"objects": True}])
def test_a_browser_that_objects_is_heard_first(
    notes: Application, owner: Connection[Any], told: dict[str, bool]
) -> None:
    """By its own header or the page's word: what only a purpose would use to which it objects is neither asked for nor kept."""
    use = {"key": "use-00001", "kind": "feature_use", "data": USE}
    answer = tell(notes, notes.names["Alice"], shown(), use, **told)
    assert set(answer.body["permits"]) == {"crash", "page_view"}
    assert [each["outcome"] for each in answer.body["events"]] == ["stored", "refused"]
    assert answer.body["events"][1]["reason"] == "browser-objects"
    assert owner.execute("SELECT uses < 0 FROM troth.page_view").fetchall() == [(True,)]


def test_whom_a_page_is_about_is_said_once_for_all_of_it(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    notes.knows(cast["bob"])
    crash = {"key": "crash-0001", "kind": "crash", "person": notes.names["Bob"], "data": CRASH}
    assert tell(notes, notes.names["Alice"], crash).body["events"] == [{"outcome": "stored"}]
    assert owner.execute("SELECT subject FROM troth.crash").fetchall() == [(cast["alice"].subject,)]


def test_a_key_that_opens_nothing_is_told_so(notes: Application) -> None:
    answer = tell(notes, notes.names["Alice"], key="guessed")
    assert (answer.status, answer.body["code"]) == (401, "key-needed")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'{"events": []}', b'{"person": "a b", "events": []}', b'{"person": "a", "events": {}}',
        b'{"person": "a", "events": [], "system": 15}', b'{"person": "a", "events": [], "sent": "yesterday"}',
    ],
)  # fmt: skip
def test_what_no_page_sends_is_refused_whole(notes: Application, body: bytes) -> None:
    answer = sent(body, key="", path=f"/intake/v1/telemetry/{notes.key}")
    assert (answer.status, answer.body["code"]) == (400, "page")
    assert answer.headers[b"access-control-expose-headers"] == b"retry-after"


def test_a_page_that_asks_first_is_answered_for_any_origin(notes: Application) -> None:
    answer = sent(b"", key="", path=f"/intake/v1/telemetry/{notes.key}", method="OPTIONS")
    assert answer.status == 204
    assert answer.headers[b"access-control-allow-methods"] == b"POST"
