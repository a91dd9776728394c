"""P7, P17, P18, P27: a browser is known without an account after a yes alone, and tied to one only as its user says."""

import json
import re
import threading
import uuid
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections
from psycopg import Connection

from tests.attacks.test_identifiers import waiting
from tests.browsing import Browser, browser, settings
from tests.conftest import POLICY, TERMS
from tests.intake.test_recorder import an_access, run, stored
from troth.consent import identifiers
from troth.database import apply, connect, published
from troth.intake.recorder import Recorder
from troth.policy import subjects
from troth.policy.meaning import Whose

__all__ = ["browser", "settings"]
COOKIE = "__Host-browser"
ALICE = "alice@harbor.example"


def answer(browser: Browser, what: str, **more: Any) -> Any:
    """Press a button of the page that asks."""
    page = browser.get("/browser").content.decode()
    told = dict(re.findall(r'name="(policy|terms)" value="([0-9a-f]{64})"', page))
    return browser.post("/browser", told | {"answer": what} | more)


def known(browser: Browser) -> identifiers.Identifier:
    found = identifiers.of(browser.cookies[COOKIE].value)
    assert found is not None
    return found


def opens(identifier: identifiers.Identifier, *pages: str) -> None:
    """Let the recorder store accesses as the middleware tells of them."""

    async def scenario(each: Recorder) -> None:
        for page in pages:
            each.record(an_access(identifier.subject, url=page, uses=identifier.uses, ip="192.0.2.77"))
        await stored(each)

    run(scenario)


def rows(owner: Connection[Any], subject: uuid.UUID) -> list[tuple[Any, ...]]:
    return owner.execute(
        "SELECT url, host(ip), uses <> 0 FROM troth.access WHERE subject = %s ORDER BY at, id", (subject,)
    ).fetchall()


def test_nothing_is_kept_before_a_yes_and_nothing_after_a_no(browser: Browser, owner: Connection[Any]) -> None:
    page = browser.get("/browser")
    assert page.status_code == 200
    assert COOKIE not in page.cookies
    assert answer(browser, "no").status_code == 302
    assert COOKIE not in browser.cookies
    assert owner.execute("SELECT count(*) FROM troth.subject WHERE kind = 'anonymous'").fetchone() == (0,)


def test_a_yes_makes_a_subject_of_its_own_with_its_own_agreement_and_choice(
    browser: Browser, owner: Connection[Any]
) -> None:
    assert answer(browser, "yes").status_code == 302
    found = known(browser)
    assert subjects.whose(found.subject) is Whose.IDENTIFIER
    assert found.agreed
    assert owner.execute(
        "SELECT kind, (SELECT how FROM troth.agreement AS a WHERE a.subject = s.subject),"
        " (SELECT array_agg(purpose || ' ' || c.kind) FROM troth.choice AS c WHERE c.subject = s.subject)"
        " FROM troth.subject AS s WHERE s.subject = %s",
        (found.subject,),
    ).fetchone() == ("anonymous", "browser", ["personalise consent"])
    opens(found, "/left/one", "/left/two")
    assert rows(owner, found.subject) == [("/left/one", "192.0.2.0", True), ("/left/two", "192.0.2.0", True)]
    shown = browser.get("/browser").content.decode()
    assert "/left/two" in shown
    held = json.loads(browser.get("/browser?save").content)
    assert [each["url"] for each in held["accesses"]] == ["/left/two", "/left/one"]


def remembered(browser: Browser) -> identifiers.Identifier:
    """Let a browser be known, and open two pages."""
    assert answer(browser, "yes").status_code == 302
    found = known(browser)
    opens(found, "/left/one", "/left/two")
    return found


def signed_up(browser: Browser, owner: Connection[Any], email: str = ALICE) -> uuid.UUID:
    return browser.sign_up(owner, email)


