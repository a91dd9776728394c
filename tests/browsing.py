"""A browser without a window: it keeps cookies, speaks HTTPS, and knows its way in."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.test import Client
from psycopg import Connection

PASSWORD = "seven herons over a grey quay"


class Browser(Client):
    """Somebody's browser; `csrf=True` makes it subject to the same check as a real one."""

    def __init__(self, *, csrf: bool = False) -> None:
        super().__init__(enforce_csrf_checks=csrf, raise_request_exception=False, SERVER_NAME="localhost")

    def request(self, **told: Any) -> Any:
        return super().request(**(told | {"wsgi.url_scheme": "https", "SERVER_PORT": "443"}))

    def begin(self, email: str, name: str = "Alice Okafor", password: str = PASSWORD) -> Any:
        """Fill in the sign-up form."""
        return self.post("/sign-up", {"email": email, "name": name, "password1": password})

    def agree(self, answer: str = "agree") -> Any:
        page = self.get("/agree").content.decode()
        told = dict(re.findall(r'name="(policy|terms)" value="([0-9a-f]{64})"', page))
        return self.post("/agree", told | {"answer": answer})

    def verify(self, owner: Connection[Any], email: str) -> Any:
        return self.post("/sign-up/verify", {"code": code(owner, email), "action": "verify"})

    def sign_up(self, owner: Connection[Any], email: str, name: str = "Alice Okafor") -> uuid.UUID:
        """Go the whole way in, and return whose account it is."""
        assert self.begin(email, name).status_code == 302
        assert self.agree().status_code == 302
        assert self.verify(owner, email).status_code == 302
        return subject(owner, email)

    def pressed(self, purpose: str, kind: str) -> dict[str, str]:
        """Return what a button of a purpose's form sends, as the page shows it now."""
        page = self.get("/me").content.decode()
        form = re.search(rf'action="/me/purposes/{purpose}".*?name="seen" value="([0-9a-f-]+)"', page, re.DOTALL)
        assert form, f"no form for {purpose}"
        return {"kind": kind, "seen": form[1]}

    def choose(self, purpose: str, kind: str) -> Any:
        """Press it."""
        return self.post(f"/me/purposes/{purpose}", self.pressed(purpose, kind))

    def sign_in(self, email: str, password: str = PASSWORD) -> Any:
        return self.post("/sign-in", {"login": email, "password": password})


def mails(owner: Connection[Any], email: str) -> list[dict[str, str]]:
    """Return what waits in the outbox for an address, the newest first."""
    query = "SELECT facts FROM troth.notice WHERE address = %s ORDER BY notice DESC"
    return [row[0] for row in owner.execute(query, (email,))]


def code(owner: Connection[Any], email: str) -> str:
    """Return the code in the newest mail to an address."""
    found = re.search(r"\b([A-Z0-9]{4}-[A-Z0-9]{4})\b", mails(owner, email)[0]["text"])
    assert found, mails(owner, email)[0]["text"]
    return found.group(1)


def subject(owner: Connection[Any], email: str) -> uuid.UUID:
    row = owner.execute("SELECT subject FROM troth.people_account WHERE email = %s", (email,)).fetchone()
    assert row is not None
    return uuid.UUID(str(row[0]))


@pytest.fixture
def browser(owner: Connection[Any]) -> Iterator[Browser]:
    """A fresh browser in front of the pages."""
    from django.core.cache import cache

    django.setup()
    cache.clear()
    yield Browser()
    cache.clear()


@pytest.fixture
def settings(browser: Browser) -> Iterator[Any]:
    """Django's settings, put back afterwards."""
    from django.conf import settings as real
    from django.test import override_settings

    with override_settings():
        yield real
