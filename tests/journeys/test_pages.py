"""What holds for every page in a real browser: nothing complains, nothing comes from elsewhere, nothing runs inline."""

import json
import re
from collections.abc import Callable

import pytest

from tests.journeys.conftest import PASSWORD, Visitor
from tests.journeys.test_journeys import MINE, PAGES

Visit = Callable[..., Visitor]
#: How far from its box's beginning an element's text stands.
BEGINS = """at => { const text = document.createRange(); text.selectNodeContents(at);
    return text.getBoundingClientRect().left - at.getBoundingClientRect().left }"""
PAYLOADS = (
    "<script>ran=1</script>",
    "<img src=x onerror=ran=1>",
    "<svg onload=ran=1>",
    '"><script>ran=1</script>',
    "' autofocus onfocus=ran=1 x='",
    "</title><script>ran=1</script>",
    "<details open ontoggle=ran=1>{{7*7}}",
    "javascript:ran=1",
)


@pytest.fixture(scope="module")
def cookies() -> dict[str, list[dict[str, object]]]:
    return {}


@pytest.fixture
def grace(visit: Visit, cookies: dict[str, list[dict[str, object]]]) -> Visitor:
    """Grace, who signed up once for all the tests here."""
    grace = visit()
    if "grace" not in cookies:
        grace.join("grace@harbor.example", "Grace")
        cookies["grace"] = [dict(cookie) for cookie in grace.context.cookies()]
    grace.context.clear_cookies()
    grace.context.add_cookies(cookies["grace"])  # type: ignore[arg-type]
    return grace


@pytest.mark.asvs("14.2.3")
@pytest.mark.parametrize("language", ["en", "es"])
def test_no_page_complains_or_asks_elsewhere(visit: Visit, grace: Visitor, language: str) -> None:
    newcomer = visit()
    for someone, paths in ((newcomer, PAGES), (grace, MINE)):
        someone.context.add_cookies(
            [{"name": "__Host-language", "value": language, "url": someone.service.address, "httpOnly": True}]
        )
        for path in paths:
            page = someone.go(path)
            assert page.locator("html").get_attribute("lang") == language
            assert page.locator("h1").count() == 1, path
            assert page.title().count("·") == 1, path
        assert [line for line in someone.complaints if "404" not in line] == []
        assert someone.elsewhere == []


def test_an_inline_script_or_style_would_not_run(visit: Visit) -> None:
    page = visit().go("/")
    page.evaluate(
        """() => {
        window.broken = [];
        document.addEventListener("securitypolicyviolation", event => broken.push(event.effectiveDirective));
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", "<p style='color:red'>x</p><img src='https://elsewhere.example/'>");
        }"""
    )
    page.wait_for_function("broken.length >= 3")
    assert page.evaluate("window.ran") is None
    assert {"script-src-elem", "style-src-attr", "img-src"} <= set(page.evaluate("broken"))


@pytest.mark.asvs("1.2.1")
def test_what_people_write_never_runs_even_where_the_browser_would_let_it(visit: Visit) -> None:
    """Escaping alone: this browser does not heed the policy that forbids inline code."""
    mallory = visit(bypass_csp=True)
    mallory.join("mallory@harbor.example", " ".join(PAYLOADS[:3]))
    for payload in PAYLOADS:
        mallory.go("/organizations").get_by_label("Its name").fill(payload)
        mallory.press("Make it")
        home = mallory.page.url.removeprefix(mallory.service.address)
        for path in (home, f"{home}/members"):
            page = mallory.go(path)
            assert payload in page.locator("body").inner_text(), path
            assert page.evaluate("window.ran") is None, (path, payload)
    for path in (*MINE, "/organizations", "/me/permissions?kind=organizations"):
        assert mallory.go(path).evaluate("window.ran") is None, path
    page.evaluate("text => document.body.insertAdjacentHTML('beforeend', text)", PAYLOADS[1])
    page.wait_for_function("window.ran === 1")  # the control taken away


