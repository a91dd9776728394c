"""A browser that is known without an account: asked for, seen, tied after signing up, untied, and forgotten."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.journeys.conftest import Visitor

Visit = Callable[..., Visitor]
COOKIE = "__Host-browser"
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}


def held(someone: Visitor) -> bool:
    return any(each["name"] == COOKIE for each in someone.context.cookies())


def looked(someone: Visitor, pictures: Path, name: str) -> None:
    """Keep a picture of a page, and find nothing wrong with it."""
    someone.page.screenshot(path=pictures / f"{name}.png", full_page=True)
    assert [each["id"] for each in Axe().run(someone.page).response["violations"]] == []
    assert someone.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_browser_is_known_tied_untied_and_forgotten(visit: Visit, tmp_path: Path, size: str, scheme: Any) -> None:
    someone = visit(viewport=SIZES[size], color_scheme=scheme)
    email = f"known-{size}-{scheme}@harbor.example"
    someone.go("/").get_by_role("contentinfo").get_by_role("link", name="This browser").click()
    assert someone.title() == "May this browser be known, without an account?"
    looked(someone, tmp_path, "asked")
    yes, no = (someone.page.get_by_role("button", name=name) for name in ("Yes, know", "No, stay"))
    assert yes.get_attribute("class") == no.get_attribute("class")
    someone.press("No, stay unknown")
    assert not held(someone)

    someone.go("/browser")
    someone.press("Yes, know this browser")
    assert someone.title() == "This browser is known, without an account"
    assert held(someone)
    someone.go("/policy/versions")
    someone.page.wait_for_timeout(500)  # an access is stored behind the answer
    items = someone.go("/browser").locator("ol.timeline > li")
    assert items.filter(has_text="/policy/versions").count() >= 1
    items.first.locator("summary").click()
    looked(someone, tmp_path, "known")

    someone.begin(email, "Ida")
    someone.press("Agree")
    someone.page.get_by_label("Code").fill(someone.code(email))
    someone.press("Confirm")
    assert someone.title() == "Before you signed in"
    looked(someone, tmp_path, "to-tie")
    someone.press("Tie it to my account")
    looked(someone, tmp_path, "tied")
    someone.page.get_by_role("link", name="A browser known since").click()
    assert someone.page.locator("ol.timeline > li").filter(has_text="/policy/versions").count() >= 1
    looked(someone, tmp_path, "left")
    someone.go("/me/browsers").get_by_role("button", name="Untie").click()
    someone.page.get_by_text("Untied.").wait_for()
    someone.page.get_by_role("button", name="Sign out").click()

    someone.go("/browser")
    assert someone.title() == "This browser is known, without an account"
    someone.press("Forget this browser")
    someone.page.get_by_text("Forgotten. Nothing knows this browser").wait_for()
    assert not held(someone)
    assert someone.complaints == []
