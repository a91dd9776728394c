"""Where the code is asked for: which address it went to, the code again, another address; nothing tells who is known."""

import time
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser, code, mails
from tests.web.second import confirm

ALICE, TYPO = "alice@harbor.example", "alice@harbour.example"
PAGE = "/sign-up/verify"


def on_the_way(email: str) -> Browser:
    """Return the browser of somebody who signed up and agreed, and is asked for the code."""
    each = Browser()
    assert each.begin(email).status_code == 302
    assert each.agree().headers["Location"] == PAGE
    return each


def text(browser: Browser, path: str = PAGE) -> str:
    return browser.get(path).content.decode()


def test_the_page_shows_the_address_and_every_way_on(browser: Browser) -> None:
    page = text(on_the_way(ALICE))
    assert f"<strong>{ALICE}</strong>" in page
    for way in ('value="resend"', 'action="/sign-up/another"', 'action="/sign-up/instead"'):
        assert way in page


@pytest.mark.asvs("6.6.2")
def test_the_code_again_is_another_code_and_the_one_before_works_no_more(
    browser: Browser, owner: Connection[Any]
) -> None:
    alice = on_the_way(ALICE)
    first = code(owner, ALICE)
    assert alice.post(PAGE, {"action": "resend"}).headers["Location"] == PAGE
    assert "A new code is on its way" in text(alice)
    assert code(owner, ALICE) != first
    assert alice.post(PAGE, {"code": first, "action": "verify"}).status_code == 200
    assert alice.verify(owner, ALICE).headers["Location"] == "/me"


@pytest.mark.asvs("6.5.4", "6.5.5")
def test_a_code_is_long_enough_and_lives_ten_minutes(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = on_the_way(ALICE)
    word = code(owner, ALICE)
    assert len(word.replace("-", "")) == 8, "of more than 20 signs each: over 34 bits"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 601)
    alice.post(PAGE, {"code": word, "action": "verify"})
    monkeypatch.undo()
    assert owner.execute("SELECT verified FROM troth.account_emailaddress").fetchall() == [(False,)]


def test_asking_at_once_sends_nothing_and_leaves_the_code_as_it_is(
    browser: Browser, owner: Connection[Any], settings: Any
) -> None:
    settings.ACCOUNT_RATE_LIMITS = settings.LIMITS
    alice = on_the_way(ALICE)
    alice.post(PAGE, {"action": "resend"})
    assert "Wait ten seconds" in text(alice)
    assert len(mails(owner, ALICE)) == 1
    assert alice.verify(owner, ALICE).headers["Location"] == "/me"


def test_the_code_is_sent_again_a_few_times_only(browser: Browser, owner: Connection[Any]) -> None:
    alice = on_the_way(ALICE)
    for _ in range(5):
        alice.post(PAGE, {"action": "resend"})
    assert len(mails(owner, ALICE)) == 4
    assert 'value="resend"' not in text(alice)


def test_another_address_closes_what_was_begun_and_begins_again(browser: Browser, owner: Connection[Any]) -> None:
    alice = on_the_way(TYPO)
    assert alice.post("/sign-up/another").headers["Location"] == "/sign-up"
    assert "Begin again" in text(alice, "/sign-up")
    assert owner.execute("SELECT count(*) FROM troth.people_account").fetchone() == (0,)
    assert mails(owner, TYPO) == []
    assert alice.get(PAGE).headers["Location"] == "/sign-in"
    alice.sign_up(owner, ALICE)
    assert alice.get("/me").status_code == 200


