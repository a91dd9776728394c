"""Browsers that are known without an account (P18): the cookie, whose accesses they are, when to ask about tying."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, HttpResponse

from troth.consent import identifiers
from troth.consent.identifiers import Identifier
from troth.database import published
from troth.web.sessions import days_of

COOKIE = "__Host-browser"
TOLD: dict[str, Any] = {"path": "/", "secure": True, "httponly": True, "samesite": "Lax"}
Next = Callable[[HttpRequest], HttpResponse]


def days() -> int:
    """Return for how many days the policy lets the cookie stay; 0 when it does not declare it."""
    return days_of(COOKIE)


def browser(get_response: Next) -> Next:
    """Say whose the accesses are of a browser that is known, while nobody is signed in and the cookie is declared."""

    def answer(request: Any) -> HttpResponse:  # noqa: ANN401 - attributes are added
        request.browser = request.COOKIES.get(COOKIE, "")
        signed_in = request.user.is_authenticated
        request.identifier = identifiers.of(request.browser) if request.browser and not signed_in else None
        response = get_response(request)
        found: Identifier | None = request.identifier
        told = request.META.get("asgi.scope", {}).get("troth.access")
        if told is not None and found is not None and found.agreed and days() and "subject" not in told:
            told |= {"subject": found.subject, "uses": found.uses}
        return response

    return answer


def remember(response: HttpResponse, value: str) -> HttpResponse:
    """Give the browser its cookie."""
    response.set_cookie(COOKIE, value, max_age=days() * 86_400, **TOLD)
    return response


def forget(request: Any, response: HttpResponse) -> HttpResponse:  # noqa: ANN401 - attributes are added
    """Take it back; this access is nobody's already."""
    request.identifier = None
    response.set_cookie(COOKIE, "", max_age=0, **TOLD)
    return response


def untied(request: Any) -> Identifier | None:  # noqa: ANN401 - attributes are added
    """Return what the browser of somebody who is signed in is known by, if that could be tied to their account."""
    return identifiers.of(request.browser) if request.browser and published.current().plan.tying else None


def asks(request: HttpRequest) -> bool:
    """Whether somebody who signed in is to be asked about this browser now: once, and never again."""
    found = untied(request)
    if found is None or found.asked:
        return False
    identifiers.note_asked(found)
    return True


def plain(each: Any) -> dict[str, Any]:  # noqa: ANN401 - any record
    """Return a record's fields, without those that are empty."""
    return {name: value for name, value in asdict(each).items() if value is not None}
