"""What programs look for under `/.well-known/`: whom to tell of a flaw (RFC 9116), and where a password is changed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import sectxt
from a2wsgi.wsgi import build_environ

from tests.browsing import Browser
from troth.database import published

PLACE = "/.well-known/security.txt"


def faults(text: str) -> list[str]:
    """Return what the independent checker of the standard says against a file."""
    return [found["code"] for found in sectxt.Parser(text.encode()).errors]


def test_the_file_is_as_the_standard_wants_it(browser: Browser) -> None:
    answer = browser.get(PLACE)
    text = answer.content.decode()
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert faults(text) == []
    told = dict(line.split(": ", 1) for line in text.splitlines())
    assert told["Contact"] == f"mailto:{published.current().policy.contact}"
    assert told["Canonical"].startswith("https://")
    assert told["Canonical"].endswith(PLACE)
    assert told["Preferred-Languages"] == "en, es"
    until = datetime.fromisoformat(told["Expires"])
    assert timedelta(days=30) < until - datetime.now(UTC) < timedelta(days=365)


@pytest.mark.parametrize(("field", "fault"), [("Contact", "no_contact"), ("Expires", "no_expire")])
def test_mutation_without_a_field_the_checker_says_so(browser: Browser, field: str, fault: str) -> None:
    lines = browser.get(PLACE).content.decode().splitlines(keepends=True)
    assert fault in faults("".join(line for line in lines if not line.startswith(field)))


def test_whom_to_tell_is_what_the_policy_says(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    now = published.current()
    other = replace(now, policy=replace(now.policy, contact="other@harbor.example"))
    monkeypatch.setattr(published, "current", lambda *_role: other)
    assert "Contact: mailto:other@harbor.example" in browser.get(PLACE).content.decode().splitlines()


def test_password_managers_are_led_to_where_the_password_is_changed(browser: Browser) -> None:
    answer = browser.get("/.well-known/change-password")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/password")


def test_what_is_not_there_is_not_answered_as_if_it_were(browser: Browser) -> None:
    """A password manager asks this first: a service that answers everything says nothing with an answer."""
    missing = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
    assert browser.get(missing).status_code == 404


def test_people_are_shown_that_their_browser_objects(browser: Browser) -> None:
    told = "Your browser sends the signal of Global Privacy Control"
    assert told not in browser.get("/policy").content.decode()
    page = browser.get("/policy", headers={"Sec-GPC": "1"}).content.decode()
    assert told in page
    assert 'id="honour-global-privacy-control"' in page


@pytest.mark.parametrize("sent", [("0", "1"), ("1", "0"), ("1", "1"), ("0, 1",)])
def test_they_are_shown_so_of_several_headers_if_one_says_it(browser: Browser, sent: tuple[str, ...]) -> None:
    told = "Your browser sends the signal of Global Privacy Control"
    assert told in browser.get("/policy", headers={"Sec-GPC": joined(*sent)}).content.decode()
    assert told not in browser.get("/policy", headers={"Sec-GPC": joined("0", "0")}).content.decode()


def joined(*sent: str) -> str:
    """Return what pages find of several headers."""
    headers = [(b"sec-gpc", value.encode()) for value in sent]
    asked: Any = {"method": "GET", "path": "/", "query_string": b"", "http_version": "1.1", "headers": headers}
    found = build_environ(asked, cast("Any", None))["HTTP_SEC_GPC"]  # type: ignore[typeddict-item]
    return str(found)


def test_the_file_says_whether_the_policy_honours_it(browser: Browser) -> None:
    answer = browser.get("/.well-known/gpc.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.content) == {"gpc": True, "lastUpdate": "2026-11-01"}


def test_a_policy_that_does_not_honour_the_signal_says_so(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    now = published.current()
    silent = replace(now, policy=replace(now.policy, honoured=()))
    monkeypatch.setattr(published, "current", lambda *_role: silent)
    assert browser.get("/.well-known/gpc.json").json() == {"gpc": False, "lastUpdate": "2026-11-01"}
    assert "Global Privacy Control" not in browser.get("/terms", headers={"Sec-GPC": "1"}).content.decode()


def test_a_browser_without_cookies_is_told_what_does_not_work_and_why(browser: Browser) -> None:
    from django.test import Client

    answer = Client(enforce_csrf_checks=True, SERVER_NAME="localhost").post(
        "/sign-in", {"login": "a@harbor.example"}, secure=True
    )
    assert answer.status_code == 403
    assert "Your browser sent no cookie" in answer.content.decode()
