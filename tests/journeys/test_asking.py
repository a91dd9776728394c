"""In a real browser: the operator asks for a purpose, people answer with one press and are not asked again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import Visitor
from tests.journeys.test_looks import LONG, sound

Visit = Callable[..., Visitor]
ARABIC = "محمد بن عبد الرحمن"


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light"), (390, "light"), (1280, "dark")])
def test_people_are_asked_once_and_counted(
    visit: Visit, operator: Any, width: int, scheme: str, tmp_path: Path
) -> None:
    told: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    alice, bob, olga = visit(**told), visit(**told), visit(**told)
    alice.join(f"alice-asked-{width}-{scheme}@harbor.example", LONG)
    bob.join(f"bob-asked-{width}-{scheme}@harbor.example", ARABIC)
    olga.page.context.add_cookies(operator)
    page = olga.go("/operator/asking")
    page.get_by_role("button", name="Ask everybody: Announce").click()
    try:
        sound(olga, "/operator/asking", tmp_path)
        assert page.get_by_text("asked now").is_visible()
        sound(alice, "/me", tmp_path)
        question = alice.page.get_by_role("region", name="May we use what is yours for “Announce”?")
        yes, no = (question.get_by_role("button", name=f"{word}: Announce") for word in ("Yes", "No"))
        assert yes.bounding_box()["height"] == no.bounding_box()["height"]  # type: ignore[index]
        assert yes.bounding_box()["width"] == no.bounding_box()["width"]  # type: ignore[index]
        no.click()
        assert alice.page.get_by_text("Your answer is kept.").is_visible()
        assert question.count() == 0
        sound(alice, "/asking/announce", tmp_path)
        assert alice.page.get_by_text("You said no on").is_visible()
        sound(bob, "/asking/announce", tmp_path)
        bob.page.get_by_role("button", name="Yes: Announce").click()
        assert bob.page.get_by_text("You said yes.").is_visible()
        bob.page.get_by_role("link", name="See and change it").click()
        bob.page.locator("#purpose-announce").get_by_role("button", name="No: Announce").click()
        assert "off" in bob.page.locator("#purpose-announce h3").inner_text()
    finally:
        olga.go("/operator/asking").get_by_role("button", name="Ask nobody any more: Announce").click()
    assert alice.complaints == bob.complaints == olga.complaints == []
