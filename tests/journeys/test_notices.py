"""In a real browser: an announcement is written, read once more and sent; it reaches who said yes, and its link ends it."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import Visitor
from tests.journeys.test_looks import ARABIC, LONG, sound
from tests.serving import Serving

Visit = Callable[..., Visitor]


def mailed(visitor: Visitor, to: str, subject: str) -> str:
    """Return the text of a mail once it was sent."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        visitor.go("/dev/mail")
        found = visitor.page.locator("article", has_text=to).filter(has_text=subject)
        if found.count():
            return str(found.first.inner_text())
        time.sleep(0.5)
    raise AssertionError(visitor.before_their_eyes())


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")])
def test_news_reach_who_said_yes_until_they_press_the_button(
    service: Serving, visit: Visit, operator: Any, width: int, scheme: str, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    subject, email = f"A new quay {width} {scheme}", f"alice-news-{width}-{scheme}@harbor.example"
    olga, alice, scanner = (visit(viewport={"width": width, "height": 900}, color_scheme=scheme) for _ in range(3))
    alice.join(email, LONG)
    sound(alice, "/me/notices", pictures)
    alice.go("/me")
    alice.page.get_by_role("button", name="Yes: Announce").click()
    olga.context.add_cookies(operator)
    sound(olga, "/operator/announcements", pictures)
    olga.press("Read it once more")
    assert olga.page.get_by_text("Write a subject and a text").is_visible()
    olga.page.get_by_label("Subject (English)").fill(subject)
    olga.page.get_by_label("Text (English)").fill(f"It opens in May.\n\n{ARABIC}")
    olga.press("Read it once more")
    assert olga.page.get_by_role("heading", name="Read it once more").is_visible()
    olga.page.screenshot(path=pictures / "read.png", full_page=True)
    olga.press("Send it")
    assert olga.page.get_by_text("It is on its way").is_visible()

    text = mailed(alice, email, subject)
    assert "It opens in May." in text
    found = re.search(r"https://\S+(/announcements/stop/\w+)", text)
    assert found
    sound(alice, "/me/notices", pictures)
    assert alice.page.get_by_text("An announcement").is_visible()
    sound(olga, "/operator/notices", pictures)
    sound(olga, "/operator/announcements", pictures)
    sound(scanner, found.group(1), pictures)
    scanner.press("No announcements any more")
    assert scanner.title() == "No more announcements"
    scanner.page.screenshot(path=pictures / "done.png", full_page=True)
    alice.go("/me")
    assert alice.page.get_by_role("button", name="No: Announce").get_attribute("aria-pressed") == "true"
    assert [line for each in (alice, olga, scanner) for line in each.complaints if "422" not in line] == []
    assert [each.elsewhere for each in (alice, olga, scanner)] == [[], [], []]
