"""Letting another person see something: offering it, answering an offer, looking at it, narrowing and ending it."""

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from troth.consent import permissions
from troth.consent.errors import ConsentRefusal
from troth.consent.permissions import PersonGrant, Record
from troth.database import published
from troth.people import queries as people
from troth.policy.planned import Grantable
from troth.policy.voice import voice
from troth.web.permitting import Change, Give, GiveRecords, end_of, last_day, said, sentences, shown_to_chosen, value
from troth.web.templatetags.said import day
from troth.web.words import say

#: Rows of a category that the page of a grant shows.
SHOWN = 50


def _token(request: HttpRequest) -> str:
    return request.viewer  # type: ignore[attr-defined, no-any-return]


@require_http_methods(["GET", "HEAD", "POST"])
def give(request: HttpRequest) -> HttpResponse:
    """Offer to let somebody see something; the link is shown once, or leaves by mail."""
    if not shown_to_chosen():
        raise Http404
    form = Give(request.POST if request.method == "POST" else None)
    kinds = [kind for kind in kinds_of_records() if permissions.own_records(_token(request), kind["table"], most=1)]
    context = {"form": form, "sentences": sentences(shown_to_chosen()), "kinds": kinds}
    return _offering(request, form) or render(request, "me/give.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def give_records(request: HttpRequest, table: str) -> HttpResponse:
    """Offer to let somebody see single records of one's own, chosen in their list."""
    kind = next((each for each in kinds_of_records() if each["table"] == table), None)
    if kind is None:
        raise Http404
    page = _page(request.GET.get("page", ""))
    behind = (page - 1) * permissions.MOST
    found = permissions.own_records(_token(request), table, most=permissions.MOST + 1, behind=behind)
    known, more = found[: permissions.MOST], len(found) > permissions.MOST
    if request.method == "POST":  # what was listed may have moved down since
        listed = {each.record for each in known}
        only = [each for each in request.POST.getlist("records") if each not in listed]
        known += permissions.own_records(_token(request), table, only=only[: permissions.MOST]) if only else []
    form = GiveRecords(request.POST if request.method == "POST" else None, table=table, records=known)
    context = {"form": form, "sentences": sentences(kind["categories"]), "kind": kind, "known": known}
    context |= {"page": page, "more": page + 1 if more else 0, "first": behind + 1, "last": behind + len(known)}
    answer = _offering(request, form) if known else None
    return answer or render(request, "me/give.html", context, status=422 if form.errors else 200)


def _page(text: str) -> int:
    """Return which page is asked for; what is no number is the first."""
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 5 else 1  # noqa: PLR2004 - no longer


def kinds_of_records() -> list[dict[str, Any]]:
    """Return of which tables people may show single records, with what these say in the policy's words."""
    speaking = voice(published.current().policy, get_language() or "en")
    found = []
    for table, shown in permissions.apart().items():
        categories = list(dict.fromkeys(each.category for each in shown))
        words = speaking.listed([speaking.category(each) for each in categories])
        found.append({"table": table, "name": say(table, "table"), "categories": categories, "words": words})
    return found


def _offering(request: HttpRequest, form: Give) -> HttpResponse | None:
    """Offer what a form says and show the link; None while there is nothing to be offered."""
    if request.method != "POST" or not form.is_valid():
        return None
    link, told = permissions.new_link(), form.cleaned_data
    until = end_of(told["until"])
    where = f"{settings.BASE_URL}{reverse('offer')}?token={link}"  # a field whose value no access keeps
    mail = _mail(request, told["reason"], where, until) if told["address"] else None
    try:
        permissions.offer(
            token=_token(request), categories=told["categories"], reason=told["reason"], since=timezone.now(),
            until=until, link=link, address=told["address"], mail=mail, records=told.get("records"),
        )  # fmt: skip
    except ConsentRefusal as refusal:
        form.add_error(None, f"{refusal.sentence}; {refusal.advice}")
        return None
    return render(request, "me/given.html", {"link": where, "address": told["address"], "until": until})


def _mail(request: HttpRequest, reason: str, link: str, until: Any) -> dict[str, str]:  # noqa: ANN401 - a moment
    profile = people.profile(_token(request))
    told = {"name": profile.name if profile and profile.name else _("Somebody"), "reason": reason, "link": link}
    told |= {"until": day(last_day(until))}
    text = _(
        "%(name)s offers to let you see something of theirs, until %(until)s.\n\nThey write:\n%(reason)s\n\n"
        "To see what it is, and to accept or decline it, open\n%(link)s\n\n"
        "You need an account with this address. If you do nothing, nothing happens.\n"
    )
    return {"subject": _("%(name)s offers to let you see something") % told, "text": text % told}


@require_http_methods(["GET", "HEAD", "POST"])
def offer(request: HttpRequest) -> HttpResponse:
    """Show what is offered to whom it is for, and take their answer; to anybody else there is nothing here."""
    link = request.GET.get("token", "")
    found = permissions.offered(_token(request), link)
    if found is None:
        return render(request, "me/no-offer.html", status=404)
    if request.POST.get("answer") in ("accept", "decline"):
        accepts = request.POST["answer"] == "accept"
        try:
            permissions.answer(token=_token(request), link=link, accepts=accepts)
        except ConsentRefusal as refusal:
            messages.error(request, f"{refusal.sentence}; {refusal.advice}")
            return redirect("my_permissions")
        if accepts:
            messages.success(request, _("Accepted. This is what you may see."))
            return redirect("lent", given=found.given)
        messages.success(request, _("Declined. Nothing is shown to you."))
        return redirect("my_permissions")
    context = {
        "offer": found,
        "categories": said(found.categories, mine=False),
        "sentences": sentences(found.categories),
    }
    return render(request, "me/offer.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def lent(request: HttpRequest, given: uuid.UUID) -> HttpResponse:
    """Show one permission between two people: its giver steers it, its receiver sees what it shows."""
    grant = next((g for g in permissions.grants(_token(request)) if g.given == given), None)
    if grant is None or (grant.over_at is not None and not grant.live):
        raise Http404
    form = None
    if grant.mine and grant.receiver and not grant.agreed:
        posted = request.POST if request.POST.get("do") == "change" else None
        form = Change(posted, held=grant.categories, until=grant.until, records=_granted(request, grant))
    if request.method == "POST":
        answer = _steer(request, grant, form)
        if answer is not None:
            return answer
    categories = said(grant.categories, mine=grant.mine)
    seen = [] if grant.mine or not grant.live else [_shown(request, grant, each) for each in categories]
    context: dict[str, Any] = {"grant": grant, "form": form, "seen": seen, "categories": categories}
    context["sentences"] = sentences(grant.categories)
    return render(request, "me/lent.html", context, status=422 if form and form.errors else 200)


def _granted(request: HttpRequest, grant: PersonGrant) -> list[Record]:
    """Return the records that a grant of the viewer's names and that are still there."""
    if not grant.records:
        return []
    known = permissions.apart()
    tables = dict.fromkeys(t for t, shown in known.items() if any(e.category in grant.categories for e in shown))
    only = list(grant.records)
    found = (permissions.own_records(_token(request), each, only=only, most=len(only)) for each in tables)
    return list({each.record: each for records in found for each in records}.values())


def _steer(request: HttpRequest, grant: PersonGrant, form: Change | None) -> HttpResponse | None:
    try:
        if request.POST.get("do") == "end":
            permissions.end(token=_token(request), given=grant.given)
            messages.success(request, _("Ended. Nothing of it is shown from this moment on."))
            return redirect("my_permissions")
        if form is not None and form.is_valid():
            until = end_of(form.cleaned_data["until"])
            kept = form.cleaned_data["categories"]
            made = permissions.change(
                token=_token(request),
                given=grant.given,
                kept=kept,
                until=until,
                records=form.cleaned_data.get("records"),
            )
            messages.success(request, _("Changed. It holds from this moment on."))
            return redirect("lent", given=made)
    except ConsentRefusal as refusal:
        messages.error(request, f"{refusal.sentence}; {refusal.advice}")
        return redirect("my_permissions")
    return None


def _column(each: Grantable) -> str:
    """Return the column of a table that says a category: the one that is called so, or else the first."""
    name = each.category.rpartition(".")[2]
    return name if name in each.columns else each.columns[0]


def _shown(request: HttpRequest, grant: PersonGrant, category: dict[str, str]) -> dict[str, Any]:
    """Return the values of a category as its receiver reads them now, the newest first."""
    columns = {_column(each) for each in permissions.grantable() if each.category == category["name"]}
    rows = permissions.seen(_token(request), grant.subject, category["name"]) if columns else []
    rows.sort(key=lambda row: str(row.get("at") or row.get("id") or ""), reverse=True)
    found = [row[column] for row in rows for column in columns.intersection(row) if row[column] is not None]
    values = [value(category["name"], each) for each in found]
    return category | {"values": list(dict.fromkeys(values))[:SHOWN], "many": len(rows)}
