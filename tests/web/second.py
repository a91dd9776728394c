"""Somebody's authenticator app, and what they do with it."""

import base64
import hmac
import re
import struct
import time
import uuid
from typing import Any

from psycopg import Connection

from tests.browsing import PASSWORD, Browser

#: Seconds that what is typed may take to arrive on a busy machine.
LATE = 5.0
SECOND, APP = "/sign-in/second", "/me/security/app"


def app_code(secret: str, at: float | None = None) -> str:
    """Return what an app shows now (RFC 6238 with SHA-1, 6 digits, 30 s), reckoned apart from the library.

    Like somebody who sees that it is about to change, wait for the next at the end of a half minute.
    """
    if at is None and 30 - time.time() % 30 < LATE:
        time.sleep(LATE)
    key, counter = base64.b32decode(secret), struct.pack(">Q", int((at or time.time()) // 30))
    digest = hmac.digest(key, counter, "sha1")
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4]) & 0x7FFFFFFF) % 1_000_000:06}"


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


def hire(owner: Connection[Any], browser: Browser, whose: uuid.UUID, *roles: str) -> str:
    """Put whoever is signed in with a browser on the staff; they add an app, as all of the staff must. Return its secret."""
    owner.execute("INSERT INTO troth.staff (subject, role) SELECT %s, unnest(%s::text [])", (whose, list(roles)))
    return add_app(browser)


def recovery_codes(browser: Browser) -> list[str]:
    return re.findall(r"<code>(\d+)</code>", browser.get("/me/security/codes").content.decode())


def fresh() -> None:
    """Let a code be shown again: a new half minute, as far as the list of used ones goes."""
    from django.core.cache import cache

    cache.clear()
