"""P3, P18, P20: pages fit whoever looks by what they opened, as its own purpose: after a yes, and until a no."""

import re
import uuid
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser, browser, settings
from tests.conftest import POLICY, TERMS
from tests.intake.test_recorder import an_access, run, stored
from tests.web.test_browsers import answer, known
from troth.consent import queries
from troth.database import apply, published
from troth.intake.recorder import Recorder

__all__ = ["browser", "settings"]
ALICE = "alice@harbor.example"
FIRST = POLICY.read_text(encoding="utf-8")


def opens(subject: uuid.UUID, uses: int, *pages: str) -> None:
    async def scenario(each: Recorder) -> None:
        for page in pages:
            each.record(an_access(subject, url=page, uses=uses))
        await stored(each)

    run(scenario)


def first(browser: Browser, page: str = "/me") -> list[str]:
    """Return what the page puts first."""
    section = re.search(r'aria-labelledby="usual".*?</section>', browser.get(page).content.decode(), re.DOTALL)
    return re.findall(r'class="button quiet" href="([^"]*)"', section.group()) if section else []


@pytest.fixture
def alice(browser: Browser, owner: Connection[Any]) -> uuid.UUID:
    """Somebody who permits it, and opened devices three times, promises twice, and terms once."""
    subject = browser.sign_up(owner, ALICE)
    browser.choose("personalise", "consent")
    paths = (
        "/me/devices",
        "/policy/promises?from=mail",
        "/me/devices",
        "/terms",
        "/policy/promises",
        "/me/devices?a=b",
    )
    opens(subject, queries.standing(subject).uses, *paths)
    return subject


def test_what_is_opened_most_comes_first(browser: Browser, alice: uuid.UUID) -> None:
    assert first(browser) == ["/me/devices", "/policy/promises"]


def test_a_no_ends_it_at_the_next_request_and_a_yes_brings_it_back(browser: Browser, alice: uuid.UUID) -> None:
    browser.choose("personalise", "withdrawal")
    assert first(browser) == []
    browser.choose("personalise", "consent")
    assert first(browser) == ["/me/devices", "/policy/promises"]


def test_nothing_is_learnt_before_a_yes_nor_from_anybody_else(browser: Browser, owner: Connection[Any]) -> None:
    subject = browser.sign_up(owner, ALICE)
    opens(subject, queries.standing(subject).uses, *["/me/devices"] * 3)
    assert first(browser) == []
    other = Browser()
    other.sign_up(owner, "bob@harbor.example", "Bob")
    other.choose("personalise", "consent")
    assert first(other) == []


def test_a_policy_without_the_purpose_learns_nothing(
    browser: Browser, alice: uuid.UUID, owner: Connection[Any]
) -> None:
    fewer = FIRST.replace("collect access.url, access.time on access [P8]\n    for personalise while consented\n", "")
    fewer = fewer.replace(
        "collect cookie.identifier, access.url, access.time on cookie", "collect cookie.identifier on cookie"
    )
    apply.apply(owner, fewer.replace("version 1 effective", "version 2 effective"), TERMS)
    published.forget()
    assert first(browser) == []


def test_a_browser_that_is_known_has_its_own_and_whoever_ties_it_has_both(
    browser: Browser, owner: Connection[Any]
) -> None:
    assert first(browser, "/") == []
    answer(browser, "yes")
    found = known(browser)
    opens(found.subject, found.uses, "/terms", "/terms")
    assert first(browser, "/") == ["/terms"]
    browser.sign_up(owner, ALICE)
    browser.get("/me")
    assert first(browser) == []
    browser.post("/me/browsers/tie", {"answer": "tie"})
    assert first(browser) == []  # another's yes is not theirs
    browser.choose("personalise", "consent")
    assert first(browser) == ["/terms"]
    browser.post(f"/me/browsers/{found.subject}/part", {"answer": "untie"})
    assert first(browser) == []
