"""What directories of organizations hold about a person and offer them; an organization's own tokens and domains."""

import uuid
from datetime import date
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from troth.people import directories, domains, holding
from troth.people.cleaning import Value
from troth.people.errors import PeopleRefusal
from troth.people.fields import ORGANIZATION
from troth.people.profiles import fields
from troth.policy.declaring import Type
from troth.web.showing import field_row
from troth.web.views.organizations import of

LONGEST_NAME = 100


@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """Show what waits for the viewer, what directories hold about them, and what was done."""
    viewer = request.viewer  # type: ignore[attr-defined]
    kept = holding.of_me(viewer)
    held = [
        {"entry": each, "fields": each.organization in kept, "acts": directories.acts(viewer, each.organization)}
        | directories.named(viewer, each.organization)
        for each in directories.held(viewer)
    ]
    offers = [{"entry": each, "fields": _waiting(each)} for each in directories.offers(viewer)]
    return render(request, "me/directories.html", {"offers": offers, "held": held})


def _waiting(offer: directories.Offer) -> list[dict[str, Any]]:
    """Return the fields that a directory supplied, which are the organization's to hold once the viewer has joined."""
    known = fields(ORGANIZATION) if offer.fields else []
    return [
        field_row(each, _day(offer.fields[each.name]) if each.type is Type.DATE else offer.fields[each.name])
        for each in known
        if each.name in offer.fields
    ]


def _day(told: Value) -> Value:
    return date.fromisoformat(told) if isinstance(told, str) else told


@require_POST
def answer_offer(request: HttpRequest, entry: uuid.UUID) -> HttpResponse:
    """Join the organization, or want no mail about it."""
    viewer = request.viewer  # type: ignore[attr-defined]
    try:
        if request.POST.get("answer") == "join":
            directories.join(token=viewer, entry=entry)
            messages.success(request, _("You are in. You can leave at any time; your account is yours."))
        else:
            directories.decline(token=viewer, entry=entry)
            messages.success(request, _("Nobody writes to you about it any more."))
    except PeopleRefusal as refusal:
        messages.error(request, refusal.sentence)
    return redirect("my_directories")


@require_http_methods(["GET", "HEAD", "POST"])
def directory(request: HttpRequest, organization: uuid.UUID) -> HttpResponse:
    """Show and change who speaks for an organization's directory, and which domains it holds."""
    viewer = request.viewer  # type: ignore[attr-defined]
    context = of(request, organization, "members")
    made = _change(request, viewer, organization) if request.method == "POST" else ""
    if request.method == "POST" and not made:
        return redirect("directory", organization)
    context |= {
        "tokens": directories.tokens(viewer, organization),
        "domains": domains.held_by(viewer, organization),
        "made": made,
        "lasting": directories.LASTING,
        "address": f"{settings.BASE_URL}/scim/v2",
    }
    return render(request, "organizations/directory.html", context)


def _change(request: HttpRequest, viewer: str, organization: uuid.UUID) -> str:
    """Do what the form says, and return a token that was made."""
    told = request.POST
    whose: dict[str, Any] = {"token": viewer, "organization": organization}
    try:
        match told.get("what"):
            case "open":
                name = " ".join(told.get("name", "").split())[:LONGEST_NAME] or _("Directory")
                days = (
                    int(told["days"])
                    if told.get("days", "") in map(str, directories.LASTING)
                    else directories.LASTING[0]
                )
                return directories.open_directory(**whose, name=name, days=days)
            case "end":
                directories.end_directory(token=viewer, which=_identifier(told.get("token", "")))
                messages.success(request, _("Ended. It opens nothing from this moment on."))
            case "claim":
                domains.claim(**whose, domain=told.get("domain", ""))
                messages.success(request, _("Now put the record into its DNS; we look for it every few minutes."))
            case "look":
                domains.look_again(**whose, domain=told.get("domain", ""))
            case "drop":
                domains.drop(**whose, domain=told.get("domain", ""))
                messages.success(request, _("The domain is not this organization's any more."))
    except PeopleRefusal as refusal:
        messages.error(request, "; ".join(part for part in (refusal.sentence, refusal.advice) if part))
    return ""


def _identifier(told: str) -> uuid.UUID:
    try:
        return uuid.UUID(told)
    except ValueError:
        return uuid.UUID(int=0)
