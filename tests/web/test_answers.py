"""What every answer and every form has, whoever asks and whatever for."""

import re
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser

ALICE = "alice@harbor.example"
PAGES = (
    "/",
    "/policy",
    "/policy.txt",
    "/policy.jsonld",
    "/policy/labels.json",
    "/sign-in",
    "/no-such-page",
    "/static/style.css",
)


@pytest.mark.asvs("4.1.1")
@pytest.mark.parametrize("path", PAGES)
def test_every_answer_says_what_it_is_and_how_it_is_written(browser: Browser, path: str) -> None:
    said = browser.get(path).headers["Content-Type"]
    assert re.fullmatch(r"text/(html|plain|css|turtle); charset=utf-8|application/([a-z]+\+)?json", said)


@pytest.mark.asvs("6.2.6", "6.2.7")
@pytest.mark.parametrize(("path", "purpose"), [("/sign-up", "new-password"), ("/sign-in", "current-password")])
def test_password_fields_are_masked_and_welcome_managers(browser: Browser, path: str, purpose: str) -> None:
    (field,) = re.findall(r"<input[^>]*type=\"password\"[^>]*>", browser.get(path).content.decode())
    assert f'autocomplete="{purpose}"' in field
    assert "onpaste" not in field


@pytest.mark.asvs("7.2.3")
def test_what_stands_for_a_session_cannot_be_guessed(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    browser.get("/me")
    assert re.fullmatch(r"[0-9a-z]{32}", browser.cookies["__Host-session"].value), "165 bits"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", browser.cookies["__Host-viewer"].value), "256 bits"


@pytest.mark.asvs("7.4.4")
@pytest.mark.parametrize("path", ["/me", "/me/accesses", "/me/security", "/policy", "/terms"])
def test_every_page_of_somebody_signed_in_leads_out(browser: Browser, owner: Connection[Any], path: str) -> None:
    browser.sign_up(owner, ALICE)
    assert "/sign-out" in browser.get(path).content.decode()


@pytest.mark.asvs("13.4.2")
def test_nothing_that_fails_shows_how_it_is_built(browser: Browser) -> None:
    from django.conf import settings

    assert settings.DEBUG is False
    assert "Traceback" not in browser.get("/no-such-page").content.decode()
