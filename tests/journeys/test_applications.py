"""Applications in a real browser: an operator registers one, a person answers it, looks at it and ends it."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.journeys.conftest import Visitor
from tests.serving import Serving

Visit = Callable[..., Visitor]
MANIFEST = """name = "Harbor Notes"
origins = ["https://notes.example"]
redirect_uris = ["https://notes.example/signed-in"]
after_sign_out = ["https://notes.example/bye"]
purposes = ["provide", "announce"]
events = ["crash", "feature_use"]

[claims]
name = { category = "person.name", purpose = "provide" }
email = { category = "person.email", purpose = "announce" }
"""
QUESTION = {
    "redirect_uri": "https://notes.example/signed-in",
    "response_type": "code",
    "scope": "openid profile email",
    "state": "s",
    "code_challenge": "x" * 43,
    "code_challenge_method": "S256",
}


def checked(someone: Visitor, width: int) -> None:
    """Nothing wider than the window, nothing that axe finds, one heading."""
    page = someone.page
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def sent(someone: Visitor) -> str:
    """Return where the browser was sent, which nobody answers here: the application is an invented one."""
    deadline = time.monotonic() + 10
    while not someone.page.url.startswith("chrome-error:") and time.monotonic() < deadline:
        someone.page.wait_for_timeout(50)
    return someone.elsewhere.pop()


@pytest.fixture(scope="module")
def application(service: Serving, browser: Browser, operator: Any) -> Iterator[str]:
    """Return the client id of the application that the operator registered on the page."""
    context = browser.new_context(ignore_https_errors=True)
    context.add_cookies(operator)
    olga = Visitor(service, context)
    olga.go("/applications")
    olga.page.get_by_role("link", name="Register an application").click()
    olga.page.get_by_label("Manifest").fill(MANIFEST.replace('"announce"]', '"advertise"]'))
    olga.press("Register")
    assert "the policy has no purpose `advertise`" in olga.page.locator("main").inner_text()
    checked(olga, 1280)
    olga.page.get_by_label("Manifest").fill(MANIFEST)
    olga.press("Register")
    assert olga.title() == "Harbor Notes"
    assert len(olga.page.locator("code.secret").inner_text()) >= 43
    checked(olga, 1280)
    client = olga.page.locator("dd code").nth(1).inner_text()
    olga.go("/applications")
    checked(olga, 1280)
    yield client
    context.close()


@pytest.fixture
def asked(application: str) -> str:
    """Return the path of an application's question."""
    return "/connect/authorize?" + urlencode(QUESTION | {"client_id": application})


def test_an_operator_registers_an_application(application: str) -> None:
    assert application.startswith("harbor-notes-")


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_about_applications_suit_every_window(visit: Visit, asked: str, width: int, scheme: str) -> None:
    iris = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    iris.join(f"iris-{width}-{scheme}@harbor.example", "Iris")
    for path in ("/me/permissions?kind=applications", asked, "/device", "/connect/authorize", "/connect/sign-out"):
        iris.go(path)
        checked(iris, width)
    for language in ("en", "es"):
        iris.context.add_cookies(
            [{"name": "__Host-language", "value": language, "url": iris.service.address, "httpOnly": True}]
        )
        assert iris.go(asked).locator("html").get_attribute("lang") == language
    assert [line for line in iris.complaints if "400" not in line] == []
    assert iris.elsewhere == []


def test_a_person_answers_looks_and_ends(visit: Visit, asked: str) -> None:
    judy = visit()
    judy.join("judy-apps@harbor.example", "Judy")
    page = judy.go(asked)
    assert judy.title() == "Sign in to Harbor Notes"
    assert page.locator("input[type=checkbox]:checked").count() == 0, "the safe choice is there already"
    page.get_by_label("Your e-mail address").check()
    judy.press("Sign in")
    assert re.match(r"https://notes\.example/signed-in\?code=[^&]+&state=s&iss=", sent(judy))
    again = judy.context.request.get(judy.service.address + asked, max_redirects=0)
    assert "code=" in again.headers["location"], "they are not asked twice"
    page = judy.go("/me")
    page.get_by_role("link", name="See and steer them").click()
    card = page.locator("article", has_text="Harbor Notes")
    assert "you did not let it see this" in card.inner_text()
    assert "not told: you or the policy withhold it" in card.inner_text(), "announcing needs a yes"
    checked(judy, 1280)
    judy.go("/me").locator("#purpose-announce").get_by_role("button", name="Yes").click()
    judy.page.wait_for_load_state()
    assert "judy-apps@harbor.example" in judy.go("/me/permissions?kind=applications").locator("article").inner_text()
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    page.get_by_text("Narrow or renew it").click()
    page.get_by_label("Until the end of").fill(tomorrow.isoformat())
    checked(judy, 1280)
    judy.press("Change it")
    assert "Changed. It holds from this moment on." in page.locator("body").inner_text()
    assert f"{tomorrow:%Y}, 24:00 UTC" in page.locator("article").inner_text()
    page.get_by_role("button", name="End it").click()
    page.wait_for_load_state()
    assert "You sign in to no application" in page.locator("main").inner_text()
    assert "Harbor Notes" in page.locator("section", has_text="Before").inner_text()
    checked(judy, 1280)
    page.get_by_text("Allow it anew").first.click()
    assert page.locator("input[type=checkbox]:checked").count() == 0, "what is over is ticked for nobody"
    page.get_by_label("Your e-mail address").check()
    checked(judy, 1280)
    page.get_by_role("button", name="Allow it anew").click()
    page.wait_for_load_state()
    assert "judy-apps@harbor.example" in page.locator("article").inner_text()
    page.get_by_role("button", name="End it").click()
    page.wait_for_load_state()
    judy.go(asked)
    assert judy.title() == "Sign in to Harbor Notes"
    judy.press("Do not")
    assert "error=access_denied" in sent(judy)


def test_the_keyboard_gives_the_answer(visit: Visit, asked: str) -> None:
    kim = visit()
    kim.join("kim-apps@harbor.example", "Kim")
    page = kim.go(asked)
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "permit":
            break
    page.keyboard.press("Enter")
    assert "signed-in?code=" in sent(kim)
