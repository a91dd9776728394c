"""What people see when something is not there, not theirs, or broken: a code, a sentence, a way on."""

import logging
import sys
import traceback

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

LOG = logging.getLogger(__name__)
#: What is shown when even the page that says so cannot be made, as when the database is away.
BARE = b"<!doctype html><title>troth</title><h1>Something went wrong here</h1><p>Try again in a moment."


def bad(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer a request that cannot be understood."""
    return _shown(request, 400, "bad-request", _("This request cannot be understood"), _("Go back and try again."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer a request that is not allowed."""
    return _shown(request, 403, "forbidden", _("This is not allowed"), _("Go back to where you came from."))


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer a form that did not come from our own page, or from a browser that refuses cookies (P17)."""
    if not request.COOKIES:
        advice = _(
            "Nothing tells us then that the form is yours: signing up, signing in, agreeing and remembering your"
            " language cannot work. Everything that only shows something does, the policy and the terms included."
        )
        return _shown(request, 403, "no-cookie", _("Your browser sent no cookie"), advice)
    advice = _(
        "Open the page again and send the form from there. If your browser refuses cookies, signing in cannot work."
    )
    return _shown(request, 403, "form-expired", _("This form has expired"), advice)


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer for what is not there, and for what is somebody else's: nobody can tell the two apart."""
    return _shown(request, 404, "not-found", _("There is no such page"), _("Check the address, or begin at the start."))


def failed(request: HttpRequest) -> HttpResponse:
    """Answer when we failed. The log says what kind of error and where, never what it was about."""
    kind, _error, where = sys.exc_info()
    last = traceback.extract_tb(where)[-1:] if where else []
    LOG.error("a page failed: %s at %s", getattr(kind, "__name__", "?"), [f"{f.filename}:{f.lineno}" for f in last])
    advice = _("Nothing was changed. Try again in a moment.")
    try:
        return _shown(request, 500, "failed", _("Something went wrong here"), advice)
    except Exception:  # noqa: BLE001 - whatever is broken, people get an answer
        return HttpResponse(BARE, status=500)


def crowded(request: HttpRequest) -> HttpResponse:
    """Answer somebody who tries too often."""
    advice = _("Wait a few minutes, then try again.")
    return _shown(request, 429, "too-many-tries", _("Too many tries"), advice)


def outdated(request: HttpRequest) -> HttpResponse:
    """Answer a choice that comes late or twice: another one was made since its form was shown."""
    advice = _("Nothing was changed. Open your data, see how it stands now, and choose again.")
    return _shown(request, 409, "choice-outdated", _("You chose something else meanwhile"), advice)


def _shown(request: HttpRequest, status: int, code: str, title: str, advice: str) -> HttpResponse:
    context = {"code": code, "title": title, "advice": advice, "status": status}
    return render(request, "errors/error.html", context, status=status)
