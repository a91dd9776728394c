"""One real service and one real browser for all journeys of a worker."""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from tests.journeys.following import followed
from tests.journeys.storing import VISITED, looked_through
from tests.serving import Serving, roomy
from tests.web.second import app_code

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: The first that is there; the one without a window draws the same pages in a third of the time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PASSWORD = "correct horse battery staple"
#: Who visits in a test, for its report.
VISITORS = pytest.StashKey[list["Visitor"]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failed journey's report what each visitor had before their eyes."""
    report = yield
    if report.when == "call" and report.failed:
        visitors: list[Visitor] = item.stash.get(VISITORS, [])
        for number, visitor in enumerate(visitors, 1):
            report.sections.append((f"visitor {number}", visitor.before_their_eyes()))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/journeys" in str(item.path):
            item.add_marker(pytest.mark.journey)
            item.add_marker(pytest.mark.xdist_group("journeys"))


@pytest.fixture(scope="session")
def service() -> Iterator[Serving]:
    with tempfile.TemporaryDirectory(prefix="troth-journeys-", dir=roomy(), ignore_cleanup_errors=True) as folder:
        serving = Serving(Path(folder) / "data").start()
        yield serving
        serving.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patched:
        followed(patched)
        looked_through(patched)
        found = next(filter(None, map(shutil.which, BROWSERS)))
        chromium = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


class Visitor:
    """Somebody with a browser; everything the browser complains about is kept."""

    def __init__(self, service: Serving, context: BrowserContext) -> None:
        self.service, self.context, self.page = service, context, context.new_page()
        VISITED[context] = service.address
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.service.address, "data:")):
            self.elsewhere.append(request.url)

    def go(self, path: str) -> Page:
        self.page.goto(self.service.address + path)
        return self.page

    def before_their_eyes(self) -> str:
        try:
            return f"{self.page.url}\n{self.page.locator('body').inner_text(timeout=2000)}"
        except Error as gone:
            return f"{self.page.url}\n{gone}"

    def title(self) -> str:
        return " ".join(self.page.locator("h1").inner_text().split())

    def press(self, name: str) -> None:
        self.page.locator("main").get_by_role("button", name=name, exact=True).click()

    def begin(self, email: str, name: str) -> None:
        self.go("/sign-up")
        self.page.get_by_label("E-mail address").fill(email)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Continue")

    def code(self, email: str) -> str:
        """Return the last code that was mailed to an address; what waits in the outbox is in the report when none came."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            page = self.context.new_page()
            page.goto(self.service.address + "/dev/mail")
            mails = page.locator("article", has_text=email)
            text = mails.first.inner_text() if mails.count() else ""
            page.close()
            found = re.search(r"Your code is ([A-Z0-9-]+)", text)
            if found:
                return found.group(1)
            time.sleep(0.2)
        with self.service.connect("owner") as connection:
            waits = connection.execute("SELECT template, tries, next_try_at, clock_timestamp() FROM troth.notice")
            raise AssertionError(f"no code came; in the outbox: {waits.fetchall()}")

    def join(self, email: str, name: str) -> None:
        self.begin(email, name)
        self.press("Agree")
        self.page.get_by_label("Code").fill(self.code(email))
        self.press("Confirm")
        assert self.title() == "Your data"

    def add_app(self) -> list[str]:
        """Add an authenticator app, as the staff must; return the recovery codes."""
        self.go("/me/security/app")
        if self.title() == "Confirm that it is you":
            self.page.get_by_label("Password").fill(PASSWORD)
            self.press("Confirm")
        self.page.get_by_label("Code").fill(app_code(self.page.locator(".key").inner_text()))
        self.press("Add the app")
        assert self.title() == "Your recovery codes"
        return self.page.locator(".codes code").all_inner_texts()

    def take_office(self) -> list[str]:
        """Be Olga, who makes her account with the link that the first start printed; return her recovery codes."""
        printed = re.search(r"https://\S+(/operator/first/\S+)", self.service.said)
        assert printed
        assert self.go(printed.group(1)).url.endswith("/sign-up")
        self.join("olga@harbor.example", "Olga")
        return self.add_app()


@pytest.fixture
def visit(request: pytest.FixtureRequest, service: Serving, browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Make visitors, each with a browser profile of their own."""
    visitors: list[Visitor] = request.node.stash.setdefault(VISITORS, [])

    def make(**told: Any) -> Visitor:
        visitors.append(Visitor(service, browser.new_context(ignore_https_errors=True, **told)))
        return visitors[-1]

    with ExitStack() as leaving:
        yield make
        for visitor in visitors:
            leaving.callback(visitor.context.close)


@pytest.fixture(scope="session")
def operating(service: Serving, browser: Browser) -> Any:
    """Return the cookies and codes of Olga, who made her account with the link that the first start printed."""
    context = browser.new_context(ignore_https_errors=True)
    codes = Visitor(service, context).take_office()
    cookies = context.cookies()
    context.close()
    return cookies, codes


@pytest.fixture(scope="session")
def operator(operating: Any) -> Any:
    """Return the cookies of Olga; of a service there is one."""
    return operating[0]


@pytest.fixture(scope="session")
def operators_codes(operating: Any) -> list[str]:
    """Return the recovery codes of Olga, each good for one confirmation."""
    codes: list[str] = operating[1]
    return codes
