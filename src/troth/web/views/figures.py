"""`/operator/activity`: how the service is used and how the intake does, in counts; never a person."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from troth.database import published
from troth.intake import rollups
from troth.web import figures, outlines
from troth.web.assets import address
from troth.web.charts import by_day, by_step
from troth.web.telling import language

#: What is listed: the heading's name, the dimension, the kinds of events, the table and its column.
LISTS = (
    ("pages", "page", figures.TRAFFIC, "access", "url"),
    ("answers", "status", figures.TRAFFIC, "access", "status"),
    ("browsers", "browser", figures.TRAFFIC, "access", "browser"),
    ("systems", "system", figures.TRAFFIC, "access", "system"),
    ("devices", "device", figures.TRAFFIC, "access", "kind"),
    ("features", "feature", ("feature_use",), "feature_use", "feature"),
    ("releases", "release", ("crash",), "crash", "release"),
)
PLACES = ("places", "place", figures.TRAFFIC, "access", "place")


@require_safe
def activity(request: HttpRequest) -> HttpResponse:
    """Show the figures of a day by hour, or of more days."""
    asked = request.GET.get("days", "")
    days = next((span for span in figures.SPANS if str(span) == asked), figures.SPANS[0])
    traffic = rollups.by_hour(figures.TRAFFIC, days=1) if days == 1 else rollups.by_day(figures.TRAFFIC, days=days)
    places = figures.listed(*PLACES, days=days)
    context = {
        "days": days,
        "spans": figures.SPANS,
        "traffic": by_step(traffic, days),
        "counted_for": figures.purposes("access", "at"),
        "lists": [figures.listed(*each, days=days) for each in LISTS],
        "places": places,
        "map": outlines.drawn(places.rows, language()),
        "crashes": _crashes(),
        "refusals": figures.refusals(),
        "health": figures.health(),
        "clauses": {each.name: each.clause.name for each in published.current().policy.purposes},
        "live": address("live.js"),
    }
    return render(request, "operator/activity.html", context)


def _crashes() -> dict[str, Any]:
    groups, days, purpose = figures.crashes()
    return {
        "purposes": [purpose] if purpose else [],
        "groups": [{"group": each, "chart": by_day(days.get(each.fingerprint, []))} for each in groups],
    }
