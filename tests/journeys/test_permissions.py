"""Permissions in a real browser: Alice lets Bob see something, narrows and ends it; the operator asks, and she answers."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.journeys.conftest import Visitor
from tests.serving import Serving

Visit = Callable[..., Visitor]
LONG = "أليس بنت عبد الرحمن الأنصارية ذات الاسم الطويل جدًا الذي لا ينتهي"


def checked(someone: Visitor, width: int) -> None:
    """Nothing wider than the window, nothing that axe finds, one heading."""
    page = someone.page
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_somebody_lets_somebody_see_something_and_ends_it(visit: Visit, width: int, scheme: str) -> None:
    told: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    alice, bob = visit(**told), visit(**told)
    alice.join(f"alice-lends-{width}@harbor.example", LONG)
    bob.join(f"bob-lent-{width}@harbor.example", "Bob")
    alice.go("/me")
    alice.page.get_by_role("link", name="See and steer them").click()
    checked(alice, width)
    alice.page.get_by_role("link", name="Let somebody see something").click()
    checked(alice, width)
    assert alice.page.locator("input[type=checkbox]:checked").count() == 0, "nothing is ticked for anybody"
    alice.page.get_by_label("Your name").check()
    alice.page.get_by_label("Your e-mail address").check()
    alice.page.get_by_label("Why, and who you are to them").fill("It is Alice. For the audit.")
    alice.press("Offer it")
    checked(alice, width)
    link = alice.page.locator("code.secret").inner_text()
    bob.go(link.removeprefix(bob.service.address))
    checked(bob, width)
    assert LONG in bob.page.locator("main").inner_text()
    bob.press("Accept")
    checked(bob, width)
    where = bob.page.url
    assert f"alice-lends-{width}@harbor.example" in bob.page.locator("main").inner_text()
    page = alice.go("/me/permissions?kind=people")
    checked(alice, width)
    page.get_by_role("link", name=re.compile("Narrow, renew or end it")).click()
    checked(alice, width)
    alice.page.get_by_label("Your e-mail address").uncheck()
    alice.press("Change it")
    checked(alice, width)
    bob.go("/me/permissions").get_by_role("link", name=re.compile("See it, or end it")).click()
    bob.page.wait_for_load_state()
    seen = bob.page.locator("main").inner_text()
    assert LONG in seen
    assert "alice-lends" not in seen
    alice.press("End it")
    assert "Before" in alice.page.locator("main").inner_text()
    checked(alice, width)
    assert bob.go(where.removeprefix(bob.service.address)).locator("h1").inner_text() != ""
    assert "alice-lends" not in bob.page.locator("main").inner_text()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_somebody_lets_somebody_see_single_records(visit: Visit, width: int, scheme: str) -> None:
    told: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    alice, bob = visit(**told), visit(**told)
    alice.join(f"alice-records-{width}@harbor.example", LONG)
    bob.join(f"bob-records-{width}@harbor.example", "Bob")
    alice.go("/me/permissions/give").get_by_role("link", name="Your devices").click()
    checked(alice, width)
    alice.page.get_by_role("link", name="All of something instead").click()
    alice.go("/me/devices").get_by_role("link", name="Let somebody see single ones").click()
    alice.page.wait_for_load_state()
    assert alice.title() == "Let somebody see single records"
    assert alice.page.locator("input[type=checkbox]:checked").count() == 0, "nothing is ticked for anybody"
    alice.page.get_by_label("Why, and who you are to them").fill("It is Alice. This is the tablet that I lost.")
    alice.press("Offer it")
    checked(alice, width)
    assert alice.page.locator(".wrong").count() == 2, "neither a record nor a category is chosen"
    alice.page.get_by_role("group", name="Which records of yours").get_by_role("checkbox").first.check()
    shown = alice.page.get_by_role("group", name="What they may see of these records")
    shown.get_by_role("checkbox").first.check()
    alice.press("Offer it")
    checked(alice, width)
    link = alice.page.locator("code.secret").inner_text()
    bob.go(link.removeprefix(bob.service.address))
    checked(bob, width)
    assert "Of these, 1 record alone." in bob.page.locator("main").inner_text()
    bob.press("Accept")
    checked(bob, width)
    assert "It is about 1 record alone." in bob.page.locator("main").inner_text()
    alice.go("/me/permissions?kind=people").get_by_role("link", name=re.compile("Narrow, renew or end it")).click()
    checked(alice, width)
    assert alice.page.get_by_role("group", name="Which records of yours").get_by_role("checkbox").count() == 1
    alice.press("End it")
    assert "Before" in alice.page.locator("main").inner_text()


def test_the_operator_asks_and_a_person_answers(
    visit: Visit, service: Serving, browser: Browser, operator: Any
) -> None:
    nora = visit(viewport={"width": 390, "height": 900})
    nora.join("nora-asked@harbor.example", "Nora")
    context = browser.new_context(ignore_https_errors=True)
    context.add_cookies(operator)
    olga = Visitor(service, context)
    olga.go("/operator/permissions")
    checked(olga, 1280)
    olga.page.get_by_label("The person's e-mail address").fill("nora-asked@harbor.example")
    olga.page.get_by_label(re.compile("offer you updates", re.IGNORECASE)).check()
    olga.page.get_by_label("Why").fill("We have news once a month.")
    olga.press("Ask")
    checked(olga, 1280)
    nora.go("/me/permissions").get_by_role("link", name=re.compile("Read it and answer")).click()
    checked(nora, 390)
    sizes = [
        box["width"] for b in ("Accept", "Decline") if (box := nora.page.get_by_role("button", name=b).bounding_box())
    ]
    assert len(sizes) == 2
    assert abs(sizes[0] - sizes[1]) <= 1, "yes and no are the same size"
    nora.press("Accept")
    assert nora.title() == "Receipt of a permission"
    checked(nora, 390)
    page = nora.go("/me/permissions?kind=purposes")
    assert "Announce" in page.locator("article").inner_text()
    checked(nora, 390)
    olga.go("/operator/permissions").get_by_role("link", name=re.compile("Receipt.*nora-asked")).click()
    olga.page.wait_for_load_state()
    assert "We have news once a month." in olga.page.locator("main").inner_text()
    checked(olga, 1280)
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_an_organization_stands_there_with_what_it_sees(visit: Visit, width: int, scheme: str) -> None:
    told: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    dana = visit(**told)
    dana.join(f"dana-leads-{width}@harbor.example", LONG)
    dana.go("/organizations")
    dana.page.locator("main input[name=name]").fill(f"Harbor Rowing {width}")
    dana.page.locator("main form button").first.click()
    dana.page.wait_for_load_state()
    page = dana.go("/me/permissions?kind=organizations")
    checked(dana, width)
    card = page.locator("article").inner_text()
    assert LONG in card, "what an administrator reads of her"
    assert "Its administrators may see of you" in card
    dana.go("/me/permissions?kind=staff")
    checked(dana, width)
    assert "Nobody of the operator" in page.locator("main").inner_text()
    page = dana.go("/me/close")
    checked(dana, width)
    said = page.get_by_role("region", name="What becomes of your organizations").inner_text()
    assert f"Harbor Rowing {width}" in said
    assert "You are alone in it: it is deleted." in said
    page.get_by_role("link", name=re.compile("Delete it yourself")).click()
    assert dana.page.url.endswith("#delete")
    dana.page.get_by_label("Its name, to be sure").fill(f"Harbor Rowing {width}")
    dana.press("Delete the organization")
    page = dana.go("/me/permissions?kind=organizations")
    checked(dana, width)
    assert "You deleted it" in page.locator("section", has_text="Before").inner_text()
