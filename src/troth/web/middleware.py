"""What every request carries: the viewer's token, how they stand; and what every answer carries."""

import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date

from troth.consent import queries
from troth.consent.queries import Standing
from troth.database import published
from troth.people import actions
from troth.policy.meaning import Stored
from troth.web.sessions import until
from troth.web.stages import turn_back

COOKIE = "__Host-viewer"
Next = Callable[[HttpRequest], HttpResponse]


def headers(get_response: Next) -> Next:
    """Tell browsers what these pages never need."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"
        )
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return answer


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
            told |= {"subject": subject, "uses": standing.uses}
        _keep(request, response, held, fresh)
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
        request.standing, request.viewer = known[1], held
        return ""
    request.standing = queries.standing(request.user.subject)
    if request.standing.version:
        request.viewer = actions.open_viewer(request.user, until=until(request))
    return str(request.viewer)


def _keep(request: HttpRequest, response: HttpResponse, held: str, fresh: str) -> None:
    if getattr(request, "viewer_ended", False) or (held and not request.user.is_authenticated):
        response.set_cookie(COOKIE, "", max_age=0, path="/", secure=True, httponly=True, samesite="Lax")
    elif fresh:
        response.set_cookie(COOKIE, fresh, path="/", secure=True, httponly=True, samesite="Lax")


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
    request.viewer_ended = True
