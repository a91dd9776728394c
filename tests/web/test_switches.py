"""A switch answers where it stands, and is called what it shows."""

import re
from typing import Any

from psycopg import Connection

from tests.browsing import Browser

ALICE = "alice@harbor.example"


def cards(page: str) -> dict[str, str]:
    """Return the card of each purpose."""
    return dict(re.findall(r'<article[^>]* id="purpose-([a-z]+)">(.*?)</article>', page, re.DOTALL))


def test_after_a_switch_the_notice_stands_in_its_card_and_nowhere_else(
    browser: Browser, owner: Connection[Any]
) -> None:
    browser.sign_up(owner, ALICE)
    answer = browser.post("/me/purposes/understand", {"kind": "objection"})
    assert answer.headers["Location"] == "/me#purpose-understand"
    page = browser.get("/me").content.decode()
    assert page.count('class="notice"') == 1
    assert [name for name, card in cards(page).items() if 'class="notice"' in card] == ["understand"]
    assert 'class="notice"' not in browser.get("/me").content.decode()


def test_what_is_refused_is_told_at_the_top(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    assert browser.post("/me/purposes/nothing", {"kind": "objection"}).headers["Location"] == "/me"
    page = browser.get("/me").content.decode()
    assert page.count('class="notice error"') == 1
    assert not any("notice" in card for card in cards(page).values())
