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


NOWHERE = "7f0e1c1e-0000-4000-8000-000000000000"
#: Where a NUL stands: in the address, in its query or in a form; with the methods that are tried.
NULS: tuple[tuple[str, str], ...] = (
    ("/declining/end/applications/a%00b", ""),
    ("/declining/a%00b", "kind=objection"),
    ("/me/timeline/access/a%00b/delete", ""),
    (f"/me/support/{NOWHERE}", "areas=a%00&hours=1"),
    (f"/me/support/{NOWHERE}/narrow", "areas=a%00"),
    (f"/me/support/{NOWHERE}/narrow", "areas=profile&areas=a%00&areas=access"),
    (f"/me/support/{NOWHERE}/narrow", "areas%00=profile"),
    ("/me/permissions?a=%00", "a=b"),
    ("/me/accesses?path=a%00b", ""),
    ("/me/name", "name=a%00b"),
    ("/agree", "policy=%00&answer=agree"),
    ("/sign-in", "login=a%00b&password=x"),
)


@pytest.mark.parametrize(("path", "body"), NULS)
def test_a_nul_reaches_no_view(browser: Browser, owner: Connection[Any], path: str, body: str) -> None:
    browser.sign_up(owner, ALICE)
    for asker in (browser, Browser()):
        answer = asker.generic("POST", path, body, "application/x-www-form-urlencoded")
        assert (answer.status_code, "bad-request" in answer.content.decode()) == (400, True)
    if "%00" in path:
        assert browser.get(path).status_code == 400
    same = browser.generic(
        "POST", path.replace("%00", "0"), body.replace("%00", "0"), "application/x-www-form-urlencoded"
    )
    assert same.status_code != 400, "it is the NUL that is refused"


@pytest.mark.parametrize("path", ["token", "userinfo", "revoke", "introspect", "device", "users"])
def test_a_nul_that_an_application_sends_is_answered_to_it(browser: Browser, path: str) -> None:
    form = "application/x-www-form-urlencoded"
    for query, body in (("", "client_id=a%00b&grant_type=refresh_token&token=x"), ("?client_id=a%00b", "token=a%00b")):
        answer = browser.generic("POST", f"/connect/{path}{query}", body, form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert browser.get("/connect/authorize?client_id=a%00b&response_type=code").status_code == 400
    assert (
        browser.generic("POST", "/connect/authorize?client_id=x", "answer=permit&client_id=a%00b", form).status_code
        < 500
    )


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
