"""In a real browser: a version is in force that somebody has not agreed to; whoever publishes sends the letters about it."""

import csv
import io
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.journeys.conftest import PASSWORD, Visitor
from tests.journeys.test_looks import ARABIC, LONG, sound
from tests.notices.test_letters import FIELD, LETTERS, REDUCED
from tests.serving import Serving

LOOKS = [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]
#: Each of them let support see two areas, until tomorrow.
OPEN = """INSERT INTO troth.support_access (subject, asker, reason, ticket, asked_areas, asked_hours, areas, allowed_at, until)
SELECT person.subject, support.subject, 'Your bill counts a month twice', 'T-1', '{profile,access}', 24, '{profile,access}', now(),
 now() + interval '1 day' FROM troth.person AS person, troth.person AS support
 WHERE person.email LIKE 'alice-%' AND support.email LIKE 'olga@%'"""
FIRST = LETTERS.replace(" version 2 ", " version 1 ")
WIDER = REDUCED.replace(" version 3 ", " version 2 ")


@pytest.fixture(scope="module")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A service whose policy tells people by letter of what reduces their rights."""
    folder: Path = tmp_path_factory.mktemp("harbor")
    (folder / "first.troth").write_text(FIRST, encoding="utf-8")
    (folder / "first.fields.toml").write_text(FIELD, encoding="utf-8")
    (folder / "wider.troth").write_text(WIDER, encoding="utf-8")
    serving = Serving(folder / "data", arguments=("--dev", "--policy", str(folder / "first.troth"))).start()
    yield serving
    serving.stop()


@pytest.fixture
def come(harbor: Serving, browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Make visitors of that service."""
    with ExitStack() as leaving:

        def make(**told: object) -> Visitor:
            context = browser.new_context(ignore_https_errors=True, **told)  # type: ignore[arg-type]
            leaving.callback(context.close)
            return Visitor(harbor, context)

        yield make


def opened(page: Page, picture: Path) -> None:
    """Open what is folded; it is no wider than the window."""
    for each in page.locator("main summary").all():
        each.click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
    page.screenshot(path=picture, full_page=True)


def test_whoever_has_not_agreed_reads_declines_takes_a_copy_and_agrees_and_their_letter_leaves(
    harbor: Serving, come: Callable[..., Visitor], tmp_path: Path
) -> None:
    olga = come(viewport={"width": 1280, "height": 900})
    olga.take_office()
    people = {}
    for width, scheme in LOOKS:
        someone = come(viewport={"width": width, "height": 900}, color_scheme=scheme)
        someone.join(f"alice-{width}-{scheme}@harbor.example", LONG)
        someone.go("/organizations").get_by_label("Its name").fill(ARABIC)
        someone.press("Make it")
        people[width, scheme] = someone
    with harbor.connect("owner") as owner:
        owner.execute(OPEN)
    late = come(viewport={"width": 390, "height": 900}, color_scheme="dark")
    late.join("late@harbor.example", LONG)
    harbor.run("policy", "apply", str(harbor.data.parent / "wider.troth"))
    for look, someone in people.items():
        pictures = tmp_path / "-".join(map(str, look))
        pictures.mkdir()
        page = someone.go("/me")
        assert page.url.endswith("/agree"), "first of all"
        assert "Support may look at your data" in page.content()
        sound(someone, "/agree", pictures)
        opened(page, pictures / "agree-opened.png")
        someone.press("Decline")
        assert someone.title() == "Without your agreement"
        sound(someone, "/declining", pictures)
        opened(page, pictures / "declining-opened.png")
        ends(someone, pictures)
        sound(someone, "/me/copy", pictures)
        page.get_by_label("Password").fill(PASSWORD)
        someone.press("Confirm")
        sound(someone, "/me/copy", pictures)
        assert page.get_by_role("link", name="Policy", exact=True).count() == 1
        sound(someone, "/agree", pictures)
        assert page.get_by_text("You declined version").is_visible()
        someone.press("Agree")
        assert someone.go("/me").url.endswith("/me")
        assert [line for line in someone.complaints if "404" not in line] == []
        assert someone.elsewhere == []
    letters(olga, late, tmp_path)


def ends(someone: Visitor, pictures: Path) -> None:
    """Look at what is open to support, and end it, where nothing was agreed to; what else is theirs stands there, too."""
    page = someone.page
    assert ARABIC in page.get_by_role("button", name="Leave the organization").inner_text()
    for path in ("/me/support", "/me/devices"):
        sound(someone, path, pictures)
        page.get_by_role("link", name="Without your agreement", exact=True).click()
        assert someone.title() == "Without your agreement"
    page.locator('a[href*="/me/receipts/agreement/"]').click()
    sound(someone, page.url.removeprefix(someone.service.address), pictures)
    someone.go("/declining").get_by_role("button", name="End it: Olga").click()
    page.get_by_text("Nothing of it is shown from this moment on.").wait_for()
    assert page.get_by_text("Support may look at your data").count() == 0
    assert page.get_by_role("button", name="End it: Olga").count() == 0


def letters(olga: Visitor, someone: Visitor, tmp_path: Path) -> None:
    """Take the list of who is owed a letter, as somebody reads who is on it and agrees then; say that they left."""
    olga.go("/agree")
    olga.press("Agree")
    deadline = time.monotonic() + 60
    while not olga.go("/operator/letters").get_by_role("button", name="Take a list").count():
        assert time.monotonic() < deadline, "the keeper tells of a version by itself"
        time.sleep(0.5)
    with olga.page.expect_download() as download:
        olga.press("Take a list")
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8-sig"), newline="")))
    assert [row["name"] for row in rows] == [LONG], "whoever has agreed is not on it"
    someone.go("/agree")
    someone.press("Agree")
    for width, scheme in LOOKS:
        olga.page.set_viewport_size({"width": width, "height": 900})
        olga.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        pictures = tmp_path / f"letters-{width}-{scheme}"
        pictures.mkdir()
        sound(olga, "/operator/letters", pictures)
    sound(someone, "/me/notices", pictures)
    olga.go("/operator/letters").get_by_label("All that are on a list").check()
    olga.press("They left")
    assert olga.page.get_by_role("button", name="They left").count() == 0
    assert olga.elsewhere == []
