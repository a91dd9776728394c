"""The application developer's home: applications, keys shown once, how to connect."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from troth.database import requests
from troth.database.errors import DatabaseRefusal
from troth.people import authorizing
from troth.people.authorizing import Application
from troth.people.manifests import parsed
from troth.web.provider.views import listed

LONGEST = 64 * 1024


class ManifestForm(forms.Form):
    """A manifest, as text."""

    manifest = forms.CharField(
        label=gettext_lazy("Manifest"),
        max_length=LONGEST,
        strip=False,
        widget=forms.Textarea({"rows": "14", "spellcheck": "false", "autocomplete": "off", "dir": "ltr"}),
    )


@require_safe
def applications(request: HttpRequest) -> HttpResponse:
    """List them."""
    return render(request, "developer/applications.html", {"applications": authorizing.applications()})


@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    """Ask the keeper to register a manifest, and show the secret this once."""
    form = ManifestForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            answer = requests.ask(
                "application.register", {"manifest": form.cleaned_data["manifest"].replace("\r\n", "\n")}
            )
        except DatabaseRefusal as refusal:
            form.add_error("manifest", refusal.sentence)
        else:
            return _shown(request, _found(answer["application"]), secret=answer["secret"], status=201)
    context = {"form": form, "example": _example()}
    return render(request, "developer/register.html", context, status=422 if form.errors else 200)


@require_safe
def application(request: HttpRequest, application: str) -> HttpResponse:
    """Show one: what it asks for, and how to connect."""
    return _shown(request, _found(application))


@require_POST
def renew(request: HttpRequest, application: str) -> HttpResponse:
    """Ask the keeper for another secret, and show it this once."""
    found = _found(application)
    try:
        answer = requests.ask("application.renew", {"application": application})
    except DatabaseRefusal as refusal:
        messages.error(request, f"{refusal.sentence}; {refusal.advice}")
        return redirect("application", application)
    return _shown(request, found, secret=answer["secret"])


@require_POST
def remove(request: HttpRequest, application: str) -> HttpResponse:
    """Ask the keeper to remove one."""
    found = _found(application)
    if request.POST.get("name") != found.name:
        messages.error(request, _("Nothing was removed: the name you wrote is another."))
        return redirect("application", application)
    requests.ask("application.remove", {"application": application})
    messages.success(request, _("The application is removed, with every token it had."))
    return redirect("applications")


def _found(name: str) -> Application:
    found = authorizing.application(name)
    if found is None:
        raise Http404
    return found


def _shown(request: HttpRequest, found: Application, *, secret: str = "", status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        "application": found,
        "claims": listed(tuple(map(parsed, found.claims))),
        "secret": secret,
        "issuer": settings.BASE_URL,
        "discovery": settings.BASE_URL + reverse("idp:oidc:configuration"),
    }
    return render(request, "developer/application.html", context, status=status)


def _example() -> str:
    return """name = "Harbor Notes"
kind = "confidential"
origins = ["https://notes.example"]
redirect_uris = ["https://notes.example/signed-in"]
after_sign_out = ["https://notes.example/"]
purposes = ["provide"]

[claims]
name = { category = "person.name", purpose = "provide" }
email = { category = "person.email", purpose = "provide" }
"""
