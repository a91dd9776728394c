"""Signing in by a code, several addresses, and the mail about a browser that was not seen before; nothing tells who is known."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from psycopg import Connection

from tests.browsing import PASSWORD, Browser, code, mails
from tests.conftest import POLICY, TERMS
from tests.people.test_places import NESTED, written
from tests.web.second import confirm
from tests.web.test_sessions import clean
from troth.database import apply, published

ALICE, WORK, UNKNOWN = "alice@harbor.example", "alice@work.example", "zelda@harbor.example"
EVE = "eve@harbor.example"
ENTER = "/sign-in/code/enter"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0"


@pytest.fixture(autouse=True)
def alice(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)


@pytest.mark.asvs("6.5.1")
def test_a_code_signs_in_once(owner: Connection[Any]) -> None:
    someone = Browser()
    assert someone.post("/sign-in/code", {"email": ALICE}).headers["Location"] == ENTER
    sent = code(owner, ALICE)
    assert someone.get("/sign-in").status_code == 302  # to where the code is asked for, not in a circle
    assert someone.get("/sign-in").headers["Location"] == ENTER
    other = Browser()
    other.post("/sign-in/code", {"email": ALICE})
    assert other.post(ENTER, {"code": sent}).status_code == 200  # it belongs to the browser that asked
    assert someone.post(ENTER, {"code": sent}).headers["Location"] == "/me"
    assert someone.get("/me").status_code == 200


@pytest.mark.asvs("6.3.1")
def test_after_three_failures_the_code_works_no_more(owner: Connection[Any]) -> None:
    someone = Browser()
    someone.post("/sign-in/code", {"email": ALICE})
    sent = code(owner, ALICE)
    assert [someone.post(ENTER, {"code": "AAAA-AAAA"}).status_code for _ in range(3)] == [200, 200, 302]
    assert "That was the last try" in someone.get("/sign-in/code").content.decode()
    assert someone.post(ENTER, {"code": sent}).headers["Location"] == "/sign-in/code"
    assert someone.get("/me").status_code == 303


@pytest.mark.asvs("2.3.2", "6.6.3")
def test_the_codes_of_a_day_are_good_for_fewer_than_a_hundred_failures(owner: Connection[Any], settings: Any) -> None:
    from allauth.account import app_settings

    settings.ACCOUNT_RATE_LIMITS = settings.LIMITS
    sent = [Browser().post("/sign-in/code", {"email": ALICE}, REMOTE_ADDR=f"192.0.2.{n}").status_code for n in range(8)]
    assert sent == [302] * 5 + [200] * 3
    daily = next(rate for rate in settings.LIMITS["request_login_code"].split(",") if rate.endswith("/d/key"))
    assert int(daily.split("/")[0]) * app_settings.LOGIN_BY_CODE_MAX_ATTEMPTS < 100


@pytest.mark.asvs("6.3.8")
def test_asking_for_a_code_tells_nothing(owner: Connection[Any]) -> None:
    def told(email: str) -> list[str]:
        someone = Browser()
        steps = [clean(someone.post("/sign-in/code", {"email": email}), email)]
        steps += [clean(someone.get(ENTER), email)]
        steps += [clean(someone.post(ENTER, {"code": "AAAA-AAAA"}), email) for _ in range(3)]
        return [*steps, clean(someone.get("/sign-in/code"), email)]

    assert told(ALICE) == told(UNKNOWN)
    assert len(mails(owner, UNKNOWN)) == 1  # the same work: a mail either way


@pytest.mark.asvs("6.3.8")
def test_signing_up_with_a_passkey_tells_nothing() -> None:
    def told(email: str) -> list[str]:
        someone = Browser()
        steps = [clean(someone.post("/sign-up/passkey", {"email": email, "name": "Somebody"}), email)]
        steps += [clean(someone.get("/agree"), email), clean(someone.agree(), email)]
        steps += [clean(someone.get("/sign-up/passkey/make"), email), clean(someone.get("/sign-up/verify"), email)]
        return [*steps, clean(someone.post("/sign-up/verify", {"code": "AAAA-AAAA"}), email)]

    assert told(ALICE) == told(UNKNOWN)


def work(path: str, told: dict[str, str]) -> set[str]:
    """Return the kinds of writes that one answer costs; a clock would be at the mercy of the machine."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        assert Browser().post(path, told).status_code == 302
    statements = [re.sub(r'[\s"]+', " ", each["sql"]).strip() for each in seen.captured_queries]
    kinds = [re.match(r"(INSERT INTO|SELECT) (troth\.\w+|people_\w+)", each) for each in statements]
    return {found.group(0) for found in kinds if found}


