"""An organization in a real browser: made, joined by a link, looked at from both sides, left; and nothing overflows."""

from collections.abc import Callable

import pytest

from tests.journeys.conftest import Visitor

Visit = Callable[..., Visitor]
LONG = "Rosa María de los Ángeles Fernández de Córdoba y Álvarez de Toledo"


@pytest.mark.parametrize("width", [390, 1280])
def test_made_joined_looked_at_and_left(visit: Visit, width: int) -> None:
    alice, bob = (visit(viewport={"width": width, "height": 800}) for _ in range(2))
    alice.join(f"alice-club-{width}@harbor.example", "Alice")
    bob.join(f"bob-club-{width}@harbor.example", LONG)
    alice.go("/organizations")
    alice.page.get_by_label("Its name").fill("نادي التجديف Rowing")
    alice.press("Make it")
    assert alice.title() == "نادي التجديف Rowing"
    home = alice.page.url.removeprefix(alice.service.address)

    alice.go(f"{home}/joining")
    alice.press("Make a link")
    link = alice.page.locator("code.secret").inner_text()
    invitation = link.removeprefix(bob.service.address).partition("/join/")[1] + link.rpartition("/")[2]
    bob.go(invitation)
    assert "Join" in bob.title()
    bob.press("Join")
    assert bob.page.get_by_text("What your administrator sees of you").is_visible()
    assert bob.page.locator("dl.facts").get_by_text(LONG).is_visible()
    assert bob.go(f"{home}/members").get_by_role("heading", level=1).count() == 1
    assert LONG not in bob.page.content()
    bob.go(invitation)
    assert bob.title() == "This invitation was used already"
    assert bob.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page = alice.go(f"{home}/members")
    assert page.get_by_text(LONG).first.is_visible()
    for path in ("", "/members", "/joining", "/roles"):
        page = alice.go(home + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.title().count("·") == 1
    bob.go(home)
    bob.press("Leave the organization")
    assert bob.title() == "Organizations"
    assert LONG not in alice.go(f"{home}/members").content()
    assert [line for line in (*alice.complaints, *bob.complaints) if "404" not in line] == []
    assert alice.elsewhere + bob.elsewhere == []
