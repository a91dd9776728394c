"""The lean plane answers each viewer about themselves alone, and everybody else with a reason and what to do next."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from tests.conftest import Person, count, visit
from troth.api.answering import LONGEST_BODY
from troth.api.app import Lean
from troth.database.place import Place

HOST = b"harbor.example"


class Answer:
    """What a request was answered with, and what the intake was told of who asked."""

    def __init__(self) -> None:
        self.status, self.content, self.headers, self.told = 0, b"", dict[bytes, bytes](), dict[str, Any]()

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        assert set(self.body) == {"code", "message", "what_next"}
        return str(self.body["code"])


def asked(
    path: str,
    *,
    method: str = "GET",
    token: str = "",
    query: str = "",
    body: bytes | list[bytes] = b"",
    headers: dict[str, str] | None = None,
    end: str = "",
) -> Answer:
    """Ask the lean plane once, as the server would; `end`: the body does not come to its own, but leaves or stays away."""
    found = Answer()
    sent = {"host": HOST.decode()} | ({"cookie": f"a=b; __Host-viewer={token}"} if token else {}) | (headers or {})
    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(), "client": ("192.0.2.7", 1),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()], "troth.access": found.told,
    }  # fmt: skip
    parts = [body] if isinstance(body, bytes) else list(body)

    async def receive() -> dict[str, Any]:
        if not parts and end:
            await asyncio.sleep(30 if end == "stays away" else 0)
            return {"type": "http.disconnect"}
        part = parts.pop(0) if parts else b""
        return {"type": "http.request", "body": part, "more_body": bool(parts or end)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.status, found.headers = message["status"], dict(message["headers"])
        else:
            found.content += message.get("body", b"")

    async def whole() -> None:
        lean = Lean()
        await lean.start()
        try:
            await lean(scope, receive, send)
        finally:
            await lean.stop()

    # In a thread of its own: the browser of the journeys leaves its loop running in a worker.
    with ThreadPoolExecutor(1) as apart:
        apart.submit(asyncio.run, whole()).result()
    return found


def chosen(token: str, wish: Any, **more: Any) -> Answer:
    headers = {"content-type": "application/json", "origin": f"https://{HOST.decode()}"} | more.pop("headers", {})
    body = wish if isinstance(wish, (bytes, list)) else json.dumps(wish).encode()
    return asked("/api/v1/me/choices", method="POST", token=token, body=body, headers=headers, **more)


def test_health_says_that_the_process_answers(database: Place) -> None:
    found = asked("/health")
    assert (found.status, found.body) == (200, {"status": "up"})


def test_the_policy_in_force_is_for_everybody(database: Place) -> None:
    found = asked("/api/v1/policy")
    assert found.status == 200
    assert (found.body["name"], found.body["version"], found.body["effective"]) == (
        "Harbor Hosted Solutions",
        1,
        "2026-11-01",
    )
    assert len(found.body["digest"]) == 64
    assert "network" in found.content.decode()


@pytest.mark.asvs("15.3.1")
def test_a_viewer_gets_what_is_held_about_them_and_of_nobody_else(cast: dict[str, Person]) -> None:
    for name in ("alice", "bob"):
        person = cast[name]
        found = asked("/api/v1/me", token=person.token)
        assert found.status == 200
        assert found.body["profile"]["email"] == person.email
        assert len(found.body["accesses"]) == 2
        assert [one["how"] for one in found.body["agreements"]] == ["test"]
        assert found.body["choices"] == []
        assert found.told["subject"] == person.subject
        for other in cast.values():
            assert other is person or other.email not in found.content.decode()
            assert other is person or str(other.subject) not in found.content.decode()


@pytest.mark.asvs("14.2.2")
def test_answers_are_kept_by_no_cache_and_framed_by_nobody(cast: dict[str, Person]) -> None:
    headers = asked("/api/v1/me", token=cast["alice"].token).headers
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"content-security-policy"].startswith(b"default-src 'none'")


def test_accesses_are_paged_from_the_newest_and_none_is_left_out(cast: dict[str, Person]) -> None:
    alice = cast["alice"]
    for place in range(60):
        visit(alice, f"/paged/{place}")
    urls: list[str] = []
    before = ""
    for _ in range(3):
        page = asked("/api/v1/me", token=alice.token, query=f"before={before.replace('+', '%2B')}").body["accesses"]
        assert len(page) <= 50
        urls += [one["url"] for one in page]
        if not page:
            break
        before = page[-1]["at"]
        assert datetime.fromisoformat(before).utcoffset() == timedelta(0)
    assert len(urls) == 62
    assert set(urls) == {f"/paged/{place}" for place in range(60)} | {"/me", "/files/secret-plan.pdf"}


@pytest.mark.parametrize("before", ["yesterday", "2026-13-01", "0", "' OR true --", "2026-11-01T12:00:00Z'"])
def test_a_page_before_no_time_is_refused(cast: dict[str, Person], before: str) -> None:
    found = asked("/api/v1/me", token=cast["alice"].token, query=f"before={before}")
    assert (found.status, found.code) == (422, "before")


@pytest.mark.parametrize(
    ("before", "many"),
    [
        ("0001-01-01", 0),
        ("0001-01-01T00:00:00%2B23:59", 0),
        ("9999-12-31T23:59:59-23:59", 2),
        ("", 2),
        ("2026-01-01T00:00:00Z", 0),
    ],
)
def test_the_ends_of_time_are_times(cast: dict[str, Person], before: str, many: int) -> None:
    found = asked("/api/v1/me", token=cast["alice"].token, query=f"before={before}")
    assert (found.status, len(found.body["accesses"])) == (200, many)


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 5000, "%00", '"quoted"'])
def test_nobody_is_told_to_sign_in(database: Place, token: str) -> None:
    found = asked("/api/v1/me", token=token)
    assert (found.status, found.code) == (401, "sign-in-needed")
    assert "sign in" in found.body["what_next"]
    assert "subject" not in found.told


@pytest.mark.parametrize("beside", ["a[]=x y", "=", ";;", "b=é", 'c={"json": 1}', "d"])
def test_an_odd_cookie_beside_it_signs_nobody_out(cast: dict[str, Person], beside: str) -> None:
    headers = {"cookie": f"{beside}; __Host-viewer={cast['alice'].token}; {beside}"}
    assert asked("/api/v1/me", headers=headers).status == 200


def test_an_ended_token_is_nobodys(cast: dict[str, Person], owner: Connection[Any]) -> None:
    owner.execute(
        "UPDATE troth.request_token SET expires_at = statement_timestamp() WHERE subject = %s", (cast["alice"].subject,)
    )
    assert asked("/api/v1/me", token=cast["alice"].token).code == "sign-in-needed"


def test_whoever_has_not_agreed_to_what_is_now_needed_is_sent_to_the_agreement(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """P2, after a version that needs a new agreement."""
    owner.execute(
        "INSERT INTO troth.policy_version SELECT (jsonb_populate_record(v, jsonb_build_object('version', 2, 'floor', true, 'digest', repeat('0', 64)))).*"
        " FROM troth.policy_version v WHERE version = 1"
    )
    for found in (
        asked("/api/v1/me", token=cast["alice"].token),
        chosen(cast["alice"].token, {"purpose": "announce", "kind": "consent"}),
    ):
        assert (found.status, found.code) == (403, "agreement-missing")
        assert "/agree" in found.body["what_next"]
        assert "subject" not in found.told


@pytest.mark.asvs("8.3.2")
@pytest.mark.parametrize(
    ("purpose", "kind", "sees"),
    [("understand", "objection", 0), ("announce", "consent", 1)],
    ids=["objecting", "consenting"],
)
def test_a_choice_bites_at_the_next_statement(cast: dict[str, Person], purpose: str, kind: str, sees: int) -> None:
    alice = cast["alice"]
    table = "person" if purpose == "announce" else "access"
    query = f"SELECT count(DISTINCT subject) FROM {table} WHERE subject = '{alice.subject}'"
    assert count(purpose, query) == 1 - sees
    found = chosen(alice.token, {"purpose": purpose, "kind": kind})
    assert (found.status, found.body) == (200, {"purpose": purpose, "kind": kind})
    assert count(purpose, query) == sees
    assert [(one["purpose"], one["kind"]) for one in asked("/api/v1/me", token=alice.token).body["choices"]] == [
        (purpose, kind)
    ]
    assert asked("/api/v1/me", token=cast["bob"].token).body["choices"] == []


def test_a_choice_that_comes_late_or_twice_counts_once(cast: dict[str, Person]) -> None:
    alice = cast["alice"]
    yes: dict[str, object] = {"purpose": "announce", "kind": "consent"}
    assert [chosen(alice.token, yes).status for _ in range(2)] == [200, 200], "twice is once"
    (made,) = asked("/api/v1/me", token=alice.token).body["choices"]
    assert chosen(alice.token, yes | {"kind": "withdrawal"}).body["code"] == "choice-outdated", "it knew of none"
    assert chosen(alice.token, yes | {"kind": "withdrawal", "seen": made["choice"]}).status == 200
    late = chosen(alice.token, yes)
    assert (late.status, late.body["code"]) == (409, "choice-outdated")
    assert [one["kind"] for one in asked("/api/v1/me", token=alice.token).body["choices"]] == ["withdrawal", "consent"]


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"purpose": "sell", "kind": "consent"}, 422, "purpose-unknown"),
        ({"purpose": "provide", "kind": "objection"}, 409, "choice-unknown"),
        ({"purpose": "announce", "kind": "objection"}, 409, "choice-unknown"),
        ({"purpose": "understand", "kind": "consent"}, 409, "choice-unknown"),
        ({"purpose": "un\0derstand", "kind": "objection"}, 422, "purpose-unknown"),
        ({"purpose": "understand"}, 422, "body"),
        ({"purpose": 1, "kind": "objection"}, 422, "body"),
        (b"", 422, "body"),
        (b"\xff\xfe", 422, "body"),
        (b'{"purpose": "understand", "kind": "obj', 422, "body"),
        (b"[" * 60_000, 422, "body"),
        (b'{"purpose":' * 5_000, 422, "body"),
        (b'{"purpose": "understand", "kind": ' + b"9" * 60_000 + b"}", 422, "body"),
        (b'{"x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", 422, "body"),
        (b" " * (LONGEST_BODY + 1), 413, "too-long"),
        ([b" " * 1024] * 65, 413, "too-long"),
    ],
)
def test_what_is_no_choice_is_refused_by_name_and_changes_nothing(
    cast: dict[str, Person], owner: Connection[Any], wish: Any, status: int, code: str
) -> None:
    found = chosen(cast["alice"].token, wish)
    assert (found.status, found.code) == (status, code)
    assert owner.execute("SELECT count(*) FROM troth.choice").fetchone() == (0,)


@pytest.mark.parametrize(("end", "status", "code"), [("leaves", 422, "body"), ("stays away", 408, "too-slow")])
def test_a_choice_that_did_not_come_to_its_end_is_none(
    cast: dict[str, Person],
    owner: Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    end: str,
    status: int,
    code: str,
) -> None:
    monkeypatch.setattr("troth.api.answering.SLOWEST_BODY", 0.3)
    found = chosen(cast["alice"].token, {"purpose": "understand", "kind": "objection"}, end=end)
    assert (found.status, found.code) == (status, code)
    assert owner.execute("SELECT count(*) FROM troth.choice").fetchone() == (0,)


@pytest.mark.asvs("3.5.2")
@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=application/json"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"origin": "http://harbor.example"},
        {"origin": "https://harbor.example.elsewhere.example"},
    ],
)
def test_another_sites_page_cannot_choose_for_a_viewer(
    cast: dict[str, Person], owner: Connection[Any], headers: dict[str, str]
) -> None:
    found = chosen(cast["alice"].token, {"purpose": "understand", "kind": "objection"}, headers=headers)
    assert (found.status, found.code) == (403, "cross-origin")
    assert owner.execute("SELECT count(*) FROM troth.choice").fetchone() == (0,)


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1/me/", "/api/v1/me/../me", "/api/v1/ME", "/healthy", "/api/v1/people/1"]
)
def test_what_is_not_there_is_not_there(database: Place, path: str) -> None:
    found = asked(path)
    assert (found.status, found.code) == (404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("POST", "/api/v1/me", b"GET, HEAD"), ("GET", "/api/v1/me/choices", b"POST"), ("DELETE", "/api/v1/policy", b"GET, HEAD"),
     ("HEAD", "/api/v1/me/choices", b"POST")],
)  # fmt: skip
def test_another_method_is_refused_with_those_there_are(
    database: Place, method: str, path: str, allowed: bytes
) -> None:
    found = asked(path, method=method)
    assert found.status == 405
    assert found.headers[b"allow"] == allowed


def test_head_answers_without_a_body(database: Place) -> None:
    found = asked("/api/v1/policy", method="HEAD")
    assert (found.status, found.content) == (200, b"")
    assert int(found.headers[b"content-length"]) > 100


def test_a_database_that_is_away_is_said_so(cast: dict[str, Person], monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_self: Lean) -> Callable[[], None]:
        raise psycopg.OperationalError("the canary's password is in here")

    monkeypatch.setattr(Lean, "_connection", away)
    found = asked("/api/v1/me", token=cast["alice"].token)
    assert (found.status, found.code) == (503, "unavailable")
    assert "canary" not in found.content.decode()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cookie=st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=80))
def test_no_cookie_makes_the_plane_stumble(database: Place, cookie: str) -> None:
    assert asked("/api/v1/me", headers={"cookie": f"__Host-viewer={cookie}"}).status == 401
    assert asked("/api/v1/me", headers={"cookie": cookie}).status == 401


def test_the_access_that_chooses_is_recorded_as_was_chosen(cast: dict[str, Person]) -> None:
    bob = cast["bob"]
    before = asked("/api/v1/me", token=bob.token).told["uses"]
    found = chosen(bob.token, {"purpose": "protect", "kind": "objection"})
    assert found.told["uses"] == asked("/api/v1/me", token=bob.token).told["uses"] != before
