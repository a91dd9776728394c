"""The way back to an application: remembered while somebody signs in, agrees or answers, and nowhere else to go."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

SOURCE, AFTER = "onward_source", "after_agreement"
FORM = "form-action"

Next = Callable[[HttpRequest], HttpResponse]


def let(get_response: Next) -> Next:
    """Let forms on the way in lead on to the application that waits: a page's rule holds for what follows its form."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        source = request.session.get(SOURCE)
        if source and not hasattr(response, "_csp_config"):
            forms_to(response, source)
        return response

    return answer


def forms_to(response: HttpResponse, source: str) -> None:
    """Let this page's forms end at one more place."""
    policy: dict[str, Any] = dict(settings.SECURE_CSP)
    response._csp_config = policy | {FORM: [*policy[FORM], source]}  # type: ignore[attr-defined] # noqa: SLF001 - as its decorator does


def source_of(address: str) -> str:
    """Return how a content security policy names an address: by its origin, or by a scheme of an app's own."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def sign_in_first(request: HttpRequest, address: str) -> HttpResponse:
    """Send somebody to sign in, and on to `address` in the end."""
    request.session[SOURCE] = source_of(address)
    return HttpResponseRedirect(f"{reverse('account_login')}?{urlencode({'next': request.get_full_path()})}")


def agree_first(request: HttpRequest, address: str) -> HttpResponse:
    """Send somebody to the agreement that is needed now, and back."""
    request.session[SOURCE], request.session[AFTER] = source_of(address), request.get_full_path()
    return redirect("agree")


def arrived(request: HttpRequest) -> None:
    """Forget the way, now that it was gone."""
    if SOURCE in request.session:
        del request.session[SOURCE]


def after_agreement(request: HttpRequest) -> HttpResponse:
    """Go where somebody was going before they were asked to agree."""
    return redirect(request.session.pop(AFTER, None) or "me")
