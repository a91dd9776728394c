"""Pages of other origins: a registered application's may read what is its own, nobody else's anything (threat 18)."""

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.provider.asking import MANIFEST, Notes

HERE, EVIL = "https://notes.example", "https://evil.example"
ALLOW = "Access-Control-Allow-Origin"
LIKE = [
    EVIL,
    "https://notes.example.evil.example",
    "http://notes.example",
    "https://notes.example:444",
    "null",
    "https://NOTES.example",
]


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/.well-known/jwks.json"])
def test_what_is_public_is_readable_by_registered_pages_alone(notes: Notes, path: str) -> None:
    answer = notes.server.get(path, headers={"Origin": HERE})
    assert answer.headers[ALLOW] == HERE
    assert "Origin" in answer.headers["Vary"]
    for origin in LIKE:
        assert ALLOW not in notes.server.get(path, headers={"Origin": origin}).headers, origin


@pytest.mark.parametrize("path", ["/connect/token", "/connect/userinfo", "/connect/revoke", "/.well-known/jwks.json"])
def test_a_preflight_is_answered_for_registered_pages_alone(notes: Notes, path: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = notes.server.options(path, headers=asked | {"Origin": HERE})
    assert answer.status_code == 204
    assert answer.headers[ALLOW] == HERE
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    for origin in LIKE:
        answer = notes.server.options(path, headers=asked | {"Origin": origin})
        assert not [name for name in answer.headers if name.startswith("Access-Control")], origin


@pytest.mark.asvs("3.4.2")
def test_a_page_reads_only_what_its_own_application_asked(
    notes: Notes, register: Callable[..., Notes], browser: Browser, owner: Connection[Any]
) -> None:
    other = register(MANIFEST.replace("https://notes.example", "https://other.example"))
    browser.sign_up(owner, "alice@harbor.example")
    access = notes.tokens(browser)["access_token"]
    for origin, readable in ((HERE, True), ("https://other.example", False), (EVIL, False)):
        told = notes.server.get("/connect/userinfo", headers={"Authorization": f"Bearer {access}", "Origin": origin})
        assert told.status_code == 200
        assert (ALLOW in told.headers) is readable, origin
        answer = notes.ask("/connect/token", {"grant_type": "refresh_token", "refresh_token": "x"}, Origin=origin)
        assert (ALLOW in answer.headers) is readable, origin
    assert other.id != notes.id


@pytest.mark.parametrize(
    "path",
    [
        "/me",
        "/me/permissions?kind=applications",
        "/policy",
        "/connect/authorize",
        "/connect/introspect",
        "/connect/users",
        "/sign-in",
        "/device",
        "/connect/sign-out",
    ],
)
def test_nothing_else_is_readable_from_elsewhere(notes: Notes, path: str) -> None:
    answer = notes.server.get(path, headers={"Origin": HERE})
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_without_the_registered_list_any_page_reads_the_keys(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control taken away."""
    from troth.web.provider import cors

    monkeypatch.setattr(cors, "_known", lambda _origin: True)
    assert notes.server.get("/.well-known/jwks.json", headers={"Origin": EVIL}).headers[ALLOW] == EVIL
