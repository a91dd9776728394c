"""What every request carries: the viewer's token, how they stand; and what every answer carries."""

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from http.cookies import SimpleCookie
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.signals import password_changed, password_reset, password_set
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import http_date, urlencode

from troth.consent import queries
from troth.consent.queries import Standing
from troth.database import published
from troth.database.errors import DatabaseRefusal
from troth.intake.hints import HEADERS
from troth.people import actions, devices
from troth.policy.meaning import Stored
from troth.web.sessions import NOTED, level, until
from troth.web.stages import turn_back

COOKIE = "__Host-viewer"
#: What is collected, and the hint that tells it.
HINTED = {"model": "model", "system": "platform_version", "browser": "brands"}
NONE = uuid.UUID(int=0).hex
Next = Callable[[HttpRequest], HttpResponse]


def headers(get_response: Next) -> Next:
    """Tell browsers what these pages never need."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"
        )
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if (
            settings.REPORTED_TO
        ):  # for what the policy names; crashes and the like would go to one that is called default
            response.headers.setdefault("Reporting-Endpoints", f'csp="{settings.REPORTED_TO}"')
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
            if wanted := _wanted():
                response.headers.setdefault("Accept-CH", wanted)
        return response

    return answer


def _wanted() -> str:
    """Return which hints browsers are asked for: those about what the policy collects, and no others."""
    with suppress(DatabaseRefusal):
        columns = {collected.column for collected in published.current().plan.collected}
        return ", ".join(HEADERS[hint] for column, hint in HINTED.items() if column in columns)
    return ""


def declared(get_response: Next) -> Next:
    """Let no cookie pass that the policy does not declare, and none stay longer than it says (P15, P16)."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.cookies:
            stored = published.current().policy.stored
            for name in list(response.cookies):
                _hold(response.cookies, name, next((each for each in stored if each.covers(name)), None))
        return response

    return answer


def _hold(cookies: SimpleCookie, name: str, known: Stored | None) -> None:
    ending = str(cookies[name]["max-age"]) == "0"
    if known is None and not ending:
        del cookies[name]
    elif known is not None and not ending and cookies[name]["max-age"]:
        longest = (known.days or 0) * 86_400
        lasting = min(int(cookies[name]["max-age"]), longest)
        cookies[name]["max-age"] = lasting or ""
        cookies[name]["expires"] = http_date(time.time() + lasting) if lasting else ""


def confirming(get_response: Next) -> Next:
    """Send on who has to confirm first, and keep nothing of the form that they sent.

    The library would keep it in the session until they have: passwords, and the cookies that it came with.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    def stopped(request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, ReauthenticationRequired) or not request.user.is_authenticated:
            return None
        ways = get_adapter().get_reauthentication_methods(request.user)
        back = urlencode({"next": request.get_full_path()})
        return HttpResponseRedirect(f"{ways[0]['url']}?{back}") if ways else None

    answer.process_exception = stopped  # type: ignore[attr-defined] # Django looks for it there
    return answer


def viewer(get_response: Next) -> Next:
    """Give a signed-in person the token that proves them to the database, and tell the intake whose access it is."""

    def answer(request: HttpRequest) -> HttpResponse:
        held = request.COOKIES.get(COOKIE, "")
        fresh = _stand(request, held)
        subject = getattr(request.user, "subject", None)  # signing out takes the user away before the answer is back
        response = get_response(request)
        standing = request.standing  # type: ignore[attr-defined] # as it is after the answer: a choice may have changed it
        told = request.META.get("asgi.scope", {}).get("troth.access")
        if told is not None and standing.agreed and not getattr(request, "account_ended", False):
            told |= {"subject": subject, "uses": standing.uses, "identified": getattr(request, "device", None)}
        _keep(request, response, held, fresh)
        if getattr(request, "signed_out_elsewhere", False):
            # Whoever ended it from another browser may have had this device forgotten: it begins anew.
            response.headers["Clear-Site-Data"] = '"storage"'
        return response

    return answer


def _stand(request: Any, held: str) -> str:  # noqa: ANN401 - attributes are added
    """Set `standing` and `viewer` on the request; return a token if a new one was minted."""
    request.standing, request.viewer = Standing(agreed=False, uses=0, version=0), ""
    if not request.user.is_authenticated:
        turn_back(request)
        return ""
    known = queries.standing_of(held) if held else None
    if known and known[0] == request.user.subject:
        if known[3] >= level(request):
            request.standing, request.viewer, request.device = known[1], held, known[2]
            return ""
        actions.close_viewer(held)  # a second factor was shown since: the token of before goes with what it opened
    noted = uuid.UUID(request.session.get(NOTED) or NONE)
    if noted.int and devices.ended(request.user.subject, noted):
        request.signed_out_elsewhere = True
        logout(request)
        return ""
    request.standing = queries.standing(request.user.subject)
    if request.standing.version:
        request.viewer = actions.open_viewer(request.user, until=until(request), level=level(request))
        if noted.int:
            devices.carry(request.user.subject, noted, request.viewer)
    return str(request.viewer)


def _keep(request: HttpRequest, response: HttpResponse, held: str, fresh: str) -> None:
    if getattr(request, "viewer_ended", False) or (held and not request.user.is_authenticated):
        response.set_cookie(COOKIE, "", max_age=0, path="/", secure=True, httponly=True, samesite="Lax")
    elif fresh:
        response.set_cookie(COOKIE, fresh, path="/", secure=True, httponly=True, samesite="Lax")


@receiver(user_logged_in)
def renew_viewer(request: Any, **_told: Any) -> None:  # noqa: ANN401 - a signal's receiver
    """Give a session that begins a token of its own."""
    held = request.COOKIES.get(COOKIE) if request else None
    if held:
        actions.close_viewer(held)


@receiver(user_logged_out)
def end_viewer(request: Any, **_told: Any) -> None:  # noqa: ANN401 - a signal's receiver
    """End the token with the session."""
    held = request.COOKIES.get(COOKIE) if request else None
    if held:
        actions.close_viewer(held)
        request.viewer_ended = True


@receiver([password_changed, password_reset, password_set])
def end_viewers(request: Any, user: Any, **_told: Any) -> None:  # noqa: ANN401 - a signal's receiver
    """End every token of somebody whose password changed; the session that changed it gets a new one."""
    actions.close_viewers(user)
    noted = request.session.get(NOTED) if request.user.is_authenticated else ""
    devices.close(user.subject, uuid.UUID(noted) if noted else None, others=True)
    request.viewer_ended = True
