"""One agreement opens the website, the applications' tokens, the downloads and the data API, and none of them without it (P1, P2)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from psycopg import Connection

from tests.api.test_lean import asked
from tests.browsing import Browser
from tests.provider.asking import Notes
from tests.provider.test_permitted import version

ALICE = "alice@harbor.example"
WIDER = ("for understand 30 days as network\ncollect", "for understand 60 days as network\ncollect")
ALL, NONE = {"website", "applications", "downloads", "data"}, set[str]()


@pytest.fixture
def alice(browser: Browser, owner: Connection[Any]) -> Browser:
    browser.sign_up(owner, ALICE)
    return browser


@pytest.fixture
def download(alice: Browser) -> str:
    """Return where a file is that Alice posted to everybody who agreed."""
    attached = SimpleUploadedFile("words.txt", b"Words.", content_type="text/plain")
    form = {"text": "To all.", "readers": "public~~", "version": "1", "attached": attached}
    where = str(alice.post("/posts/new", form).headers["Location"])
    link = alice.get(where).content.decode().partition(f'href="{where}/files/')[2].partition('"')[0]
    return f"{where}/files/{link}"


def opened(browser: Browser, told: Callable[[], int], download: str) -> set[str]:
    """Return which of the four doors let somebody in."""
    held = browser.cookies.get("__Host-viewer")
    answers = {
        "website": browser.get("/me").status_code,
        "applications": told(),
        "downloads": browser.get(download).status_code,
        "data": asked("/api/v1/me", token=held.value if held else "").status,
    }
    return {door for door, status in answers.items() if status == 200}


def test_one_agreement_opens_and_shuts_all_four_doors(
    notes: Notes, alice: Browser, owner: Connection[Any], download: str
) -> None:
    access = notes.tokens(alice)["access_token"]
    told = lambda: notes.told(access).status_code  # noqa: E731 - asked anew each time
    assert opened(alice, told, download) == ALL
    eve = Browser()
    eve.begin("eve@harbor.example", "Eve")
    assert opened(eve, lambda: notes.told("").status_code, download) == NONE, "whoever has not agreed yet"
    version(owner, 2, WIDER)
    assert opened(alice, told, download) == NONE, "whoever agreed to a version that is not enough any more"
    alice.agree()
    assert opened(alice, told, download) == ALL, "one agreement again, and nothing else"
