"""One application behind one port: who the client is, what is recorded of a request, and that recording disturbs nothing."""

import asyncio
import contextlib
from typing import Any

import pytest

from tests.conftest import Person
from troth.database.place import Place
from troth.intake.event import NOBODY, Event


async def plane(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def scope(path: str = "/policy", client: str = "198.51.100.9", **headers: str) -> dict[str, Any]:
    return {
        "type": "http", "method": "GET", "path": path, "query_string": b"", "client": (client, 4711),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip


def served(
    asked: dict[str, Any], *, listed: str = "", pages: Any = plane, receive: Any = None
) -> tuple[list[Any], list[Event]]:
    """Serve one request; return what was sent, and what was recorded."""
    sent: list[Any] = []

    async def at_once() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def whole() -> list[Event]:
        from troth.config.asgi import Application

        application = Application(listed)
        application.pages = pages
        with contextlib.suppress(ZeroDivisionError):
            await application(asked, receive or at_once, send)
        return list(application.recorder.waiting)

    return sent, asyncio.run(whole())


@pytest.mark.asvs("4.1.3", "15.3.4")
@pytest.mark.parametrize(
    ("listed", "client", "forwarded", "believed"),
    [
        ("", "198.51.100.9", "203.0.113.5", "198.51.100.9"),
        ("10.0.0.0/8", "198.51.100.9", "203.0.113.5", "198.51.100.9"),
        ("10.0.0.0/8", "10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.0/8", "10.0.0.1", "192.0.2.1, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.0/8", "10.0.0.1", "203.0.113.5, 10.0.0.2", "203.0.113.5"),
        ("10.0.0.0/8,2001:db8::/32", "2001:db8::1", "203.0.113.5, 10.0.0.2", "203.0.113.5"),
        ("10.0.0.0/8", "10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_only_listed_proxies_say_who_the_client_is(
    database: Place, listed: str, client: str, forwarded: str, believed: str
) -> None:
    """Hardening 20."""
    asked = scope(client=client, x_forwarded_for=forwarded) if forwarded else scope(client=client)
    _, recorded = served(asked, listed=listed)
    assert [event.ip for event in recorded] == [believed]
    assert asked["client"][0] == believed  # what the limits of the sign-in pages count by


def test_a_wrong_list_of_proxies_stops_the_start(database: Place) -> None:
    from troth.config.asgi import Application

    with pytest.raises(ValueError, match="everywhere"):
        Application("everywhere")


def test_an_access_is_recorded_after_the_answer_and_tells_what_was_asked(database: Place) -> None:
    sent, recorded = served(scope(user_agent="curl/8", referer="https://elsewhere.example/"))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert [(e.method, e.url, e.status, e.agent, e.referrer, e.subject) for e in recorded] == [
        ("GET", "/policy", 204, "curl/8", "https://elsewhere.example/", NOBODY)
    ]


@pytest.mark.parametrize("path", ["/static/style.css", "/favicon.ico", "/health"])
def test_style_sheets_icons_and_health_are_not_recorded(database: Place, path: str) -> None:
    assert served(scope(path))[1] == []


def test_a_page_that_breaks_is_recorded_too(database: Place) -> None:
    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError

    assert [event.status for event in served(scope(), pages=broken)[1]] == [499]


def test_whoever_a_face_names_is_the_subject(cast: dict[str, Person]) -> None:
    async def known(asked: Any, receive: Any, send: Any) -> None:
        asked["troth.access"] |= {"subject": cast["alice"].subject, "uses": 5, "more": "ignored"}
        await plane(asked, receive, send)

    (event,) = served(scope(), pages=known)[1]
    assert (event.subject, event.uses) == (cast["alice"].subject, 5)


@pytest.mark.parametrize(
    ("status", "told", "unsaid"),
    [(200, {}, False), (404, {}, False), (503, {}, True), (0, {}, True), (503, {"subject": NOBODY, "uses": 0}, False)],
)
def test_of_what_failed_nobody_could_say_who_came_with_it(
    database: Place,
    status: int,
    told: dict[str, Any],
    unsaid: bool,  # noqa: FBT001 - a row of the table
) -> None:
    from troth.config.asgi import access

    for proof in ({"cookie": "a=b"}, {"authorization": "Bearer c"}):
        assert access(scope(**proof), status, told, 0.0).unsaid is unsaid
    assert not access(scope(), status, told, 0.0).unsaid


def test_odd_bytes_in_headers_do_not_disturb_the_answer(database: Place) -> None:
    from troth.config.asgi import access

    asked = scope()
    asked["headers"] = [(b"user-agent", b"\xff\xfe"), (b"referer", bytes(range(128, 256)))]
    asked["query_string"] = b"\xff=%ff&\x80"
    event = access(asked, 200, {}, 0.0)
    assert event.url == "/policy?\xff=%ff&\x80"
    assert len(served(asked)[1]) == 1


def test_which_record_of_their_own_somebody_looked_at_and_of_when_is_not_recorded(database: Place) -> None:
    from troth.config.asgi import access

    asked, when = scope(), "2026-11-30T08:44:04.913961+00:00~0192f0c1-0000-7000-8000-000000000001"
    asked["path"] = f"/me/timeline/location/{when}/delete"
    asked["headers"] = [(b"referer", f"https://harbor.example/me/timeline/location/{when}/delete".encode())]
    event = access(asked, 200, {}, 0.0)
    assert (event.url, event.referrer) == (
        "/me/timeline/*",
        "https://harbor.example/me/timeline/*",
    )
    asked["path"] = "/me/timeline"
    assert str(access(asked, 200, {}, 0.0).url).startswith("/me/timeline")
