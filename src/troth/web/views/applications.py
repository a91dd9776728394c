"""The applications that a person signs in to, and what each of them may see."""

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from troth.consent import applications
from troth.consent.applications import Grant
from troth.consent.errors import ConsentRefusal
from troth.web.provider.views import listed


@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """List them: since when, last used, what each may see now, and what was answered before."""
    found = applications.grants(request.viewer)  # type: ignore[attr-defined]
    subject = request.user.subject  # type: ignore[union-attr]
    live = [_shown(grant, subject) for grant in found if grant.until is None]
    return render(request, "me/applications.html", {"live": live, "ended": [_ended(g) for g in found if g.until]})


def _shown(grant: Grant, subject: Any) -> dict[str, Any]:  # noqa: ANN401 - whose it is
    """Return an answer as the page shows it, with the values that the application would get at this moment."""
    scopes = ["profile", "email", "phone", "organization"]
    told = applications.told(subject, grant.application, scopes)
    claims = [each | {"value": told.get(each["name"])} for each in listed(grant.permitted)]
    withheld = sorted(set(grant.offered) - set(grant.claims))
    return {"grant": grant, "claims": claims, "withheld": [c["category"] for c in listed(_claims(withheld))]}


def _ended(grant: Grant) -> dict[str, Any]:
    return {"grant": grant, "claims": [each["category"] for each, _same in groupby(listed(grant.permitted))]}


def _claims(written: list[str]) -> Any:  # noqa: ANN401 - a tuple of claims
    from troth.people.manifests import parsed  # noqa: PLC0415 - beside its one use

    return tuple(map(parsed, written))


@require_POST
def end(request: HttpRequest, application: str) -> HttpResponse:
    """End what one may see; its tokens open nothing from now on."""
    try:
        applications.end(token=request.viewer, application=application)  # type: ignore[attr-defined]
    except ConsentRefusal as refusal:
        messages.error(request, f"{refusal.sentence}; {refusal.advice}")
    else:
        messages.success(request, _("Ended. The application sees nothing of you from this moment on."))
    return redirect("my_applications")
