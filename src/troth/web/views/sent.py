"""`/me/sent`: what applications told of the person who looks, and what of that was refused, by which clause."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from troth.consent import applications
from troth.intake import queries


@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    """Show it, the newest first."""
    token = request.viewer  # type: ignore[attr-defined]
    named = {grant.application: grant.name for grant in applications.grants(token)}
    crashes, uses = queries.crashes(token), queries.feature_uses(token)
    context = {
        "clauses": queries.clauses(),
        "refusals": queries.refusals(token),
        "crashes": [{"each": each, "by": named.get(each.application, each.application)} for each in crashes],
        "uses": [{"each": each, "by": named.get(each.application, each.application)} for each in uses],
    }
    return render(request, "me/sent.html", context)
