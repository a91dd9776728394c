"""A click has ended when the page that it leads to is there: however slow the machine, what is looked at is the new one."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from playwright.sync_api import Error, Locator, Page, Request, Response

PATIENCE = 60.0
#: What answers a navigation and leaves the page as it is.
STAYS = (204, 205)


def followed(patched: pytest.MonkeyPatch) -> None:
    """Let everybody's clicks and keys end so."""
    for name in ("click", "press"):
        patched.setattr(Locator, name, _following(getattr(Locator, name)))


def _following(act: Callable[..., None]) -> Callable[..., None]:
    def instead(self: Locator, *given: Any, **named: Any) -> None:
        with arriving(self.page):
            act(self, *given, **named)

    return instead


@contextmanager
def arriving(page: Page) -> Iterator[None]:
    """Mark the page that is left and, where another one was asked for meanwhile, wait for it to be there and whole."""
    asked, stays = list[Request](), list[Response]()

    def leads(request: Request) -> bool:
        with suppress(Error):
            return request.is_navigation_request() and request.frame == page.main_frame
        return False

    def asks(request: Request) -> None:
        if leads(request):
            asked.append(request)

    def answers(response: Response) -> None:
        if response.status in STAYS and leads(response.request):
            stays.append(response)

    page.on("request", asks)
    page.on("response", answers)
    try:
        with suppress(Error):
            page.evaluate("() => { window.isLeft = true }")
        yield
        with suppress(Error):  # a form is sent in a task of its own
            page.evaluate("() => new Promise(done => setTimeout(done))")
        until = time.monotonic() + PATIENCE
        while asked and not stays and not asked[-1].failure and time.monotonic() < until and not _there(page):
            page.wait_for_timeout(20)
    finally:
        page.remove_listener("request", asks)
        page.remove_listener("response", answers)


def _there(page: Page) -> bool:
    if page.is_closed():
        return True
    with suppress(Error):
        return bool(page.evaluate("() => !window.isLeft && document.readyState === 'complete'"))
    return False
