"""`/me/looks`: who looked at the person's data, when, at what, and in whose name."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from troth.consent import permissions, support
from troth.database import published
from troth.people import looking
from troth.people.looking import LATER, PAGE
from troth.policy.meaning import Audience
from troth.web.permitting import said, sentence
from troth.web.words import say

#: Looks of one person at the same thing, each so soon after the last, are told as one with their number.
TOGETHER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Look:
    """A look as its person sees it: who, in whose name, at what; `times` of them, the first at `since`."""

    who: str
    whose: str
    what: str
    at: datetime
    times: int = 1
    since: datetime | None = None


@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """Show the looks in time, the newest first, and when those whom the person chose last looked."""
    token = request.viewer  # type: ignore[attr-defined]
    before = _moment(request.GET.get("before", ""))
    found = sorted((*_of_organizations(token, before), *_of_support(token, before)), key=lambda e: e.at, reverse=True)
    shown = found[:PAGE]
    context = {
        "looks": together(shown),
        "more": shown[-1].at if len(found) > PAGE else None,
        "later": before is not None,
        "chosen": [] if before else _of_chosen(token),
        "sentences": _sentences(),
    }
    return render(request, "me/looks.html", context)


def together(looks: Iterable[Look]) -> list[Look]:
    """Return looks, the newest first; those of one person at the same thing, shortly after one another, as one."""
    told: list[Look] = []
    for each in looks:
        last = told[-1] if told else None
        alike = last and (last.who, last.whose, last.what) == (each.who, each.whose, each.what)
        if last and alike and (last.since or last.at) - each.at <= TOGETHER:
            told[-1] = replace(last, times=last.times + 1, since=each.at)
        else:
            told.append(each)
    return told


def _of_organizations(token: str, before: datetime | None) -> list[Look]:
    return [
        Look(
            each.who or _("Somebody whose name is not shown"),
            each.organization_name or _("an organization that is no more"),
            str(say(each.kind, "look")),
            each.at,
        )
        for each in looking.at_me(token, before=before, limit=PAGE + 1)
    ]


def _of_support(token: str, before: datetime | None) -> list[Look]:
    known = {each.access: each.name for each in support.of_me(token)}
    return [
        Look(
            known.get(each.access) or _("Support"),
            published.current().policy.operator,
            str(say(each.area, "area")),
            each.at,
        )
        for each in support.looks(token)
        if each.at < (before or LATER)
    ]


def _of_chosen(token: str) -> list[Look]:
    """Return when each person whom the viewer lets see something last looked."""
    given = (each for each in permissions.grants(token) if each.mine and each.used_at)
    return [
        Look(
            each.other or each.address or _("Somebody with your link"),
            "",
            " · ".join(one["words"] for one in said(each.categories)),
            each.used_at,
        )
        for each in sorted(given, key=lambda each: each.used_at or LATER, reverse=True)
        if each.used_at
    ][:PAGE]


def _sentences() -> list[tuple[str, str]]:
    """Return the policy's own clauses on who may look, and their sentences."""
    audiences = (Audience.ADMINISTRATORS, Audience.STAFF, Audience.CHOSEN)
    sights = [each for one in audiences for each in published.current().policy.sights if each.audience is one]
    return [(each.clause.name, sentence(each.clause.name)) for each in sights]


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found and is_aware(found) else None
