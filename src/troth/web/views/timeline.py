"""`/me/timeline`: what was collected of the person who looks, item by item, why, until when; and how to delete it."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from troth.consent import applications
from troth.database import published
from troth.intake import timeline
from troth.intake.reasons import Clause
from troth.intake.timeline import PAGE, Item
from troth.web.permitting import sentence
from troth.web.telling import language


@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """Show the newest items, or those behind one, of everything or of one kind."""
    token = request.viewer  # type: ignore[attr-defined]
    known, before = timeline.tables(), request.GET.get("before", "")
    of = [name for name in known if name == request.GET.get("of")] or known
    try:
        found = timeline.items(token, of=of, before=before, limit=PAGE + 1)
    except ValueError as error:
        raise Http404 from error
    kind = of[0] if len(of) == 1 and len(known) > 1 else ""
    context = {
        "items": [told(item, _named(token)) for item in found[:PAGE]],
        "more": found[PAGE - 1].place if len(found) > PAGE else "",
        "later": bool(before),
        "kinds": known,
        "kind": kind,
    }
    return render(request, "me/timeline.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, table: str, place: str) -> HttpResponse:
    """Delete one item, after saying what goes and what stays."""
    token = request.viewer  # type: ignore[attr-defined]
    try:
        item = timeline.one(token, table, place)
    except ValueError as error:
        raise Http404 from error
    if item is None or not item.deleted_by:
        raise Http404
    if request.method == "POST":
        if timeline.remove(token, item):
            messages.success(request, _("Deleted. Nobody here sees it any more."))
        return redirect("timeline")
    return render(request, "me/timeline-delete.html", {"told": told(item, _named(token))})


def _named(token: str) -> dict[str, str]:
    return {grant.application: grant.name for grant in applications.grants(token)}


def told(item: Item, named: dict[str, str]) -> dict[str, Any]:
    """Return an item with the sentences of its clauses and their uses in words; `named` names applications."""
    return {
        "item": item,
        "place": item.place,
        "by": named.get(item.application, item.application),
        "clauses": [_said(clause) for clause in item.clauses],
    }


def _said(clause: Clause) -> dict[str, Any]:
    purposes = {purpose.name: purpose for purpose in published.current().policy.purposes}
    uses = [{"use": use, "said": purposes[use.purpose].said(language())} for use in clause.uses]
    return {"name": clause.name, "sentence": sentence(clause.name), "uses": uses}