@pytest.mark.asvs("1.2.3")
def test_no_answer_holds_inline_code(visit: Visit, grace: Visitor) -> None:
    for someone, paths in ((visit(), PAGES), (grace, MINE)):
        for path in paths:
            text = someone.context.request.get(someone.service.address + path).text()
            assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=|javascript:", text, re.IGNORECASE), path


def test_the_keyboard_leads_all_the_way_in(visit: Visit) -> None:
    heidi = visit()
    page = heidi.go("/")
    tab_to(heidi, "Sign up")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-up")
    for text in ("heidi@harbor.example", "Heidi", PASSWORD):
        tab_to_field(heidi)
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url("**/agree")
    tab_to(heidi, "Agree")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-up/verify")
    code = heidi.code("heidi@harbor.example")
    page.bring_to_front()
    tab_to_field(heidi)
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    page.wait_for_url("**/me")
    tab_to(heidi, "No: Understand")
    page.keyboard.press("Space")
    page.get_by_text("It holds from this moment on.").wait_for()


def focused(someone: Visitor) -> dict[str, str]:
    script = """() => { const at = document.activeElement, drawn = getComputedStyle(at);
        return JSON.stringify({name: at.getAttribute("aria-label") || at.innerText || "", tag: at.tagName,
            kind: at.type || "", value: at.value || "", outline: drawn.outlineStyle}) }"""
    found: dict[str, str] = json.loads(someone.page.evaluate(script))
    return found


def tab_to(someone: Visitor, name: str) -> None:
    for _ in range(80):
        someone.page.keyboard.press("Tab")
        at = focused(someone)
        assert at["outline"] != "none", at
        if at["name"].strip() == name:
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def tab_to_field(someone: Visitor) -> None:
    if (now := focused(someone))["tag"] == "INPUT" and not now["value"]:
        return
    for _ in range(40):
        someone.page.keyboard.press("Tab")
        if focused(someone)["tag"] == "INPUT":
            return
    raise AssertionError("the keyboard reaches no field")


def test_a_screen_reader_hears_what_is_there(grace: Visitor) -> None:
    heard = grace.go("/me").locator("main").aria_snapshot()
    for line in (
        'heading "Your data" [level=1]',
        'heading "What it is used for" [level=2]',
        'button "Yes: Understand" [pressed]',
        'button "No: Understand"',
        'button "No: Announce" [pressed]',
        'link "Close your account"',
    ):
        assert line in heard, heard
    heard = grace.page.locator("body").aria_snapshot()
    assert all(landmark in heard for landmark in ("- banner", '- navigation "Main"', "- main", "- contentinfo"))


def test_a_form_from_elsewhere_is_refused_with_a_way_on(visit: Visit) -> None:
    someone = visit()
    page = someone.go("/sign-in")
    page.get_by_label("E-mail address").fill("nobody@harbor.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main [name=csrfmiddlewaretoken]").first.evaluate("field => field.value = 'x'.repeat(64)")
    someone.press("Sign in")
    assert someone.title() == "This form has expired"


def test_the_policy_prints_whole_and_without_buttons(visit: Visit) -> None:
    page = visit().go("/policy")
    page.emulate_media(media="print")
    assert not any(nav.is_visible() for nav in page.locator("nav").all())
    assert page.get_by_role("button").count() == 0
    assert page.locator("section").first.is_visible()
    assert len(page.pdf()) > 10_000


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_long_names_and_names_from_the_right_fit(visit: Visit, width: int) -> None:
    for number, name in enumerate(("W" * 120, "محمد بن عبد الرحمن بن خالد آل سعود")):
        someone = visit(viewport={"width": width, "height": 800})
        someone.join(f"long{width}{number}@harbor.example", name)
        assert someone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shown = someone.page.get_by_text(name)
        assert shown.is_visible()
        assert shown.evaluate(BEGINS) < 20, "it stands beside its label, whichever way it runs"
