"""What an organization holds, in a real browser: filled in, seen by the person, questioned, declined, corrected."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.conftest import POLICY
from tests.journeys.conftest import Visitor
from tests.journeys.test_applications import checked
from tests.organizations.conftest import CHANGES, NUMBER
from tests.serving import Serving

LONG = "Rosa María de los Ángeles Fernández de Córdoba y Álvarez de Toledo"
RIGHT_TO_LEFT = "הרקם הישן הוא של אחותי, לא שלי."
Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def holding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A service whose policy lets organizations hold a number of their members."""
    folder: Path = tmp_path_factory.mktemp("holding")
    source = POLICY.read_text(encoding="utf-8")
    for old, new in CHANGES[:-1]:
        source = source.replace(old, new)
    (folder / "held.troth").write_text(source, encoding="utf-8")
    (folder / "held.fields.toml").write_text(NUMBER, encoding="utf-8")
    serving = Serving(folder / "data", arguments=("--dev", "--policy", str(folder / "held.troth"))).start()
    yield serving
    serving.stop()


@pytest.fixture
def come(holding: Serving, browser: Browser) -> Iterator[Visit]:
    """Make visitors of that service."""
    contexts = []

    def make(**told: object) -> Visitor:
        contexts.append(browser.new_context(ignore_https_errors=True, **told))  # type: ignore[arg-type]
        return Visitor(holding, contexts[-1])

    yield make
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_filled_in_questioned_declined_and_corrected(come: Visit, width: int, scheme: str) -> None:
    alice, bob = (come(viewport={"width": width, "height": 800}, color_scheme=scheme) for _ in range(2))
    alice.join(f"alice-{width}@harbor.example", "Alice")
    bob.join(f"bob-{width}@harbor.example", LONG)
    alice.go("/organizations")
    alice.page.get_by_label("Its name").fill("نادي التجديف Rowing")
    alice.press("Make it")
    home = alice.page.url.removeprefix(alice.service.address)
    alice.go(f"{home}/joining")
    alice.press("Make a link")
    bob.go("/join/" + alice.page.locator("code.secret").inner_text().rpartition("/")[2])
    bob.press("Join")

    alice.go(f"{home}/members").get_by_role("link", name=LONG).click()
    alice.page.wait_for_load_state()
    assert "Nothing is held." in alice.page.locator("main").inner_text()
    checked(alice, width)
    alice.page.get_by_role("link", name=re.compile("Fill in.*Employee number")).click()
    alice.page.get_by_role("textbox", name="Employee number").fill("4711")
    checked(alice, width)
    alice.press("Save")
    assert "4711" in alice.page.locator("main").inner_text()

    bob.go("/me/profile").get_by_role("link", name=re.compile("Ask for a correction.*Employee number")).click()
    assert bob.title() == "Ask for a correction"
    checked(bob, width)
    bob.page.get_by_role("textbox", name="What it should say").fill("12")
    bob.page.get_by_role("textbox", name="Why").fill(RIGHT_TO_LEFT)
    bob.press("Ask")
    assert bob.page.get_by_text("Waits for an answer").is_visible()
    checked(bob, width)

    alice.go(home).get_by_role("link", name="Corrections").click()
    alice.page.wait_for_load_state()
    assert RIGHT_TO_LEFT in alice.page.locator("main").inner_text()
    checked(alice, width)
    alice.page.get_by_role("textbox", name="Your answer").fill("It is on your contract.")
    alice.page.get_by_role("button", name="Decline").click()
    alice.page.wait_for_load_state()
    assert "Nobody asks for a correction." in alice.page.locator("main").inner_text()
    checked(alice, width)
    bob.go("/me/profile")
    assert "It is on your contract." in bob.page.locator("main").inner_text()
    bob.page.get_by_role("link", name=re.compile("Ask for a correction.*Employee number")).click()
    bob.page.get_by_role("textbox", name="What it should say").fill("12")
    bob.page.get_by_role("textbox", name="Why").fill("My contract says so.")
    bob.press("Ask")
    alice.go(f"{home}/corrections").get_by_role("button", name="Correct it so").click()
    bob.go("/me/profile")
    assert "12" in bob.page.get_by_role("region", name="Employee number").inner_text()
    bob.go(home)
    assert "12" in bob.page.locator("dl.facts").inner_text()
    checked(bob, width)
    assert [line for line in (*alice.complaints, *bob.complaints) if "404" not in line] == []
