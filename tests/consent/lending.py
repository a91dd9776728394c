"""What the tests of permissions say again and again: somebody proves an address, offers, accepts, and looks as `chosen`."""

import secrets
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from tests.conftest import Person, employ
from tests.planting import account
from troth.consent import permissions

NAME, EMAIL, BROWSER, SYSTEM = "person.name", "person.email", "device.browser", "device.system"
TIME, URL, KIND = "access.time", "access.url", "device.kind"
#: Every category that the default policy shows to chosen people -> the function that shows it.
SHOWN = {
    NAME: "chosen_person_name", EMAIL: "chosen_person_email", BROWSER: "chosen_device_browser",
    SYSTEM: "chosen_device_system", KIND: "chosen_device_kind", TIME: "chosen_access_time", URL: "chosen_access_url",
}  # fmt: skip


def prove(owner: Connection[Any], person: Person, *, operator: bool = False) -> None:
    """Give somebody of the cast an account with a proven address, as the pages would."""
    account(owner, person.subject, person.email)
    if operator:
        employ(owner, person, "owner")


def offer(giver: Person, *categories: str, days: float = 7, **told: Any) -> str:
    """Offer something; return the link."""
    link, now = secrets.token_urlsafe(32), datetime.now(UTC)
    window: dict[str, Any] = {
        "since": now,
        "until": now + timedelta(days=days),
        "reason": "It is Alice; for the audit.",
    }
    permissions.offer(token=giver.token, categories=categories, link=link, **(window | told))
    return link


def lend(giver: Person, receiver: Person, *categories: str, **told: Any) -> uuid.UUID:
    """Let somebody see something; return the grant."""
    link = offer(giver, *categories, **told)
    waiting = permissions.offered(receiver.token, link)
    assert waiting is not None
    permissions.answer(token=receiver.token, link=link, accepts=True)
    return waiting.given


def looks(who: Person, whose: Person, categories: Sequence[str] = tuple(SHOWN)) -> set[str]:
    """Return the categories of somebody that a person sees anything of, read as `chosen`."""
    return {category for category in categories if permissions.seen(who.token, whose.subject, category)}
