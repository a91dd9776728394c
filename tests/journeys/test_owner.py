"""In a real browser, on a running service: it changes hands, and whoever is signed in stays so and reads of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.conftest import Visitor
from tests.journeys.test_looks import LONG, sound
from tests.serving import Serving

Visit = Callable[..., Visitor]


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_a_service_changes_hands_while_it_runs(
    service: Serving, visit: Visit, width: int, scheme: str, tmp_path: Path
) -> None:
    alice = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    alice.join(f"alice-owner-{width}@harbor.example", LONG)
    before = alice.go("/ledger/key").locator("body").inner_text()
    service.run("owner", "change", "--yes")
    assert alice.go("/ledger/key").locator("body").inner_text() != before
    assert alice.go("/me").locator("h1").inner_text() == "Your data", "nobody is signed out, nobody is asked"
    sound(alice, "/policy/versions", tmp_path)
    assert alice.page.get_by_text("The successor signed version 1 as it stands").first.is_visible()
    assert "the signed tree of" in service.run("ledger", "verify").stdout
    assert alice.complaints == []
