"""What signing in and a page cost, in CPU: against the password's own hash, and against a page that does nothing.

CPU is that of this process, which answers the pages, and of PostgreSQL's, as the operating system counts it: it moves
less than the clock on a machine that does other things too.
"""

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import psutil
from psycopg import Connection

from benchmarks.governing import ROUNDS, Measured

PASSWORD = "seven herons over a grey quay"  # noqa: S105 - of somebody who is made for the measurement
ALICE = "alice@harbor.example"
PAGES = ("/", "/policy", "/me", "/me/accesses", "/me/security", "/me/permissions")
#: Requests that one figure is the mean of; more of an empty page, as the system counts CPU in hundredths of a second.
MANY, EMPTY = 20, 1000


def measured(owner: Connection[Any]) -> Iterator[Measured]:
    """Yield lines for signing in and one for each page; `value` and `baseline` are milliseconds of CPU a request."""
    browser = pages()
    from django.contrib.auth.hashers import check_password, make_password  # noqa: PLC0415

    alice = browser()
    alice.sign_up(owner, ALICE)
    kept = make_password(PASSWORD)

    def sign_in() -> None:
        answer = browser().sign_in(ALICE, PASSWORD)
        assert answer.status_code == 302, answer.content
        assert answer.headers["Location"] == "/me"

    def hash_once() -> None:
        assert check_password(PASSWORD, kept)

    cost = alternate("sign in, against one Argon2 hash", owner, hash_once, sign_in, few=5)
    yield cost
    yield per_core(cost)
    for path in PAGES:
        yield alternate(f"page {path}, against an empty one", owner, _empty(), _page(alice, path), plain=EMPTY)


def pages() -> Any:  # noqa: ANN401 - a class of the framework's test client
    """Prepare the pages, without their limits, and return what a browser in front of them is."""
    os.environ["TROTH_UNLIMITED"] = "1"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "troth.config.settings")
    import django  # noqa: PLC0415 - settings read where the data folder is, which the caller says first

    django.setup()
    from tests.browsing import Browser  # noqa: PLC0415

    return Browser


def per_core(cost: Measured) -> Measured:
    """Return the same as how many a second one core does, against hashes alone: below 1 by all that is not the hash."""
    return Measured(
        "sign-ins a second per core, against hashes",
        round(1000 / cost.value, 3),
        "a second",
        round(1000 / cost.baseline, 3),
        round(cost.baseline / cost.value, 3),
        round(1 / cost.max, 3),
        round(1 / cost.min, 3),
        cost.runs,
    )


def _page(browser: Any, path: str) -> Callable[[], None]:  # noqa: ANN401 - the framework's test client
    def ask() -> None:
        answer = browser.get(path, follow=path == "/")
        assert answer.status_code == 200, (path, answer.status_code, answer.headers.get("Location"))

    return ask


def _empty() -> Callable[[], None]:
    """Return what asks the framework for a page without middleware, session, database or template."""
    from django.core.handlers.wsgi import WSGIHandler  # noqa: PLC0415
    from django.http import HttpResponse  # noqa: PLC0415
    from django.test import override_settings  # noqa: PLC0415
    from django.test.client import RequestFactory  # noqa: PLC0415
    from django.urls import path  # noqa: PLC0415

    class Urls:
        urlpatterns = (path("", lambda _request: HttpResponse("nothing")),)

    with override_settings(MIDDLEWARE=[]):
        handler = WSGIHandler()
    factory = RequestFactory(SERVER_NAME="localhost")

    def ask() -> None:
        request = factory.get("/")
        request.urlconf = Urls
        assert handler.get_response(request).status_code == 200

    return ask


def alternate(
    name: str,
    owner: Connection[Any],
    baseline: Callable[[], None],
    ours: Callable[[], None],
    *,
    few: int = MANY,
    plain: int = 0,
    also: Sequence[psutil.Process] = (),
) -> Measured:
    """Do both in turn, and compare the CPU of a request: of this process, the database's, and those given.

    `few` is how often each is done for a figure, `plain` how often the baseline, where that is another number.
    """
    spent: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for place, ask in enumerate((baseline, ours)):
            before, times = cpu(owner, *also), few if place else plain or few
            for _ in range(times):
                ask()
            if number:  # the first round warms both up
                spent[place].append((cpu(owner, *also) - before) * 1000 / times)
    return _line(name, *spent)


def _line(name: str, plain: Sequence[float], ours: Sequence[float]) -> Measured:
    base, value = statistics.median(plain), statistics.median(ours)
    ratios = [mine / max(theirs, 1e-9) for mine, theirs in zip(ours, plain, strict=True)]
    spread = round(min(ratios), 3), round(max(ratios), 3)
    return Measured(name, round(value, 4), "ms CPU", round(base, 4), round(value / base, 3), *spread, ROUNDS)


def cpu(owner: Connection[Any], *also: psutil.Process) -> float:
    """Return the seconds of CPU that this process, every process of the database and others have used.

    What a process of the database used that has ended is counted by the one that started it.
    """
    postmaster = psutil.Process(owner.info.backend_pid).parent()
    processes = [psutil.Process(), *also, *([postmaster, *postmaster.children()] if postmaster else [])]
    ended = postmaster.cpu_times() if postmaster else None
    total = ended.children_user + ended.children_system if ended else 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total