def test_somebody_who_proved_their_address_cannot_be_closed_so(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    assert browser.post("/sign-up/another").headers["Location"] == "/sign-in"
    assert browser.get("/me").status_code == 200
    assert browser.get("/sign-up/another").status_code == 405


def test_signing_in_instead_leaves_what_was_begun_as_it_is(browser: Browser, owner: Connection[Any]) -> None:
    Browser().sign_up(owner, ALICE)
    alice = on_the_way(TYPO)
    assert alice.get("/sign-in").headers["Location"] == PAGE  # the link above leads back here
    assert alice.post("/sign-up/instead").headers["Location"] == "/sign-in"
    assert alice.sign_in(ALICE).headers["Location"] == "/me"
    assert Browser().sign_in(TYPO).headers["Location"] == PAGE


def test_whoever_adds_an_address_to_an_account_that_stands_closes_and_loses_nothing(
    browser: Browser, owner: Connection[Any]
) -> None:
    browser.sign_up(owner, ALICE)
    confirm(browser)
    answer = browser.post("/me/security/addresses", {"email": "second@harbor.example", "action_add": ""})
    assert answer.headers["Location"] == PAGE
    assert browser.post("/sign-up/another").headers["Location"] == "/me/security/addresses"
    assert browser.get("/me").status_code == 200


@pytest.mark.parametrize("action", ["resend", "another", "instead"])
def test_an_address_that_is_taken_is_answered_the_same(browser: Browser, owner: Connection[Any], action: str) -> None:
    """Neither the page nor what its buttons do tells who has an account."""
    Browser().sign_up(owner, ALICE)
    seen = []
    for email in (ALICE, "newcomer@harbor.example"):
        mallory = on_the_way(email)
        page = without(text(mallory), email)
        done = mallory.post(PAGE if action == "resend" else f"/sign-up/{action}", {"action": action})
        seen.append(
            (page, done.status_code, done.headers["Location"], without(text(mallory, done.headers["Location"]), email))
        )
    assert seen[0] == seen[1]
    assert owner.execute("SELECT email FROM troth.people_account WHERE is_active").fetchall()[0] == (ALICE,)


def without(page: str, email: str) -> str:
    """Return a page without what differs between any two browsers."""
    return "\n".join(line for line in page.replace(email, "").splitlines() if "csrfmiddlewaretoken" not in line)


def test_the_operator_may_use_another_address_too(browser: Browser, owner: Connection[Any]) -> None:
    from hashlib import sha256

    from troth.database import place

    place.replace_file(place.current().secrets / "first-link", sha256(b"word").hexdigest().encode(), 0o600)
    browser.get("/operator/first/word")
    browser.begin("olga@harbour.example", "Olga")
    browser.agree()
    assert browser.post("/sign-up/another").status_code == 302
    browser.sign_up(owner, "olga@harbor.example", "Olga")
    assert browser.get("/operator").status_code == 200


def test_after_the_last_wrong_code_the_page_says_what_to_do(browser: Browser, owner: Connection[Any]) -> None:
    alice = on_the_way(ALICE)
    for status in (200, 200, 302):
        answer = alice.post(PAGE, {"code": "AAAA-AAAA", "action": "verify"})
        assert answer.status_code == status
    page = text(alice, answer.headers["Location"])
    assert "the code works no more. Sign in, and a new one is sent." in page
    assert alice.sign_in(ALICE).headers["Location"] == PAGE
    assert alice.verify(owner, ALICE).headers["Location"] == "/me"


def test_after_the_last_wrong_code_for_a_new_password_too(browser: Browser, owner: Connection[Any]) -> None:
    Browser().sign_up(owner, ALICE)
    browser.post("/password/forgotten", {"email": ALICE})
    for _ in range(3):
        answer = browser.post("/password/forgotten/code", {"code": "AAAA-AAAA"})
    assert "Ask for a new one below" in text(browser, answer.headers["Location"])


def test_a_right_password_within_seconds_of_a_code_is_told_so_and_a_wrong_one_is_not(
    browser: Browser, owner: Connection[Any], settings: Any
) -> None:
    settings.ACCOUNT_RATE_LIMITS = settings.LIMITS
    on_the_way(ALICE)
    assert "The password is right, but a code was sent seconds ago" in browser.sign_in(ALICE).content.decode()
    wrong = browser.sign_in(ALICE, "another password altogether").content.decode()
    assert "Address and password do not go together." in wrong
    assert "is right" not in wrong


def test_a_guesser_who_is_shut_out_learns_nothing_from_a_right_guess(
    browser: Browser, owner: Connection[Any], settings: Any
) -> None:
    Browser().sign_up(owner, ALICE)
    settings.ACCOUNT_RATE_LIMITS = settings.LIMITS
    answers = [browser.sign_in(ALICE, f"guess number {n} of very many").content.decode() for n in range(10)]
    answers.append(browser.sign_in(ALICE).content.decode())
    assert "do not go together" in answers[0]
    assert "Too many tries" in answers[-1]
    assert not any("is right" in answer for answer in answers)