def test_an_address_that_is_taken_costs_the_writes_of_one_that_is_free() -> None:
    told = {"name": "Somebody", "password1": PASSWORD}
    for number, path in enumerate(("/sign-up/passkey", "/sign-up")):
        free = work(path, told | {"email": f"free{number}@harbor.example"})
        assert {"INSERT INTO troth.person", "INSERT INTO people_account", "SELECT troth.record"} <= free
        assert work(path, told | {"email": ALICE}) >= free


def test_without_the_rehearsal_it_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control taken away."""
    from troth.people import actions

    monkeypatch.setattr(actions, "rehearse", lambda: None)
    assert "SELECT troth.record" not in work("/sign-up/passkey", {"name": "Somebody", "email": ALICE})


def test_a_rehearsal_leaves_nothing(owner: Connection[Any]) -> None:
    tables = ("subject", "person", "people_account", "ledger_entry")
    counted = "SELECT " + ", ".join(f"(SELECT count(*) FROM troth.{table})" for table in tables)
    before = owner.execute(counted.encode()).fetchone()
    Browser().post("/sign-up/passkey", {"name": "Somebody", "email": ALICE})
    assert owner.execute(counted.encode()).fetchone() == before


@pytest.fixture
def eve(owner: Connection[Any]) -> Browser:
    """Somebody who began with a passkey, made none in the end, and came by a code: with nothing to confirm with."""
    begun = Browser()
    begun.post("/sign-up/passkey", {"email": EVE, "name": "Eve"})
    assert begun.agree().headers["Location"] == "/sign-up/verify"
    assert begun.verify(owner, EVE).headers["Location"] == "/sign-up/passkey/make"
    assert begun.get("/me").status_code == 303
    again = Browser()
    again.post("/sign-in/code", {"email": EVE})
    assert again.post(ENTER, {"code": code(owner, EVE)}).headers["Location"] == "/me"
    return again


SET, BY_MAIL, BY_CODE = "/password/set", "/password/confirm/mail", "/password/confirm/mail/enter"


@pytest.mark.asvs("7.5.1")
def test_who_has_nothing_to_confirm_with_confirms_by_a_code_by_mail(eve: Browser, owner: Connection[Any]) -> None:
    """A session that was left open is no way in to an account without a password either."""
    told = {"password1": PASSWORD, "password2": PASSWORD}
    assert eve.post(SET, told).headers["Location"] == f"{BY_MAIL}?next=%2Fpassword%2Fset"
    for path in ("/me/close", "/me/security/passkeys/add", "/me/security/addresses"):
        assert eve.get(path).headers["Location"] == f"{BY_MAIL}?next={quote(path, safe='')}"
    assert EVE in eve.get(BY_MAIL).content.decode()
    assert eve.post(BY_MAIL, {"recipient": ALICE}).status_code == 200, "nobody else's address"
    sent = eve.post(BY_MAIL, {"recipient": EVE, "next": "/me/security"})
    assert sent.headers["Location"] == f"{BY_CODE}?next=%2Fme%2Fsecurity"
    assert mails(owner, EVE)[0]["subject"] == "Your code to confirm that it is you"
    assert eve.post(BY_CODE, {"code": "AAAA-AAAA"}).status_code == 200
    assert eve.get("/me/close").status_code == 302, "not yet"
    assert eve.post(BY_CODE, {"code": code(owner, EVE), "next": "/me/security"}).headers["Location"] == "/me/security"
    assert eve.post(SET, told).status_code == 302
    assert Browser().sign_in(EVE).headers["Location"] == "/me"


def failures(eve: Browser, most: int) -> int:
    """Return how many wrong codes are looked at, of so many, before somebody has to wait."""
    for tried in range(most):
        if tried % 3 == 0 and eve.post(BY_MAIL, {"recipient": EVE}).status_code == 429:
            return tried
        if eve.post(BY_CODE, {"code": "AAAA-AAAA"}).status_code == 429:
            return tried
    return most


@pytest.mark.asvs("2.3.2", "6.6.3")
def test_each_try_to_confirm_by_mail_counts_as_a_failure_of_the_day(eve: Browser, settings: Any) -> None:
    daily = next(rate for rate in settings.LIMITS["reauthenticate"].split(",") if rate.endswith("/d/user"))
    assert int(daily.split("/")[0]) <= 100
    settings.ACCOUNT_RATE_LIMITS = settings.LIMITS | {"reauthenticate": "10/d/user"}
    assert failures(eve, 12) == 7, "three codes that were asked for, and seven tries"
    settings.ACCOUNT_RATE_LIMITS = False
    assert failures(eve, 12) == 12, "the control taken away"


def kept(browser: Browser) -> dict[str, Any]:
    """Return what the session of a browser holds."""
    return dict(browser.session)


def test_nothing_is_kept_of_a_form_that_was_sent_before_confirming(eve: Browser) -> None:
    eve.post(SET, {"password1": PASSWORD, "password2": PASSWORD})
    assert PASSWORD.split()[1] not in repr(kept(eve))
    assert eve.cookies["__Host-session"].value not in repr(kept(eve))


def test_the_library_alone_would_keep_it(eve: Browser, settings: Any) -> None:
    """The control taken away."""
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if each != "troth.web.middleware.confirming"]
    eve.handler.load_middleware()
    eve.post(SET, {"password1": PASSWORD, "password2": PASSWORD})
    assert PASSWORD.split()[1] in repr(kept(eve))
    assert eve.cookies["__Host-session"].value in repr(kept(eve))


@pytest.mark.asvs("6.3.1")
def test_a_code_to_confirm_with_dies_after_three_failures(eve: Browser, owner: Connection[Any]) -> None:
    eve.post(BY_MAIL, {"recipient": EVE})
    sent = code(owner, EVE)
    assert [eve.post(BY_CODE, {"code": "AAAA-AAAA"}).status_code for _ in range(3)] == [200, 200, 302]
    assert "That was the last try" in eve.get(BY_MAIL).content.decode()
    assert eve.post(BY_CODE, {"code": sent}).headers["Location"] == BY_MAIL
    assert eve.get("/me/close").status_code == 302


@pytest.mark.asvs("6.3.4")
def test_who_has_something_to_confirm_with_is_sent_no_code(browser: Browser, owner: Connection[Any]) -> None:
    for path in (BY_MAIL, BY_CODE):
        assert browser.get(path).headers["Location"].startswith("/password/confirm")
    before = len(mails(owner, ALICE))
    assert browser.post(BY_MAIL, {"recipient": ALICE}).headers["Location"].startswith("/password/confirm")
    assert len(mails(owner, ALICE)) == before
    assert "by mail" not in browser.get("/password/confirm").content.decode()


def test_a_code_from_before_is_no_way_around_a_password_of_now(eve: Browser, owner: Connection[Any]) -> None:
    eve.post(BY_MAIL, {"recipient": EVE})
    eve.post(BY_CODE, {"code": code(owner, EVE)})
    eve.post(BY_MAIL, {"recipient": EVE})
    sent = code(owner, EVE)
    assert eve.post(SET, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 302
    assert eve.post(BY_CODE, {"code": sent}).headers["Location"] == "/password/confirm"


def test_were_it_offered_to_everybody_a_code_by_mail_would_do_beside_a_password(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    from allauth.account.adapter import DefaultAccountAdapter

    from troth.web.adapter import Adapter

    monkeypatch.setattr(Adapter, "get_reauthentication_methods", DefaultAccountAdapter.get_reauthentication_methods)
    browser.post(BY_MAIL, {"recipient": ALICE})
    assert browser.post(BY_CODE, {"code": code(owner, ALICE)}).headers["Location"] == "/me"
    assert browser.get("/me/security/addresses").status_code == 200


def add(browser: Browser, email: str) -> Any:
    confirm(browser)
    return browser.post("/me/security/addresses", {"email": email, "action_add": ""})


def test_a_second_address_is_proven_by_code_and_then_signs_in(browser: Browser, owner: Connection[Any]) -> None:
    assert add(browser, WORK).headers["Location"] == "/sign-up/verify"
    assert Browser().sign_in(WORK).status_code == 200  # not before it is proven
    page = browser.get("/sign-up/verify").content.decode()
    assert "Back to your addresses" in page
    assert "/sign-up/another" not in page
    assert browser.verify(owner, WORK).status_code == 302
    assert Browser().sign_in(WORK).headers["Location"] == "/me"


def test_the_address_in_use_is_the_persons_too_and_the_one_before_is_told(
    browser: Browser, owner: Connection[Any]
) -> None:
    add(browser, WORK)
    browser.verify(owner, WORK)
    assert browser.post("/me/security/addresses", {"email": WORK, "action_primary": ""}).status_code == 302
    assert owner.execute("SELECT email FROM troth.person").fetchall() == [(WORK,)]
    assert owner.execute("SELECT email FROM troth.people_account").fetchall() == [(WORK,)]
    assert mails(owner, ALICE)[0]["subject"] == "Your address has changed"
    assert WORK not in mails(owner, ALICE)[0]["text"]
    browser.post("/me/security/addresses", {"email": ALICE, "action_remove": ""})
    assert owner.execute("SELECT email FROM troth.account_emailaddress").fetchall() == [(WORK,)]
    assert Browser().sign_in(ALICE).status_code == 200


@pytest.mark.asvs("6.3.8")
def test_adding_an_address_tells_nothing_of_who_has_it(browser: Browser, owner: Connection[Any]) -> None:
    Browser().sign_up(owner, "bob@harbor.example", "Bob")

    def told(email: str) -> list[str]:
        steps = [clean(add(browser, email), email), clean(browser.get("/sign-up/verify"), email)]
        return [*steps, clean(browser.post("/sign-up/verify", {"code": "AAAA-AAAA"}), email)]

    assert told("bob@harbor.example") == told(UNKNOWN)
    assert owner.execute("SELECT count(*) FROM troth.account_emailaddress").fetchone() == (2,)


def test_nobody_steers_anothers_addresses(browser: Browser, owner: Connection[Any]) -> None:
    bob = Browser()
    bob.sign_up(owner, "bob@harbor.example", "Bob")
    confirm(bob)
    for what in ("action_remove", "action_primary", "action_send"):
        bob.post("/me/security/addresses", {"email": ALICE, what: ""})
    held = owner.execute('SELECT email, verified, "primary" FROM troth.account_emailaddress ORDER BY email').fetchall()
    assert held == [(ALICE, True, True), ("bob@harbor.example", True, True)]


def seen(owner: Connection[Any], email: str, name: str) -> None:
    """Record a browser as the intake does on sign-in."""
    query = (
        "INSERT INTO troth.device (subject, device, browser, system, kind)"
        " SELECT subject, gen_random_uuid(), %s, 'Linux', 'computer' FROM troth.people_account WHERE email = %s"
    )
    owner.execute(query, (name, email))


def test_a_browser_not_seen_before_is_told_of_by_mail(owner: Connection[Any]) -> None:
    seen(owner, ALICE, "Firefox 140")
    before = len(mails(owner, ALICE))
    Browser().post("/sign-in", {"login": ALICE, "password": PASSWORD}, HTTP_USER_AGENT=FIREFOX.format(141, 141))
    assert len(mails(owner, ALICE)) == before  # the same browser, a version on
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
    Browser().post("/sign-in", {"login": ALICE, "password": PASSWORD}, HTTP_USER_AGENT=agent, REMOTE_ADDR="192.0.2.9")
    mail = mails(owner, ALICE)[0]
    assert mail["subject"] == "A new browser signed in"
    assert "Chrome on Windows" in mail["text"]
    assert "192.0.2.9" not in mail["text"]
    assert "About where" not in mail["text"]


@pytest.mark.parametrize("collected", [True, False])
def test_the_mail_says_about_where_from_if_the_policy_lets_a_place_be_known(
    owner: Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, collected: bool
) -> None:
    seen(owner, ALICE, "Firefox 140")
    monkeypatch.setenv("TROTH_GEO_DB", str(written(tmp_path / "places.mmdb", {"192.0.2.0/24": NESTED})))
    if not collected:
        text = re.sub(r"access\.place, access\.provider,\s+(?=access)", "", POLICY.read_text(encoding="utf-8"))
        apply.apply(owner, text.replace("version 1 effective", "version 2 effective"), TERMS)
        published.forget()
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
    Browser().post("/sign-in", {"login": ALICE, "password": PASSWORD}, HTTP_USER_AGENT=agent, REMOTE_ADDR="192.0.2.9")
    mail = next(each for each in mails(owner, ALICE) if each["subject"] == "A new browser signed in")
    assert ("About where: Seville, Spain." in mail["text"]) is collected


def test_a_failed_sign_in_and_the_first_one_are_not_told_of(owner: Connection[Any]) -> None:
    Browser().sign_in(ALICE, "not the right password")
    assert "A new browser signed in" not in [each["subject"] for each in mails(owner, ALICE)]


@pytest.mark.parametrize("agent", ["Evil\r\nBcc: all@harbor.example", "x" * 9000, "Mozilla/5.0 (\x00)"])
def test_a_browsers_name_puts_nothing_into_a_mail(owner: Connection[Any], agent: str) -> None:
    Browser().post("/sign-in", {"login": ALICE, "password": PASSWORD}, HTTP_USER_AGENT=agent)
    mail = mails(owner, ALICE)[0]
    assert "Bcc" not in mail["text"] + mail["subject"]
    assert len(mail["text"]) < 1000
