"""What was collected of oneself, item by item, on a phone and on a desk."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys.conftest import Visitor
from tests.journeys.test_figures import faults

Visit = Callable[..., Visitor]


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_one_sees_why_each_thing_is_there_and_until_when(visit: Visit, width: int, scheme: str, tmp_path: Any) -> None:
    tim = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    tim.join(f"tim{width}@harbor.example", "Tim")
    tim.go("/me")
    tim.page.get_by_role("link", name="Everything that was collected, item by item").click()
    assert tim.title() == "What was collected about you"
    tim.page.reload()
    tim.page.locator("summary").first.click()
    assert tim.page.get_by_text("Each time you use the service").first.is_visible()
    assert faults(tim) == []
    tim.page.screenshot(path=tmp_path / f"timeline-{width}-{scheme}.png", full_page=True)
    tim.page.get_by_role("link", name="Your crashes").click()
    assert tim.page.get_by_text("Nothing of this kind is recorded.").is_visible()
    assert tim.page.get_by_role("link", name="Your crashes").get_attribute("aria-current") == "true"
    assert faults(tim) == []
