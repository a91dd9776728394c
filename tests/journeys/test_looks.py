"""In a real browser: an administrator looks and asks, a member reads who looked, answers, and ends it; long names, no overflow."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.journeys.conftest import Visitor

Visit = Callable[..., Visitor]
LONG = "Rosa María de los Ángeles Fernández de Córdoba y Álvarez de Toledo y Figueroa"
ARABIC = "نادي التجديف الملكي في الميناء القديم"


def sound(someone: Visitor, path: str, pictures: Path) -> None:
    """Nothing wider than the window, nothing that axe finds, one heading."""
    page = someone.go(path)
    page.screenshot(path=pictures / f"{len(list(pictures.iterdir())):02}.png", full_page=True)
    assert page.locator("h1").count() == 1, path
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    found = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], path


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_who_looks_is_read_and_who_asks_is_answered(visit: Visit, width: int, scheme: str, tmp_path: Path) -> None:
    alice, bob = (visit(viewport={"width": width, "height": 900}, color_scheme=scheme) for _ in range(2))
    alice.join(f"alice-looks-{width}@harbor.example", LONG)
    bob.join(f"bob-looks-{width}@harbor.example", "محمد بن عبد الرحمن")
    sound(bob, "/me/looks", tmp_path)
    assert bob.page.get_by_text("Nobody has looked.").is_visible()
    alice.go("/organizations")
    alice.page.get_by_label("Its name").fill(ARABIC)
    alice.press("Make it")
    home = alice.page.url.removeprefix(alice.service.address)
    alice.go(f"{home}/joining")
    alice.press("Make a link")
    bob.go("/join/" + alice.page.locator("code.secret").inner_text().rpartition("/")[2])
    bob.press("Join")

    page = alice.go(f"{home}/members")
    page.get_by_role("link", name="محمد بن عبد الرحمن").click()
    page.get_by_role("link", name="Ask to see more of them").click()
    sound(alice, page.url.removeprefix(alice.service.address), tmp_path)
    page.get_by_label("Their e-mail address").check()
    page.get_by_label("Why").fill("For the list of crews. " * 12)
    alice.press("Ask")
    asked = page.url.removeprefix(alice.service.address)
    assert page.get_by_text("no answer").is_visible()

    sound(bob, "/me/looks", tmp_path)
    looks = bob.page.locator("ol.timeline").first
    assert looks.get_by_text("at you alone").first.is_visible()
    assert looks.get_by_text("the list of members").first.is_visible()
    assert looks.get_by_text(LONG).first.is_visible()
    sound(bob, "/me/permissions", tmp_path)
    page = bob.go("/me/permissions?kind=agreed")
    page.get_by_role("link", name="Read it and answer").click()
    sound(bob, page.url.removeprefix(bob.service.address), tmp_path)
    bob.press("Accept")
    receipt = page.url.removeprefix(bob.service.address)
    sound(bob, receipt, tmp_path)
    sound(alice, asked, tmp_path)
    assert alice.page.get_by_text("accepted, until").is_visible()
    alice.go("/me/permissions?kind=people").get_by_role("link", name="See it, or end it").click()
    assert alice.page.get_by_text(f"bob-looks-{width}@harbor.example").first.is_visible()
    bob.go(receipt)
    bob.press("End it")
    assert "is over" in alice.go(asked).content()
    for path in ("/me/looks", home, f"{home}/members"):
        sound(bob if path != f"{home}/members" else alice, path, tmp_path)
    assert [line for line in (*alice.complaints, *bob.complaints) if "404" not in line] == []
    assert alice.elsewhere + bob.elsewhere == []
