"""`/me/sent`: what applications told of the person who looks, and what about them was refused, by which clause."""

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from troth.consent import applications
from troth.database import published
from troth.intake import queries

#: Why something is refused to which somebody, or their browser, says no.
DECLINED = ("person-declined", "browser-objects")


@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    """Show it, the newest first."""
    token = request.viewer  # type: ignore[attr-defined]
    named = {grant.application: grant.name for grant in applications.grants(token)}
    told: dict[str, Callable[[str], Sequence[Any]]] = {
        "crashes": queries.crashes,
        "activities": queries.activities,
        "uses": queries.feature_uses,
        "views": queries.page_views,
        "transactions": queries.transactions,
        "positions": queries.locations,
    }
    context: dict[str, Any] = {
        "clauses": queries.clauses(),
        "refusals": _refusals(token),
        "most": queries.PAGE,
    }
    for name, asked in told.items():
        context[name] = [{"each": each, "by": named.get(each.application, each.application)} for each in asked(token)]
    return render(request, "me/sent.html", context)


def _refusals(token: str) -> list[dict[str, Any]]:
    """Return what was refused, and to which purposes somebody or their browser said no so that it was."""
    signalled, using = published.current().plan.signalled, queries.users()
    found = []
    for each in queries.refusals(token):
        purposes = using.get(each.kind, ()) if each.reason in DECLINED else ()
        if each.reason == "browser-objects":
            purposes = tuple(purpose for purpose in purposes if purpose in signalled)
        found.append({"each": each, "purposes": purposes})
    return found
