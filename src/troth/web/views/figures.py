"""`/operator/activity`: how the service is used and how the intake does, in counts; never a person."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from troth.database import published
from troth.intake import rollups
from troth.intake.rollups import KEPT, Span
from troth.people import authorizing
from troth.web import figures, outlines
from troth.web.assets import address
from troth.web.charts import by_day, by_step
from troth.web.figures import SERVICE, TRAFFIC, VIEWS, Listing
from troth.web.telling import language

SHOWN = (*TRAFFIC, *VIEWS)
LISTS = (
    Listing("pages", "page", TRAFFIC, [("access", "url")]),
    Listing("views", "page", VIEWS, [("page_view", "url")], apart=True),
    Listing("answers", "status", TRAFFIC, [("access", "status")]),
    Listing("browsers", "browser", SHOWN, [("access", "browser"), ("page_view", "browser")]),
    Listing("systems", "system", SHOWN, [("access", "system"), ("page_view", "system")]),
    Listing("devices", "device", SHOWN, [("access", "kind"), ("page_view", "kind")]),
    Listing("features", "feature", ("feature_use",), [("feature_use", "feature")], apart=True),
    Listing("releases", "release", ("crash",), [("crash", "release")], apart=True),
)
PLACES = Listing("places", "place", TRAFFIC, [("access", "place")])


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for: how many days, the last of them, and whose counts.

    `on` is None for now; `of` an application, `figures.SERVICE`, or empty for all.
    """

    days: int
    on: date | None
    of: str

    @property
    def span(self) -> Span:
        """The time that is asked for."""
        return rollups.until(self.on, self.days) if self.on else rollups.last(self.days)

    def link(self, **other: date | int | str) -> str:
        """Return the address that asks for the same, or for something else."""
        told: dict[str, date | int | str] = {"days": self.days, "on": self.on or "", "of": self.of} | other
        return f"?{urlencode({name: value for name, value in told.items() if value})}"


@require_safe
def activity(request: HttpRequest) -> HttpResponse:
    """Show the figures of a day by hour, or of more days; of now, or of days that are past."""
    names = {each.application: each.name for each in authorizing.applications()}
    asked = _asked(request.GET, names)
    span, service = asked.span, asked.of in ("", SERVICE)
    places = figures.listed(PLACES, span) if service else None
    kinds = {"": SHOWN, SERVICE: TRAFFIC}.get(asked.of, VIEWS)
    context = {
        "asked": asked,
        "names": names,
        "traffic": by_step(figures.of(rollups.by_step(kinds, span), asked.of), span),
        "counted_for": figures.purposes(*(("page_view" if kind in VIEWS else "access", "at") for kind in kinds)),
        "lists": [figures.listed(each, span, asked.of, names) for each in LISTS if each.concerns(asked.of)],
        "sent": None if asked.of == SERVICE else figures.sent(span, asked.of),
        "places": places,
        "map": places and outlines.drawn(places.rows, language()),
        "crashes": None if asked.of == SERVICE else _crashes(asked.of, names),
        "refusals": dict(zip(("clause", "none"), figures.refusals(), strict=True)),
        "health": figures.health(),
        "clauses": {each.name: each.clause.name for each in published.current().policy.purposes},
        "live": "" if asked.on else address("live.js"),
    }
    return render(request, "operator/activity.html", context | _ways(asked))


def _asked(query: QueryDict, names: dict[str, str]) -> Asked:
    days = next((span for span in figures.SPANS if str(span) == query.get("days", "")), figures.SPANS[0])
    whose = query.get("of", "")
    return Asked(days, _day(query.get("on", "")), whose if whose == SERVICE or whose in names else "")


def _day(told: str) -> date | None:
    """Return a day for which counts are kept; none for now, and for what is no such day."""
    try:
        day = date.fromisoformat(told)
    except ValueError:
        return None
    today = timezone.now().date()
    return day if today - timedelta(days=KEPT) <= day <= today else None


def _ways(asked: Asked) -> dict[str, Any]:
    """Return the addresses of other spans, and of those before and behind."""
    today, span = timezone.now().date(), asked.span
    first, last = span.since.date(), (span.till - timedelta(seconds=1)).date()
    before, behind = first - timedelta(days=1), last + timedelta(days=asked.days)
    if asked.on is None and asked.days == 1:
        before = today - timedelta(days=1)
    oldest = today - timedelta(days=KEPT)
    return {
        "spans": [(days, asked.link(days=days)) for days in figures.SPANS],
        "earlier": asked.link(on=before) if before >= oldest else "",
        "later": asked.on and asked.on < today and asked.link(on=behind if behind < today else ""),
        "newest": asked.on and asked.link(on=""),
        "first": first,
        "last": last,
        "oldest": oldest,
        "today": today,
        "of_day": asked.link(days=1, on="") + "&on=",
    }


def _crashes(whose: str, names: dict[str, str]) -> dict[str, Any]:
    groups, days, purpose = figures.crashes()
    return {
        "purposes": [purpose] if purpose else [],
        "groups": [
            {
                "group": each,
                "by": names.get(each.application, each.application),
                "chart": by_day(days.get(each.fingerprint, [])),
            }
            for each in groups
            if whose in ("", each.application)
        ],
    }
