"""In a real browser: a version before its day is read, declined, agreed to and taken back; the operator sees what it asks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import POLICY
from tests.journeys.conftest import Visitor
from tests.journeys.test_looks import LONG, sound
from tests.serving import Serving

Visit = Callable[..., Visitor]
DAY = datetime.now(UTC).date() + timedelta(days=40)
SAID = f"{DAY.day} {DAY:%B %Y}"
FIRST = POLICY.read_text(encoding="utf-8").replace("version 1 effective", "version 2 effective")
WIDER = FIRST.replace("for understand 30 days as network", "for understand 60 days as network")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")])
def test_what_comes_next_is_read_before_its_day(
    service: Serving, visit: Visit, width: int, scheme: str, tmp_path: Path
) -> None:
    pictures, file = tmp_path / "pictures", tmp_path / "wider.troth"
    pictures.mkdir()
    file.write_text(WIDER, encoding="utf-8")
    alice = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    alice.join(f"alice-coming-{width}-{scheme}@harbor.example", LONG)
    service.run("policy", "publish", str(file), "--effective", str(DAY), "--yes")
    try:
        page = alice.go("/me")
        assert alice.title() == f"Version 2 takes effect on {SAID}", "first of all, once"
        sound(alice, "/coming", pictures)
        alice.press("Decline")
        assert alice.title() == "Without your agreement"
        sound(alice, "/declining", pictures)
        page.get_by_role("link", name="Read the next version again").click()
        alice.press("Agree")
        assert page.get_by_text("You have agreed. It binds from that day on").is_visible()
        sound(alice, "/coming", pictures)
        alice.press("Take it back")
        assert page.get_by_role("button", name="Agree", exact=True).is_visible()
        alice.press("Decide later")
        assert page.url.endswith("/me"), "asked once in a session"
    finally:
        service.run("policy", "withdraw", "2", "--yes")
    assert [line for line in alice.complaints if "404" not in line] == []
    assert alice.elsewhere == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")])
def test_what_one_agrees_to_is_read_by_purpose(visit: Visit, width: int, scheme: str, tmp_path: Path) -> None:
    alice = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    alice.begin(f"alice-agreeing-{width}-{scheme}@harbor.example", LONG)
    sound(alice, "/agree", tmp_path)
    page = alice.page
    table = page.get_by_role("table")
    assert not table.is_visible(), "folded, under a heading that says what it is"
    for each in page.locator("main summary").all():
        each.click()
    assert table.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=tmp_path / "opened.png", full_page=True)
    assert page.get_by_role("button", name="Agree", exact=True).is_visible()
    assert alice.elsewhere == []
