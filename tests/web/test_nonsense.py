"""Nonsense is answered as nonsense: never a failure of ours, never a way in."""

from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser

ALICE = "alice@harbor.example"
ODD = (
    "\x00",
    "\ud800",
    "é\x85\u2028",
    "'",
    "%",
    "\\",
    "{{x}}",
    "9" * 5000,
    "-1",
    "1e999",
    "0001-01-01",
    "9999-12-31T23:59:59Z",
)
#: path -> the fields of its form, for somebody signed in and for nobody.
SIGNED_IN: dict[str, tuple[str, ...]] = {
    "/me/name": ("name",),
    "/me/close": ("password",),
    "/me/purposes/announce": ("kind",),
    "/language": ("language", "next"),
    "/password": ("oldpassword", "password1"),
}
NOBODY: dict[str, tuple[str, ...]] = {
    "/sign-in": ("login", "password", "next"),
    "/sign-up": ("email", "name", "password1"),
    "/password/forgotten": ("email",),
    "/agree": ("policy", "answer"),
}


@pytest.mark.asvs("2.2.1", "2.2.2", "15.3.5")
@pytest.mark.parametrize("odd", ODD)
def test_odd_values_of_forms_and_queries(browser: Browser, owner: Connection[Any], odd: str) -> None:
    from urllib.parse import quote

    text = quote(odd.encode("utf-8", "surrogatepass"))
    browser.sign_up(owner, ALICE)
    visitor = Browser()
    form = "application/x-www-form-urlencoded"
    statuses = {
        field: browser.get(f"/me/accesses?{field}={text}").status_code for field in ("day", "path", "before", "other")
    }
    for path, fields in SIGNED_IN.items():
        body = "&".join(f"{field}={text}" for field in fields)
        statuses[path] = browser.generic("POST", path, body, form).status_code
    for path, fields in NOBODY.items():
        body = "&".join(f"{field}={text}" for field in fields)
        statuses[f"nobody {path}"] = visitor.generic("POST", path, body, form).status_code
    assert not {where: status for where, status in statuses.items() if status >= 500}


@pytest.mark.parametrize("held", ["", "x", "é", "\x80\xff", "a" * 8000, "'; DROP TABLE x; --", "\ud800"])
@pytest.mark.parametrize("cookie", ["__Host-viewer", "__Host-session", "__Host-csrf", "__Host-language"])
def test_odd_cookies(browser: Browser, held: str, cookie: str) -> None:
    header = f"{cookie}={held}".encode("utf-8", "surrogatepass").decode("latin-1")
    for path in ("/", "/me", "/agree"):
        assert browser.get(path, HTTP_COOKIE=header).status_code in (200, 302, 303), path


def test_a_signed_in_person_with_an_odd_viewer_gets_a_good_one(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    for held in ("é", "x" * 5000, "guessed"):
        browser.cookies["__Host-viewer"] = held
        assert browser.get("/me").status_code == 200
        assert browser.cookies["__Host-viewer"].value != held


def test_a_form_that_is_too_large_is_refused(browser: Browser) -> None:
    assert browser.post("/sign-in", {"login": "x" * 300_000}).status_code == 400
    assert browser.post("/sign-in", {f"f{number}": "" for number in range(200)}).status_code == 400
