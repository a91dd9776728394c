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
from troth.web.templatetags.said import place
from troth.web.words import FIELDS, say


@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """Show the newest items, or those behind one, of everything or of one kind."""
    token = request.viewer  # type: ignore[attr-defined]
    known, before = timeline.tables(), request.GET.get("before", "")
    kind = request.GET.get("of", "")
    if kind and kind not in known:
        raise Http404
    try:
        found = timeline.items(token, of=[kind] if kind else known, before=before, limit=PAGE + 1)
    except ValueError as error:
        raise Http404 from error
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
    """Return an item with what it says, the sentences of its clauses and their uses in words.

    `named` names applications.
    """
    return {
        "item": item,
        "place": item.place,
        "by": named.get(item.application, item.application),
        "values": [(name, _worded(item.table, name, item.fields[name])) for name in FIELDS if name in item.fields],
        "clauses": [_said(clause) for clause in item.clauses],
    }


def _worded(table: str, name: str, value: object) -> str:
    """Return a value of an item in the reader's words, where it has any."""
    if name == "place":
        return place(str(value))
    family = {"severity": "severity", "source": "source", "kind": "" if table == "crash" else "device"}.get(name)
    return say(value, family) if family else str(value)


def _said(clause: Clause) -> dict[str, Any]:
    purposes = {purpose.name: purpose for purpose in published.current().policy.purposes}
    uses = [{"use": use, "said": purposes[use.purpose].said(language())} for use in clause.uses]
    return {"name": clause.name, "sentence": sentence(clause.name), "uses": uses}