def test_a_no_taken_back_ends_it_as_an_account_is_closed(browser: Browser, owner: Connection[Any]) -> None:
    found = remembered(browser)
    done = answer(browser, "end")
    assert done.cookies[COOKIE]["max-age"] == 0
    value = browser.cookies[COOKIE].value
    assert identifiers.of(value) is None
    assert owner.execute("SELECT count(*) FROM troth.identifier").fetchone() == (0,)
    with connect.acting("personalise") as reader:
        assert reader.execute("SELECT count(*) FROM access WHERE subject = %s", (found.subject,)).fetchone() == (0,)
    with connect.acting("protect") as reader:  # what protects everyone is kept for its time, as of those who leave
        assert reader.execute("SELECT count(*) FROM access WHERE subject = %s", (found.subject,)).fetchone() == (2,)


def test_whoever_signs_in_is_asked_once_and_never_again(browser: Browser, owner: Connection[Any]) -> None:
    remembered(browser)
    signed_up(browser, owner)
    assert browser.get("/me").url == "/me/browsers"  # type: ignore[attr-defined]
    page = browser.get("/me/browsers").content.decode()
    assert "2 accesses are held" in page
    assert browser.post("/me/browsers/tie", {"answer": "apart"}).status_code == 302
    assert browser.get("/me").status_code == 200
    assert owner.execute("SELECT count(*) FROM troth.tied").fetchone() == (0,)
    browser.post("/sign-out")
    browser.sign_in(ALICE)
    assert browser.get("/me").status_code == 200


def test_what_is_tied_is_seen_apart_collects_nothing_and_comes_loose(browser: Browser, owner: Connection[Any]) -> None:
    found = remembered(browser)
    alice = signed_up(browser, owner)
    browser.post("/me/browsers/tie", {"answer": "tie"})
    assert owner.execute("SELECT subject, identifier FROM troth.tied").fetchall() == [(alice, found.subject)]
    assert "/left/two" in browser.get(f"/me/browsers/{found.subject}").content.decode()
    assert "/left/two" not in browser.get("/me/accesses").content.decode()
    # The rows keep their own subject, and the browser is nobody's while it is tied.
    assert len(rows(owner, found.subject)) == 2
    assert identifiers.of(browser.cookies[COOKIE].value) is None
    browser.post(f"/me/browsers/{found.subject}/part", {"answer": "untie"})
    assert owner.execute("SELECT count(*) FROM troth.tied").fetchone() == (0,)
    assert browser.get(f"/me/browsers/{found.subject}").status_code == 404
    assert known(browser).subject == found.subject
    told = owner.execute(
        "SELECT action, facts FROM troth.ledger_entry WHERE action LIKE 'identifier-%' ORDER BY index"
    ).fetchall()
    assert told == [("identifier-tied", {}), ("identifier-untied", {})]


def test_an_account_takes_what_it_tied_with_it(browser: Browser, owner: Connection[Any]) -> None:
    found = remembered(browser)
    signed_up(browser, owner)
    browser.post("/me/browsers/tie", {"answer": "tie"})
    page = browser.get("/me/close").content.decode()
    read = re.search(r'name="read" value="([^"]*)"', page)
    assert read
    from tests.browsing import PASSWORD

    closed = browser.post("/me/close", {"read": read[1], "password": PASSWORD, "sure": "on"})
    assert closed.status_code == 302, closed.content.decode()
    assert owner.execute(
        "SELECT ended_at IS NOT NULL FROM troth.subject WHERE subject = %s", (found.subject,)
    ).fetchone() == (True,)
    assert owner.execute("SELECT count(*) FROM troth.tied").fetchone() == (0,)


def test_somebody_else_ties_looks_at_and_ends_nothing(browser: Browser, owner: Connection[Any]) -> None:
    found = remembered(browser)
    signed_up(browser, owner)
    browser.post("/me/browsers/tie", {"answer": "tie"})
    other = Browser()
    other.sign_up(owner, "mallory@harbor.example")
    other.cookies[COOKIE] = browser.cookies[COOKIE].value
    other.post("/me/browsers/tie", {"answer": "tie"})
    assert other.get(f"/me/browsers/{found.subject}").status_code == 404
    for what in ("untie", "end"):
        other.post(f"/me/browsers/{found.subject}/part", {"answer": what})
    assert owner.execute("SELECT count(*) FROM troth.tied").fetchone() == (1,)
    assert len(rows(owner, found.subject)) == 2


