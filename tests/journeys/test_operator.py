"""The operator's way in, and the states of pages that only an action brings about."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.journeys.conftest import Visitor
from tests.serving import Serving

Visit = Callable[..., Visitor]


def faults(someone: Visitor) -> list[str]:
    found = [violation["id"] for violation in Axe().run(someone.page).response["violations"]]
    if someone.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("too wide")
    return [f"{someone.page.url}: {fault}" for fault in found]


def test_the_printed_link_makes_the_operator_once(service: Serving, visit: Visit, operator: Any) -> None:
    olga = visit(viewport={"width": 390, "height": 800}, color_scheme="dark", bypass_csp=True)
    olga.context.add_cookies(operator)
    olga.go("/me")
    olga.page.get_by_role("link", name="Operator").click()
    assert olga.title() == "Operator"
    assert olga.page.get_by_role("link", name="Operator").get_attribute("aria-current") == "page"
    assert "olga@harbor.example" not in olga.page.locator("main").inner_text()
    assert faults(olga) == []
    olga.page.set_viewport_size({"width": 1280, "height": 800})
    olga.page.emulate_media(color_scheme="light")
    assert faults(olga) == []

    printed = re.search(r"https://\S+(/operator/first/\S+)", service.said)
    assert printed
    late = visit()
    late.go(printed.group(1))
    assert late.title() == "There is no such page"


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_what_an_action_brings_about_is_accessible_too(visit: Visit, width: int, scheme: str) -> None:
    ivan = visit(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    found = []
    ivan.go("/sign-up")
    ivan.page.locator("main form").evaluate("form => form.noValidate = true")
    ivan.press("Continue")
    assert ivan.page.get_by_role("alert").get_by_role("link").count() == 3
    found += faults(ivan)
    ivan.page.get_by_role("link", name="Look at “Name” again").click()
    ivan.page.wait_for_load_state()
    assert ivan.page.evaluate("document.activeElement.name") == "name"

    ivan.join(f"ivan{width}@harbor.example", "Ivan")
    ivan.page.get_by_role("button", name="Yes: Announce").click()
    ivan.page.get_by_text("It holds from this moment on.").wait_for()
    for summary in ivan.page.locator("summary").all():
        summary.click()
    found += faults(ivan)
    ivan.go("/me/close")
    ivan.page.get_by_label("Your password").fill("not my password")
    ivan.press("Close my account")
    found += faults(ivan)
    ivan.page.get_by_label("Your password").fill("correct horse battery staple")
    ivan.press("Close my account")
    assert ivan.title() == "Your account is closed"
    found += faults(ivan)

    ivan.go("/password/forgotten")
    ivan.page.get_by_label("E-mail address").fill("nobody@harbor.example")
    ivan.press("Send the code")
    found += faults(ivan)
    assert found == []
