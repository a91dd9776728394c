"""NIST SP 800-63B-4, 3.2.2: no account is tried more than 100 times in a day, however slowly and from wherever."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import PASSWORD, Browser

ALICE = "alice@harbor.example"
#: Tries and seconds of the shorter limit, under which a patient guesser stays; the most in a day.
AT_ONCE, PAUSE, MOST, DAY = 20, 301, 100, 86_400


class Guesser:
    """Somebody with a botnet and patience; their clock is the service's, set forward."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.patched, self.now, self.tries = patched, time.time(), 0

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.patched.setattr(time, "time", lambda: self.now)

    def guess(self, password: str) -> str:
        """Try once, each time from somewhere else; return what the page says, or where it leads."""
        self.tries += 1
        there = f"198.51.{self.tries // 250}.{self.tries % 250 + 1}"
        answer = Browser().post("/sign-in", {"login": ALICE, "password": password}, REMOTE_ADDR=there)
        return str(answer.headers.get("Location", answer.content.decode()))


@pytest.fixture
def guesser(
    browser: Browser, owner: Connection[Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Guesser]:
    """Whoever guesses Alice's password, which is hashed quickly here: it is counting that is tried."""
    from django.test import override_settings

    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        browser.sign_up(owner, ALICE)
        settings.ACCOUNT_RATE_LIMITS = settings.LIMITS
        yield Guesser(monkeypatch)


def guessed_for_long(guesser: Guesser) -> list[bool]:
    """Return of each of a day's tries, slow enough for the shorter limit, whether the password was looked at."""
    looked = []
    for number in range(MOST + 2):
        if number % AT_ONCE == 0:
            guesser.wait(PAUSE)
        looked.append("Too many tries" not in guesser.guess(f"guess number {number} of many"))
    return looked


@pytest.mark.asvs("6.3.1")
def test_after_a_hundred_failures_in_a_day_not_even_the_right_password_is_looked_at(
    browser: Browser, guesser: Guesser
) -> None:
    assert guessed_for_long(guesser) == [True] * MOST + [False] * 2
    assert "Too many tries" in guesser.guess(PASSWORD)
    assert browser.get("/me").status_code == 200  # whoever is signed in goes on
    guesser.wait(DAY)
    assert guesser.guess(PASSWORD) == "/me"


def test_without_the_days_limit_patience_would_do(guesser: Guesser, settings: Any) -> None:
    """The control taken away."""
    shorter = settings.LIMITS["login_failed"].replace(f",{MOST}/d/key", "")
    settings.ACCOUNT_RATE_LIMITS = settings.LIMITS | {"login_failed": shorter}
    assert all(guessed_for_long(guesser))
