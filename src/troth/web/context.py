"""What every template knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from troth.consent import identifiers
from troth.consent.support import attention
from troth.database import published
from troth.database.errors import DatabaseRefusal
from troth.intake.objecting import signalled
from troth.people import devices, organizations, places
from troth.records import queries as records
from troth.web.assets import address
from troth.web.known import COOKIE
from troth.web.sessions import IDENTIFIED, IDENTIFIER, NOTED, days_of
from troth.web.staff import roles


def everywhere(request: HttpRequest) -> dict[str, Any]:
    """Return the policy in force, who is looking, in which home they are, and where the style sheet is."""
    try:
        now = published.current()
    except DatabaseRefusal:
        now = None
    user = getattr(request, "user", None)
    return {
        "published": now,
        "signalled": now.policy.signalled if now and signalled([request.headers.get("Sec-GPC", "")]) else (),
        "attention": _attention(request),
        "staff_roles": roles(request) if user is not None else frozenset(),
        "account": user if user is not None and user.is_authenticated else None,
        "agreed": getattr(getattr(request, "standing", None), "agreed", False),
        "organizations_kept": now is not None and organizations.are_kept(),
        "posts_kept": now is not None and records.are_kept(),
        "home": f"/{request.path.split('/')[1]}",
        "dev": settings.DEV,
        "free_places": places.free(),
        "knows_browsers": now is not None and bool(identifiers.offered(now)) and bool(days_of(COOKIE)),
        "style": address("style.css"),
        "favicon": address("favicon.svg"),
        "passkeys": address("passkeys.js"),
        "identify": _identify(request) if now and user is not None and user.is_authenticated else None,
    }


def _attention(request: HttpRequest) -> dict[str, Any]:
    """Return what support asks of whoever has agreed, and until when it may look at the data of whoever looks."""
    standing = getattr(request, "standing", None)
    if standing is None or not standing.version or not request.user.is_authenticated:
        return {}
    asked, until = attention(request.user.subject)
    return {"asked": asked if standing.agreed else 0, "until": until}


def _identify(request: HttpRequest) -> dict[str, Any] | None:
    """Return how this browser says which device it is: once after signing in, where the policy lets it."""
    days = days_of(IDENTIFIER)
    if not (days and request.session.get(NOTED) and not request.session.get(IDENTIFIED) and devices.identifying()):
        return None
    return {"script": address("identify.js"), "client": address("device.js"), "key": IDENTIFIER, "days": days}
