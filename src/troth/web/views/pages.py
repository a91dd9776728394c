"""The pages that anybody may read: welcome, policy, terms, language."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language, get_language
from django.views.decorators.http import require_POST, require_safe

from troth.database import published
from troth.policy import explain
from troth.web import usual


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Welcome somebody, or send them to their own page."""
    if request.user.is_authenticated:
        return redirect("me")
    context = {
        "sections": explain.sections(published.current().policy, get_language() or "en"),
        "usual": usual.first(request),
        "off": reverse("browser"),
    }
    return render(request, "home.html", context)


@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    """Show the terms of service."""
    paragraphs = [part.strip() for part in published.current().terms.split("\n\n") if part.strip()]
    return render(request, "terms.html", {"paragraphs": paragraphs})


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Speak another language from now on."""
    wanted = request.POST.get("language", "")
    back = request.POST.get("next", "/")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith("/")
    response = HttpResponseRedirect(back if safe else "/")
    if wanted in dict(settings.LANGUAGES) and check_for_language(wanted):
        response.set_cookie(
            "__Host-language", wanted, max_age=365 * 86400, path="/", secure=True, httponly=True, samesite="Lax"
        )
    return response
