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
    page = browser.get("/me").content.decode()
    assert "Reads no record about you" in cards(page)["announce"]
    assert not re.search(r"Reads (at most )?0 ", page)
    assert browser.post("/me/purposes/nothing", {"kind": "objection"}).headers["Location"] == "/me"
    page = browser.get("/me").content.decode()
    assert page.count('class="notice error"') == 1
    assert not any("notice" in card for card in cards(page).values())


def test_a_switch_is_called_what_it_shows_and_what_it_is_about(browser: Browser, owner: Connection[Any]) -> None:
    """WCAG 2.5.3: whoever speaks to the browser says what they see."""
    browser.sign_up(owner, ALICE)
    for language in ("en", "es"):
        browser.post("/language", {"language": language})
        labels = re.findall(
            r'<button name="kind"[^>]* aria-label="([^"]+)">([^<]+)</button>', browser.get("/me").content.decode()
        )
        assert len(labels) >= 8
        assert all(label.startswith(f"{shown}: ") for label, shown in labels), labels


def test_every_time_says_that_it_is_utc(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    browser.post("/me/purposes/understand", {"kind": "objection"})
    for language in ("en", "es"):
        browser.post("/language", {"language": language})
        times = re.findall(r"<time [^>]*>([^<]*)</time>", browser.get("/me").content.decode())
        assert len(times) >= 3
        assert all(time.endswith(" UTC") for time in times), times
