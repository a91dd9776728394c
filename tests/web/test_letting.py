"""P18: an application that sends somebody here is told their answer, and whether their browser is known by nothing else."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from psycopg import Connection

from tests.browsing import Browser, browser, settings
from tests.conftest import POLICY, TERMS
from tests.intake.sending import Application
from tests.intake.test_telemetry import shown, tell
from tests.provider.asking import s256
from tests.web.test_browsers import COOKIE, answer, known
from troth.consent import identifiers
from troth.database import apply, connect, published
from troth.people import registering

__all__ = ["browser", "settings"]
BACK, ORIGIN, VERIFIER = "https://notes.example/back", "https://notes.example", "v" * 43
MANIFEST = """name = "Harbor Notes"
kind = "public"
origins = ["https://notes.example"]
redirect_uris = ["https://notes.example/back"]
purposes = ["personalise"]
events = ["page_view"]
"""
type Told = dict[str, Any]


@pytest.fixture
def notes(owner: Connection[Any], browser: Browser) -> Application:
    made = registering.register(owner, {"manifest": MANIFEST})["application"]
    return Application(made, registering.add_key(owner, {"application": made})["key"], {})


def question(notes: Application, **told: str) -> str:
    asked = {
        "client_id": notes.application, "redirect_uri": BACK, "state": "state-1", "code_challenge": s256(VERIFIER),
        "code_challenge_method": "S256",
    }  # fmt: skip
    return "/browser/let?" + urlencode(asked | told)


def press(browser: Browser, notes: Application, what: str = "yes", **more: Any) -> Any:
    """Press a button of the page that asks."""
    page = browser.get(question(notes)).content.decode()
    told = dict(re.findall(r'name="(policy|terms)" value="([0-9a-f]{64})"', page))
    return browser.post(question(notes), told | {"answer": what} | more)


def brought(done: Any) -> dict[str, str]:
    """Return what goes back to the application."""
    assert done.status_code == 302
    assert done.headers["Location"].startswith(f"{BACK}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(done.headers["Location"]).query).items()}


def turn_in(notes: Application, code: str, origin: str = ORIGIN, **told: str) -> Any:
    """Turn a code in as the application's page does: no cookie of ours goes along."""
    asked = {"client_id": notes.application, "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER} | told
    return Browser(csrf=True).post("/browser/token", asked, headers={"Origin": origin} if origin else {})


def let(browser: Browser, notes: Application) -> str:
    """Go the whole way; return the token."""
    return str(json.loads(turn_in(notes, brought(press(browser, notes))["code"]).content)["token"])


def test_a_yes_makes_the_browser_known_and_is_a_token_for_the_application(
    browser: Browser, notes: Application, owner: Connection[Any]
) -> None:
    page = browser.get(question(notes))
    assert (page.status_code, COOKIE in page.cookies) == (200, False)
    assert owner.execute("SELECT count(*) FROM troth.subject WHERE kind = 'anonymous'").fetchone() == (0,)
    yes, no = re.findall(r'<button name="answer" value="(?:yes|no)" class="([^"]*)">', page.content.decode())
    assert yes == no
    back = brought(press(browser, notes))
    assert set(back) == {"code", "state", "iss"}
    assert back["state"] == "state-1"
    taken = turn_in(notes, back["code"])
    assert taken.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in taken.headers
    told = json.loads(taken.content)
    assert tell(notes, told["token"], shown()).body["events"] == [{"outcome": "stored"}]
    assert known(browser).agreed
    listed = browser.get("/browser").content.decode()
    for said in ("Harbor Notes", "/diary/7", "last told something"):
        assert said in listed
    saved = json.loads(browser.get("/browser?save").content)
    assert [each["url"] for each in saved["page_views"]] == ["/diary/7?token=-&tab=all"]
    assert [each["name"] for each in saved["applications"]] == ["Harbor Notes"]


def test_it_ends_on_the_page_of_the_browser(browser: Browser, notes: Application) -> None:
    token = let(browser, notes)
    done = browser.post(f"/browser/applications/{notes.application}/end")
    assert done.status_code == 302
    (refused,) = tell(notes, token, shown()).body["events"]
    assert (refused["outcome"], refused["reason"]) == ("refused", "unknown-person")
    assert "Applications that know it" not in browser.get("/browser").content.decode()
    assert browser.post(f"/browser/applications/{notes.application}/end").status_code == 302


@pytest.mark.parametrize("before", ["", "known"])
def test_a_no_is_told_plainly_keeps_nothing_and_ends_what_was(
    browser: Browser, notes: Application, owner: Connection[Any], before: str
) -> None:
    token = let(browser, notes) if before else ""
    back = brought(press(browser, notes, "no"))
    assert back == {"error": "access_denied", "again": "0", "state": "state-1", "iss": back["iss"]}
    assert (COOKIE in browser.cookies) is bool(before)
    if before:
        assert tell(notes, token).body["permits"] == {}
        assert known(browser).agreed  # what it is known for otherwise stays


def test_the_application_hears_how_long_the_policy_lets_it_wait(
    browser: Browser, notes: Application, owner: Connection[Any]
) -> None:
    text = POLICY.read_text(encoding="utf-8").replace(
        "ask before any new purpose", "ask before any new purpose, again after 180 days"
    )
    apply.apply(owner, text.replace("version 1 effective", "version 2 effective"), TERMS)
    published.forget()
    assert brought(press(browser, notes, "no"))["again"] == "180"


@pytest.mark.parametrize(
    "told",
    [
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "https://notes.example/back/../elsewhere"},
        {"redirect_uri": "https://notes.example.evil.example/back"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": ""},
        {"client_id": "nobody"},
        {"client_id": ""},
        {"client_id": "a\0b"},
        {"code_challenge": "short"},
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": ""},
        {"state": "s" * 201},
    ],
)
def test_whoever_asks_wrongly_sends_nobody_anywhere(browser: Browser, notes: Application, told: dict[str, str]) -> None:
    for asked in (browser.get(question(notes, **told)), browser.post(question(notes, **told), {"answer": "no"})):
        assert asked.status_code == 400
        assert "Location" not in asked.headers


def test_an_application_that_tells_nothing_asks_nothing(
    browser: Browser, notes: Application, owner: Connection[Any]
) -> None:
    silent = registering.register(owner, {"manifest": MANIFEST.replace('events = ["page_view"]\n', "")})["application"]
    assert browser.get(question(notes, client_id=silent)).status_code == 400


def test_nothing_goes_back_before_a_button_is_pressed_whatever_the_browser_is_known_by(
    browser: Browser, notes: Application, owner: Connection[Any]
) -> None:
    """What an application could measure from outside is the same: a page of ours, in no frame, that it cannot read."""
    stranger = Browser()
    assert answer(browser, "yes").status_code == 302
    let(browser, notes)
    for each in (browser, stranger):
        for address in (question(notes), question(notes) + "&prompt=none"):
            page = each.get(address)
            assert page.status_code == 200
            assert "Location" not in page.headers
            assert "Access-Control-Allow-Origin" not in page.headers
            assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
            assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert "no-store" in page.headers["Cache-Control"]
    assert browser.cookies[COOKIE]["samesite"] == "Lax"


def test_a_yes_that_another_page_presses_is_none(browser: Browser, notes: Application, owner: Connection[Any]) -> None:
    strict = Browser(csrf=True)
    page = strict.get(question(notes)).content.decode()
    told = dict(re.findall(r'name="(policy|terms)" value="([0-9a-f]{64})"', page)) | {"answer": "yes"}
    forged = strict.post(question(notes), told, headers={"Origin": ORIGIN})
    assert forged.status_code == 403
    assert owner.execute("SELECT count(*) FROM troth.subject WHERE kind = 'anonymous'").fetchone() == (0,)
    assert strict.post(f"/browser/applications/{notes.application}/end", headers={"Origin": ORIGIN}).status_code == 403


def test_a_form_says_nothing_of_where_an_answer_goes(browser: Browser, notes: Application) -> None:
    evil = {"redirect_uri": "https://evil.example/", "client_id": "nobody", "code_challenge": s256("w" * 43)}
    back = brought(press(browser, notes, "yes", **evil))
    assert turn_in(notes, back["code"], code_verifier="w" * 43).status_code == 400
    assert turn_in(notes, back["code"]).status_code == 200


def test_a_code_is_turned_in_once_by_the_page_that_asked_alone(browser: Browser, notes: Application) -> None:
    """What an attacker's link brings back stands for nothing without what only the page that began it keeps."""
    code = brought(press(browser, notes))["code"]
    for wrong in ({"code_verifier": "w" * 43}, {"redirect_uri": ORIGIN}, {"client_id": "nobody"}, {"code": "a\0b"}):
        assert turn_in(notes, **({"code": code} | wrong)).status_code == 400
    foreign = turn_in(notes, code, origin="https://evil.example")
    assert foreign.status_code == 400
    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert turn_in(notes, code).status_code == 200
    assert turn_in(notes, code).status_code == 400


def test_of_somebody_signed_in_nothing_is_asked(browser: Browser, notes: Application, owner: Connection[Any]) -> None:
    browser.sign_up(owner, "alice@harbor.example")
    page = browser.get(question(notes)).content.decode()
    assert 'value="yes"' not in page
    assert brought(press(browser, notes, "yes"))["error"] == "signed_in"
    assert owner.execute("SELECT count(*) FROM troth.subject WHERE kind = 'anonymous'").fetchone() == (0,)


def test_a_browsers_own_signal_holds_for_whatever_is_answered(
    browser: Browser, notes: Application, owner: Connection[Any]
) -> None:
    said = "That holds for whatever you answer."
    assert said in browser.get(question(notes), headers={"Sec-GPC": "1"}).content.decode()
    assert said not in browser.get(question(notes)).content.decode()
    assert tell(notes, let(browser, notes), shown(), gpc=True).body["events"] == [{"outcome": "stored"}]
    for purpose, seen in (("understand", 0), ("personalise", 1)):
        with connect.acting(purpose) as reader:
            assert reader.execute("SELECT count(*) FROM page_view").fetchone() == (seen,)


def test_a_wider_version_is_asked_about_here_too(browser: Browser, notes: Application, owner: Connection[Any]) -> None:
    token = let(browser, notes)
    text = (
        POLICY.read_text(encoding="utf-8")
        .replace("for protect 90 days", "for protect 120 days")
        .replace("within 90 days", "within 120 days")
    )
    apply.apply(owner, text.replace("version 1 effective", "version 2 effective"), TERMS)
    published.forget()
    assert tell(notes, token).body["permits"] == {}
    assert "What you agree to" in browser.get(question(notes)).content.decode()
    before = known(browser).subject
    assert "code" in brought(press(browser, notes))
    assert known(browser).subject == before
    assert set(tell(notes, token).body["permits"]) == {"page_view"}


def test_what_an_application_told_is_tied_with_the_browser_and_stays_apart(
    browser: Browser, notes: Application, owner: Connection[Any]
) -> None:
    token = let(browser, notes)
    assert tell(notes, token, shown()).body["events"] == [{"outcome": "stored"}]
    found = identifiers.of(browser.cookies[COOKIE].value)
    assert found is not None
    browser.sign_up(owner, "alice@harbor.example")
    assert browser.post("/me/browsers/tie", {"answer": "tie"}).status_code == 302
    assert "/diary/7" in browser.get(f"/me/browsers/{found.subject}").content.decode()
    assert "/diary/7" not in browser.get("/me/timeline").content.decode()
    assert tell(notes, token, shown("view-0002")).body["events"][0]["reason"] == "unknown-person"
