"""What people see when something is not there, not theirs, or broken: a code, a sentence, a way on."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _


def bad(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer a request that cannot be understood."""
    return _shown(request, 400, "bad-request", _("This request cannot be understood"), _("Go back and try again."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer a request that is not allowed."""
    return _shown(request, 403, "forbidden", _("This is not allowed"), _("Go back to where you came from."))


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer a form that did not come from our own page."""
    advice = _(
        "Open the page again and send the form from there. If your browser refuses cookies, signing in cannot work."
    )
    return _shown(request, 403, "form-expired", _("This form has expired"), advice)


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer for what is not there, and for what is somebody else's: nobody can tell the two apart."""
    return _shown(request, 404, "not-found", _("There is no such page"), _("Check the address, or begin at the start."))


def failed(request: HttpRequest) -> HttpResponse:
    """Answer when we failed."""
    advice = _("Nothing was changed. Try again in a moment.")
    return _shown(request, 500, "failed", _("Something went wrong here"), advice)


def _shown(request: HttpRequest, status: int, code: str, title: str, advice: str) -> HttpResponse:
    context = {"code": code, "title": title, "advice": advice, "status": status}
    return render(request, "errors/error.html", context, status=status)
