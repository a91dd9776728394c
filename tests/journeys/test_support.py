"""The operator's staff and one person: invited, asked, allowed, looked at, seen, ended; in a real browser."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.journeys.conftest import Visitor

Visit = Callable[..., Visitor]


def faults(someone: Visitor) -> list[str]:
    found = [violation["id"] for violation in Axe().run(someone.page).response["violations"]]
    if someone.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("too wide")
    return [f"{someone.page.url}: {fault}" for fault in found]


def confirmed(someone: Visitor, path: str, codes: list[str]) -> None:
    """Open a page that asks who one is first: the second factor, and no password."""
    someone.go(path)
    if "/password/confirm" in someone.page.url:
        assert someone.page.get_by_label("Password").count() == 0
        someone.page.get_by_label("Code").fill(codes.pop())
        someone.press("Confirm")


def link(someone: Visitor, email: str) -> str:
    """Return the path of the invitation in the newest mail."""
    page = someone.context.new_page()
    page.goto(someone.service.address + "/dev/mail")
    text = page.locator("article", has_text=email).first.inner_text()
    page.close()
    found = re.search(r"(/operator/staff/invited/[\w-]+)", text)
    assert found, text
    return found.group(1)


def invite(olga: Visitor, email: str, codes: list[str]) -> None:
    confirmed(olga, "/operator/staff", codes)
    assert olga.title() == "Staff"
    olga.page.get_by_label("E-mail address").fill(email)
    olga.page.get_by_label("Support", exact=True).check()
    olga.press("Invite")
    olga.page.get_by_text("The invitation is on its way").wait_for()


def join(sue: Visitor, email: str, found: list[str]) -> list[str]:
    """Join the staff, add the app without which no room of it opens, and return the recovery codes."""
    sue.go(link(sue, email))
    assert sue.title() == "Join the staff"
    found += faults(sue)
    sue.press("Join")
    assert sue.title() == "Operator"
    found += faults(sue)
    sue.go("/operator/support")
    sue.page.get_by_text("needs a passkey or an app").wait_for()
    found += faults(sue)
    codes = sue.add_app()
    sue.go("/operator/support")
    found += faults(sue)
    return codes


def ask(sue: Visitor, email: str, ticket: str) -> None:
    sue.page.get_by_label("E-mail address").fill(email)
    sue.page.get_by_label("Ticket number").fill(ticket)
    sue.page.get_by_label("Reason").fill("Your bill counts a month twice")
    sue.page.get_by_label("Profile").check()
    sue.page.get_by_label("Accesses").check()
    sue.press("Ask")
    sue.page.get_by_text("If somebody here has this address").wait_for()


def narrow(nora: Visitor) -> list[str]:
    """Leave one area of two open, and one hour of four; return what was wrong with the pages."""
    nora.go("/me/permissions?kind=staff").get_by_role("link", name="See every look, narrow or end it").click()
    nora.page.locator("summary", has_text="Narrow it").click()
    nora.page.get_by_label("Accesses").uncheck()
    nora.page.get_by_label("1 hour").check()
    found = faults(nora)
    nora.press("Narrow it")
    nora.page.get_by_text("Nothing else of it is seen").wait_for()
    return found + faults(nora)


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_support_asks_and_the_person_opens_sees_and_ends(
    visit: Visit, operator: Any, operators_codes: list[str], width: int, scheme: str
) -> None:
    told = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "bypass_csp": True}
    olga, sue, nora = visit(**told), visit(**told), visit(**told)
    sues, noras = f"sue{width}@harbor.example", f"nora{width}@harbor.example"
    found: list[str] = []
    olga.context.add_cookies(operator)
    sue.join(sues, "Sue Long-Name Ó Súilleabháin")
    nora.join(noras, "נועה כהן")

    invite(olga, sues, operators_codes)
    found += faults(olga)

    olga.page.wait_for_timeout(1500)
    codes = join(sue, sues, found)
    ask(sue, noras, f"T-{width}")

    nora.go("/me")
    nora.page.get_by_role("link", name="Read why, and answer").click()
    found += faults(nora)
    nora.page.get_by_label("Profile").check()
    nora.page.get_by_label("Accesses").check()
    nora.page.get_by_label("4 hours").check()
    nora.press("Allow")
    nora.page.get_by_text("Support may look at your data").wait_for()

    sue.go("/operator/support")
    sue.page.get_by_role("link", name=f"T-{width}").click()
    if "/password/confirm" in sue.page.url:
        sue.page.get_by_label("Code").fill(codes.pop())
        sue.press("Confirm")
    assert sue.page.get_by_role("button", name="Look at Accesses").count() == 1
    found += narrow(nora)
    sue.page.get_by_role("button", name="Look at Accesses").click()
    sue.page.get_by_text("This is not open any more.").wait_for()
    sue.page.get_by_role("button", name="Look at Profile").click()
    sue.page.get_by_text(noras).wait_for()
    assert sue.page.get_by_role("button", name="Look at Accesses").count() == 0
    assert "Your bill counts a month twice" in sue.page.locator("main").inner_text()
    found += faults(sue)

    nora.go("/me/support")
    assert "1 row" in nora.page.locator("article").first.inner_text()
    found += faults(nora)
    nora.go("/me/security")
    nora.page.get_by_role("link", name="See every look, or end it").click()
    nora.page.get_by_role("button", name=f"End it now: T-{width}").click()
    nora.page.get_by_text("Nobody sees anything of it").wait_for()
    assert nora.page.get_by_text("Support may look at your data").count() == 0

    sue.page.get_by_role("button", name="Look at Profile").click()
    sue.page.get_by_text("This is not open any more.").wait_for()
    assert noras not in sue.page.locator("main").inner_text()
    assert found == []
    assert sue.elsewhere == nora.elsewhere == []