def test_without_the_declaration_no_browser_is_known(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    now = published.current()
    fewer = tuple(each for each in now.policy.stored if each.key != COOKIE)
    monkeypatch.setattr(published, "current", lambda: replace(now, policy=replace(now.policy, stored=fewer)))
    assert browser.get("/browser").status_code == 404
    assert "/browser" not in browser.get("/").content.decode()
    told = {"policy": now.digest, "terms": now.terms_digest, "answer": "yes"}
    assert browser.post("/browser", told).status_code == 404
    assert COOKIE not in browser.cookies


def test_who_says_yes_again_to_less_has_said_no_to_the_rest(browser: Browser, owner: Connection[Any]) -> None:
    text = POLICY.read_text(encoding="utf-8")
    for mine in ("access.time on access [P8]\n    for personalise", "access.time on cookie [P18]\n    for personalise"):
        assert mine in text
        text = text.replace(mine, mine.replace("for personalise", "for announce while consented\n    for personalise"))
    apply.apply(owner, text.replace("version 1 effective", "version 2 effective"), TERMS)
    published.forget()
    assert answer(browser, "yes", purpose=["personalise", "announce"]).status_code == 302
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
    longer = text.replace("for protect 90 days", "for protect 120 days").replace("within 90 days", "within 120 days")
    apply.apply(owner, longer.replace("version 1 effective", "version 3 effective"), TERMS)
    published.forget()
    assert not known(browser).agreed
    assert answer(browser, "yes", purpose=["personalise"]).status_code == 302
    now = published.current()
    assert {name: known(browser).uses >> now.bits[name] & 1 for name in ("personalise", "announce")} == {
        "personalise": 1,
        "announce": 0,
    }


def test_a_no_to_what_is_newer_ends_it_too(browser: Browser, owner: Connection[Any]) -> None:
    found, value = remembered(browser), browser.cookies[COOKIE].value
    longer = (
        POLICY.read_text(encoding="utf-8")
        .replace("for protect 90 days", "for protect 120 days")
        .replace("within 90 days", "within 120 days")
    )
    apply.apply(owner, longer.replace("version 1 effective", "version 2 effective"), TERMS)
    published.forget()
    assert not known(browser).agreed
    assert answer(browser, "no").cookies[COOKIE]["max-age"] == 0
    assert identifiers.of(value) is None
    ended = "SELECT ended_at IS NOT NULL FROM troth.subject WHERE subject = %s"
    assert owner.execute(ended, (found.subject,)).fetchone() == (True,)


def test_a_cookie_that_the_policy_declares_no_more_says_of_no_access_whose_it_is(
    browser: Browser, owner: Connection[Any]
) -> None:
    remembered(browser)
    text = POLICY.read_text(encoding="utf-8")
    fewer = "\n".join(line for line in text.splitlines() if not line.startswith(f'store "{COOKIE}"'))
    apply.apply(owner, fewer.replace("version 1 effective", "version 2 effective"), TERMS)
    published.forget()
    assert known(browser).agreed
    told: dict[str, Any] = {}
    scope: dict[str, Any] = {"asgi.scope": {"troth.access": told}}
    opens(known(browser), "/policy", "/policy", "/policy")
    page = browser.get("/", **scope)
    assert "subject" not in told
    assert 'aria-labelledby="usual"' not in page.content.decode()
    assert browser.get("/browser").status_code == 200
    assert answer(browser, "end").status_code == 302


def test_a_no_that_is_pressed_twice_is_a_no(browser: Browser, owner: Connection[Any]) -> None:
    remembered(browser)
    value, outcomes = browser.cookies[COOKIE].value, []
    page = browser.get("/browser").content.decode()
    told = dict(re.findall(r'name="(policy|terms)" value="([0-9a-f]{64})"', page)) | {"answer": "end"}

    def again() -> None:
        outcomes.append(browser.post("/browser", told).status_code)
        connections.close_all()

    with connect.acting("self", token=value) as mine:
        mine.execute("SELECT troth.end_identifier()")
        second = threading.Thread(target=again)
        second.start()
        waiting(owner)
    second.join(30)
    assert outcomes == [302]
