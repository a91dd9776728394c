"""How long a session lives, and the browsers that are remembered beyond it (P15)."""

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records, perform_login
from allauth.account.internal.stagekit import get_pending_stage
from allauth.account.models import Login
from allauth.account.signals import password_changed, password_reset, password_set
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from troth.database import published
from troth.people import devices, remembering
from troth.web import arriving

COOKIE = "__Host-remembered"
TRUSTED = "__Host-trusted"
BEGAN, SEEN = "signed_in_at", "seen_at"
#: In a session that is noted in the table of sessions: under what.
NOTED = "noted_as"
#: In a session whose browser has said which device it is.
IDENTIFIED = "identified"
#: What a browser keeps its random identifier under, where the policy declares it.
IDENTIFIER = "troth-device"
#: In the session of somebody on the way in: they want to be remembered; they came by being remembered.
WANTED, CAME = "remember", "came_remembered"
#: Seconds between two notes that somebody is still there.
NOTE = 60
Next = Callable[[HttpRequest], HttpResponse]


def days_of(cookie: str) -> int:
    """Return for how many days the policy lets a cookie stay; 0 when it does not declare it."""
    stored = published.current().policy.stored
    return next((each.days or 0 for each in stored if each.covers(cookie)), 0)


def level(request: HttpRequest) -> int:
    """Return the authentication assurance level of a session: 2 when a passkey, an app or a recovery code was shown."""
    records = get_authentication_records(request, request.user)
    return 2 if any(each.get("method") == "mfa" for each in records) else 1


def ends_in(request: HttpRequest) -> timedelta:
    """Return how long a session lasts if nothing more is asked for."""
    now = time.time()
    overall = request.session.get(BEGAN, now) + settings.SESSION_OVERALL - now
    return timedelta(seconds=max(min(overall, settings.SESSION_IDLE[level(request)]), 1))


def lasting(get_response: Next) -> Next:
    """End sessions whose time is over; let remembered browsers in, through every stage of signing in."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            _end_or_note(request)
        # The parts of one page come at once: only what a person opens signs in.
        held = request.COOKIES.get(COOKIE, "")
        if held and not request.user.is_authenticated and request.method == "GET" and not get_pending_stage(request):
            response = _come_back(request, held) or get_response(request)
        else:
            response = get_response(request)
        _set(request, response)
        return response

    return answer


def _end_or_note(request: HttpRequest) -> None:
    now, session = time.time(), request.session
    began, seen = session.get(BEGAN), session.get(SEEN)
    if began is None or seen is None:
        session[BEGAN] = session[SEEN] = now
    elif now - began > settings.SESSION_OVERALL or now - seen > settings.SESSION_IDLE[level(request)]:
        request.session_over = True  # type: ignore[attr-defined] # the browser stays remembered
        logout(request)
    elif now - seen > NOTE:
        session[SEEN] = now
        arriving.note(request)


def _come_back(request: Any, held: str) -> HttpResponse | None:  # noqa: ANN401 - attributes are added
    turned = remembering.turn(held) if days_of(COOKIE) else None
    if turned is None or turned.stolen:
        request.remembered = ""
    if turned is None or turned.account is None:
        return None
    if turned.stolen:
        arriving.tell_of_theft(request, turned.account)
        return None
    request.remembered = turned.token
    request.coming_back = True
    login = Login(user=turned.account, redirect_url=request.get_full_path())
    response: HttpResponse = perform_login(request, login)
    return response


def _set(request: Any, response: HttpResponse) -> None:  # noqa: ANN401 - attributes are added
    token = getattr(request, "remembered", None)
    told: dict[str, Any] = {"path": "/", "secure": True, "httponly": True, "samesite": "Lax"}
    if token:
        response.set_cookie(COOKIE, token, max_age=days_of(COOKIE) * 86_400, **told)
    elif token == "" and COOKIE in request.COOKIES:
        response.set_cookie(COOKIE, "", max_age=0, **told)


def start(request: HttpRequest) -> None:
    """Note at the start of a way in whether it is by being remembered; what another way left counts no more."""
    request.session[CAME] = getattr(request, "coming_back", False)


@receiver(user_logged_in)
def begin(request: Any, user: Any, **_told: Any) -> None:  # noqa: ANN401 - a signal's receiver
    """Start the session's clock, and remember the browser if that was asked for."""
    session = request.session
    session[BEGAN] = session[SEEN] = time.time()
    wanted, request.came_remembered = session.pop(WANTED, False), session.pop(CAME, False)
    if wanted and not request.came_remembered and (days := days_of(COOKIE)):
        if held := request.COOKIES.get(COOKIE):
            remembering.forget(held)
        request.remembered, _until = remembering.remember(user, days=days)
    session[NOTED] = arriving.begin(request, user)


@receiver(user_logged_out)
def forget(request: Any, user: Any = None, **_told: Any) -> None:  # noqa: ANN401 - a signal's receiver
    """Signing out ends the remembering too; a session that merely ran out does not."""
    held = request.COOKIES.get(COOKIE) if request else None
    if user is not None and request and (noted := request.session.get(NOTED)):
        devices.close(user.subject, uuid.UUID(noted))
    if held and not getattr(request, "session_over", False):
        remembering.forget(held)
        request.remembered = ""


@receiver([password_changed, password_reset, password_set])
def forget_all(request: Any, user: Any, **_told: Any) -> None:  # noqa: ANN401 - a signal's receiver
    """Whoever knew the password before is remembered nowhere."""
    remembering.forget_all(user)
    request.remembered = ""


def until(request: HttpRequest) -> Any:  # noqa: ANN401 - a moment
    """Return when a viewer's token minted now ends: with the session, or before."""
    return timezone.now() + ends_in(request)
