"""The place one is in is marked in the navigation, on its first page and on every page beneath it."""

import re
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser

PAGES = {
    "/me": "page",
    "/me/name": "true",
    "/me/accesses": "true",
    "/me/applications": "true",
    "/me/security": "true",
    "/me/close": "true",
}


def marked(page: str) -> list[tuple[str, str]]:
    (navigation,) = re.findall(r'<nav aria-label="Main">(.*?)</nav>', page, re.DOTALL)
    return re.findall(r'<a href="([^"]*)" aria-current="(\w+)"', navigation)


def test_every_page_about_oneself_marks_that_home(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, "alice@harbor.example")
    found = {page: marked(browser.get(page, follow=True).content.decode()) for page in PAGES}
    assert found == {page: [("/me", mark)] for page, mark in PAGES.items()}


@pytest.mark.parametrize(
    ("page", "mark"), [("/policy", "page"), ("/policy/versions", "true"), ("/policy/promises", "true")]
)
def test_every_page_of_the_policy_marks_it(browser: Browser, page: str, mark: str) -> None:
    assert marked(browser.get(page).content.decode()) == [("/policy", mark)]


def test_a_page_of_no_home_marks_none(browser: Browser) -> None:
    assert marked(browser.get("/terms").content.decode()) == []
