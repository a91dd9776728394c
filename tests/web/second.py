"""Somebody's authenticator app, and what they do with it."""

import re
import time
from typing import Any

from tests.browsing import PASSWORD, Browser

SECOND, APP = "/sign-in/second", "/me/security/app"


def app_code(secret: str, at: float | None = None) -> str:
    """Return what an app shows (RFC 6238), the code of the next half minute if the last was used."""
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

    return str(format_hotp_value(hotp_value(secret, int((at or time.time()) // 30))))


def confirm(browser: Browser, password: str = PASSWORD) -> Any:
    return browser.post("/password/confirm", {"password": password})


def add_app(browser: Browser) -> str:
    """Add an app to the account of a signed-in browser, and return its secret."""
    assert confirm(browser).status_code == 302
    found = re.search(r'class="key">(\w+)<', browser.get(APP).content.decode())
    assert found
    answer = browser.post(APP, {"code": app_code(found.group(1))})
    assert answer.headers.get("Location") == "/me/security/codes", answer.content.decode()
    return found.group(1)


def recovery_codes(browser: Browser) -> list[str]:
    return re.findall(r"<code>(\d+)</code>", browser.get("/me/security/codes").content.decode())


def fresh() -> None:
    """Let a code be shown again: a new half minute, as far as the list of used ones goes."""
    from django.core.cache import cache

    cache.clear()
