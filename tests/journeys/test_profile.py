"""A profile in a real browser: the operator declares fields, a person fills one in, is told what does not fit, deletes it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.journeys.conftest import Visitor
from tests.journeys.test_applications import checked
from tests.serving import Serving

Visit = Callable[..., Visitor]
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
RIGHT_TO_LEFT = "שלום, אני אורה.\nאני גרה בחיפה 3."  # noqa: RUF001 - Hebrew
BIRTHDAY = """
[birthday]
type = "date"
category = "person.profile"
label = { en = "Birthday", es = "Cumpleaños" }
"""


@pytest.fixture
def olga(service: Serving, browser: Browser, operator: Any) -> Iterator[Visitor]:
    context = browser.new_context(ignore_https_errors=True)
    context.add_cookies(operator)
    yield Visitor(service, context)
    context.close()


def card(someone: Visitor, label: str) -> Any:
    return someone.page.locator("section", has=someone.page.get_by_role("heading", name=label, exact=True))


def test_a_person_fills_in_corrects_and_deletes(visit: Visit) -> None:
    ivan = visit(viewport={"width": 390, "height": 800})
    ivan.join("ivan@harbor.example", "Ivan")
    ivan.page.get_by_role("link", name="Your profile").click()
    assert ivan.title() == "Your profile"
    assert card(ivan, "Telephone number").inner_text().count("Nothing is held.") == 1
    checked(ivan, 390)

    card(ivan, "Telephone number").get_by_role("link", name="Fill in").click()
    ivan.page.get_by_label("Telephone number").fill("call me")
    ivan.press("Save")
    assert "This is no telephone number." in ivan.page.locator("main").inner_text()
    assert ivan.page.get_by_label("Telephone number").get_attribute("aria-invalid") == "true"
    checked(ivan, 390)
    ivan.page.get_by_label("Telephone number").fill("+34 600 000 001")
    ivan.press("Save")
    assert ivan.title() == "Your profile"
    assert "+34 600 000 001" in card(ivan, "Telephone number").inner_text()

    card(ivan, "About you").get_by_role("link", name="Fill in").click()
    ivan.page.get_by_label("About you").fill("a" * 1001)
    ivan.press("Save")
    assert "This has 1001 characters. Keep it to 1000." in ivan.page.locator("main").inner_text()
    ivan.page.get_by_label("About you").fill(f"{RIGHT_TO_LEFT}\n{LONG * 4}")
    ivan.press("Save")
    assert "אני גרה בחיפה 3." in card(ivan, "About you").inner_text()
    checked(ivan, 390)

    card(ivan, "Language to write to you in").get_by_role("link", name="Fill in").click()
    ivan.page.get_by_label("Language to write to you in").select_option("Spanish")
    ivan.press("Save")
    assert "Spanish" in card(ivan, "Language to write to you in").inner_text()
    clause = card(ivan, "Telephone number").get_by_role("link", name=re.compile("The clause"))
    clause.click()
    assert ivan.page.url.endswith("/policy#collect-person-phone-on-profile")

    ivan.go("/me/profile")
    card(ivan, "Telephone number").get_by_role("link", name="Delete").click()
    ivan.page.wait_for_load_state()
    assert "+34 600 000 001" in ivan.page.locator("main").inner_text()
    checked(ivan, 390)
    ivan.press("Delete it")
    assert "Nothing is held." in card(ivan, "Telephone number").inner_text()
    ivan.go("/me")
    assert "You deleted something from your profile" in ivan.page.locator("main").inner_text()
    assert [line for line in ivan.complaints if "422" not in line] == []


def test_the_operator_declares_a_field_and_drops_it_after_seeing_whom_it_touches(visit: Visit, olga: Visitor) -> None:
    judy = visit()
    judy.join("judy@harbor.example", "Judy")
    olga.go("/operator")
    olga.page.get_by_role("link", name="See and change them").click()
    assert olga.title() == "Profile fields"
    checked(olga, 1280)
    before = olga.page.get_by_label("Fields").input_value()

    olga.page.get_by_label("Fields").fill(before + BIRTHDAY.replace("person.profile", "health"))
    olga.press("Check and declare")
    told = olga.page.locator("main").inner_text()
    assert re.search(
        r"line \d+: no clause collects `health` on profile; .* collect health on profile for provide", told
    )
    checked(olga, 1280)
    olga.page.get_by_label("Fields").fill(before + BIRTHDAY)
    olga.press("Check and declare")
    olga.page.get_by_text("Declared. Each field is asked").wait_for()  # the keeper takes its time
    assert "Birthday" in olga.page.locator("table").inner_text()

    judy.go("/me/profile/birthday")
    judy.page.get_by_label("Birthday").fill("1984-02-29")
    judy.press("Save")
    assert "29 February 1984" in card(judy, "Birthday").inner_text()

    olga.page.get_by_label("Fields").fill(before)
    olga.press("Check and declare")
    assert "birthday: what 1 person told in it" in olga.page.locator("main").inner_text()
    checked(olga, 1280)
    olga.press("Drop them, and declare the rest")
    olga.page.get_by_text("Declared. Each field is asked").wait_for()
    assert "Birthday" not in olga.page.locator("table").inner_text()
    judy.page.wait_for_timeout(1100)  # a page may show what went for a second
    judy.go("/me/profile")
    assert card(judy, "Birthday").count() == 0
    assert olga.service.run("policy", "drift").stdout.startswith("no drift")
    assert "phone" in olga.service.run("profile", "fields", "list").stdout
