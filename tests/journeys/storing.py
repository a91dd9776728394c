"""What pages leave in a browser stands in the policy: looked at whenever a browser that somebody visited with is closed."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import pytest
from playwright.sync_api import BrowserContext, Error, Page

from tests.conftest import POLICY
from troth.policy import parse
from troth.policy.meaning import Storage, Stored

DECLARED = parse.read(POLICY.read_text(encoding="utf-8"), POLICY.name).stored
COOKIES = (Storage.SESSION_COOKIE, Storage.PERSISTENT_COOKIE)
#: Whose pages a browser visits: the service's address.
VISITED = WeakKeyDictionary[BrowserContext, str]()
KEPT = """async () => ({
    storage: [...Object.keys(localStorage), ...Object.keys(sessionStorage)],
    others: [...(await indexedDB.databases()).map(each => each.name), ...await caches.keys(),
             ...(await navigator.serviceWorker.getRegistrations()).map(each => each.scope)],
    readable: document.cookie,
})"""


def looked_through(patched: pytest.MonkeyPatch) -> None:
    """Let no browser that somebody visited with be closed while it keeps what no clause declares."""
    close = BrowserContext.close

    def instead(self: BrowserContext, **told: Any) -> None:
        found = left(self)
        close(self, **told)
        assert found == [], f"what no clause of the policy declares is left in the browser: {found}"

    patched.setattr(BrowserContext, "close", instead)


def left(context: BrowserContext) -> list[str]:
    """Return what a browser keeps of the service that no clause declares: of every page that is open, or else of one."""
    address = VISITED.get(context)
    if address is None:
        return []
    found = undeclared_cookies(context, address)
    pages = [page for page in context.pages if page.url.startswith(address + "/")]
    if not pages:
        with suppress(Error):  # a service that is down has no page to look from
            pages = [context.new_page()]
            pages[0].goto(address + "/policy.txt")
    for page in pages:
        with suppress(Error):
            found += undeclared_entries(page)
    return sorted(set(found))


def undeclared_cookies(context: BrowserContext, address: str, stored: tuple[Stored, ...] = DECLARED) -> list[str]:
    """Return the names of cookies of the service's host that no clause declares."""
    host, known = urlsplit(address).hostname, [each for each in stored if each.storage in COOKIES]
    names = [each["name"] for each in context.cookies() if each["domain"].lstrip(".") == host]
    return [name for name in names if not any(each.covers(name) for each in known)]


def undeclared_entries(page: Page, stored: tuple[Stored, ...] = DECLARED) -> list[str]:
    """Return what is in a page's storage that no clause declares, and what a script could read of its cookies."""
    entries = [each for each in stored if each.storage is Storage.BROWSER_STORAGE]
    kept: dict[str, Any] = page.evaluate(KEPT)
    found = [key for key in kept["storage"] if not any(each.covers(key) for each in entries)]
    return [*found, *kept["others"], *filter(None, [kept["readable"]])]
