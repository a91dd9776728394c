"""What organizations hold of their members: filled in by whoever administers, seen and questioned by the person."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from troth.people import correcting, holding, organizations, profiles
from troth.people.errors import PeopleRefusal
from troth.people.fields import ORGANIZATION, Field
from troth.people.holding import Correction, Held
from troth.web.permitting import shown_to_chosen
from troth.web.showing import field_row, row, rows
from troth.web.telling import AskCorrection, Correct, refused
from troth.web.views.organizations import looking, of

BOTH = require_http_methods(["GET", "HEAD", "POST"])


# What whoever administers does


@require_safe
def member(request: Any, organization: uuid.UUID, subject: uuid.UUID) -> HttpResponse:  # noqa: ANN401 - with a viewer
    """Show a member exactly as the policy shows them, and lead to what the organization holds."""
    context = of(request, organization)
    role = looking(context)
    seen = holding.seen(request.viewer, organization, subject, role=role)
    if seen.member is None:
        raise Http404
    asking = "see" in context["may"] and subject != request.user.subject and bool(shown_to_chosen())
    context |= {"member": seen.member, "asking": asking, **rows(seen)}
    return render(request, "organizations/member.html", context)


@BOTH
def hold(request: Any, organization: uuid.UUID, subject: uuid.UUID, field: str) -> HttpResponse:  # noqa: ANN401
    """Fill in, correct or empty one field of a member."""
    context = of(request, organization, "members")
    if field not in {each.name for each in profiles.fields(ORGANIZATION)}:  # nothing to write is no look
        raise Http404
    seen = holding.seen(request.viewer, organization, subject)
    held = next((each for each in seen.held if each.field.name == field and each.writable), None)
    if held is None:
        raise Http404
    emptied = request.POST.get("action") == "empty"
    form = Correct(held.field, request.POST if request.method == "POST" and not emptied else None, value=held.value)
    if emptied or (request.method == "POST" and form.is_valid()):
        value = None if emptied else form.value
        try:
            correcting.hold(
                token=request.viewer, organization=organization, subject=subject, field=held.field, value=value
            )
        except PeopleRefusal as refusal:
            messages.error(request, refused(refusal))
        else:
            messages.success(request, _("Emptied.") if emptied else _("Saved."))
        return redirect("organization_member", organization, subject)
    context |= {"member": seen.member, "field": row(held), "form": form}
    return render(request, "organizations/hold.html", context, status=422 if form.errors else 200)


@BOTH
def corrections(request: Any, organization: uuid.UUID) -> HttpResponse:  # noqa: ANN401 - the same
    """Show what members ask to be corrected, and answer them."""
    context = of(request, organization, "members")
    if request.method == "POST":
        return _answered(request, organization)
    found = holding.corrections(request.viewer, organization)
    known = {field.name: field for field in profiles.fields(ORGANIZATION)}
    asked = [_asked(each, known[each.field]) | {"who": who} for each, who in found if each.field in known]
    context |= {
        "open": [each for each in asked if each["state"] == "asked"],
        "answered": [each for each in asked if each["state"] != "asked"],
    }
    return render(request, "organizations/corrections.html", context)


def _answered(request: Any, organization: uuid.UUID) -> HttpResponse:  # noqa: ANN401 - the same
    accepted = request.POST.get("action") == "correct"
    try:
        subject, correction = uuid.UUID(request.POST.get("subject", "")), uuid.UUID(request.POST.get("correction", ""))
    except ValueError:
        raise Http404 from None
    try:
        correcting.answer(
            token=request.viewer,
            organization=organization,
            subject=subject,
            correction=correction,
            accepted=accepted,
            words=request.POST.get("words", ""),
        )
    except PeopleRefusal as refusal:
        messages.error(request, refused(refusal))
    else:
        messages.success(
            request, _("Corrected. They are told by mail.") if accepted else _("Declined. They are told by mail.")
        )
    return redirect("organization_corrections", organization)


# What the person does


@BOTH
def ask(request: Any, organization: uuid.UUID, field: str) -> HttpResponse:  # noqa: ANN401 - the same
    """Ask an organization to correct what it holds, or to empty it."""
    context = of(request, organization)
    found = holding.of_me(request.viewer).get(organization, [])
    held = next((each for each in found if each.field.name == field), None)
    if held is None or not held.writable or not holding.correctable():
        raise Http404
    form = AskCorrection(held.field, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            correcting.ask(
                token=request.viewer, organization=organization, field=held.field, value=form.value, reason=reason
            )
        except PeopleRefusal as refusal:
            form.add_error(None, refused(refusal))
        else:
            messages.success(request, _("You asked. They are told by mail, and you are told of the answer."))
            return redirect("profile")
    context |= {"form": form, "field": row(held)}
    return render(request, "me/ask-correction.html", context, status=422 if form.errors else 200)


@require_POST
def withdraw(request: Any, correction: uuid.UUID) -> HttpResponse:  # noqa: ANN401 - the same
    """Ask no longer."""
    try:
        correcting.withdraw(token=request.viewer, correction=correction)
    except PeopleRefusal as refusal:
        messages.error(request, refused(refusal))
    else:
        messages.success(request, _("You ask no longer."))
    return redirect("profile")


# What pages show


def mine(request: HttpRequest) -> list[dict[str, Any]]:
    """Return what each organization holds of the viewer, with what they asked of it."""
    token = request.viewer  # type: ignore[attr-defined]
    found = holding.of_me(token)
    asked = holding.corrections_of_me(token) if found else []
    return [
        {"organization": each, "fields": [_held(each.organization, held, asked) for held in found[each.organization]]}
        for each, _mine in (organizations.mine(token) if found else [])
        if each.organization in found
    ]


def _held(organization: uuid.UUID, held: Held, asked: list[Correction]) -> dict[str, Any]:
    about = [each for each in asked if (each.organization, each.field) == (organization, held.field.name)]
    asks = [_asked(each, held.field) for each in about]
    open_ = any(each["state"] == "asked" for each in asks)
    may = held.writable and holding.correctable() and not open_
    return row(held) | {"asks": asks[:5], "may_ask": may, "id": f"{organization}-{held.field.name}"}


def _asked(correction: Correction, field: Field) -> dict[str, Any]:
    return {
        "correction": correction.correction,
        "subject": correction.subject,
        "state": correction.state,
        "reason": correction.reason,
        "answer": correction.answer,
        "answered_at": correction.answered_at,
        "at": correction.at,
        "wanted": field_row(field, correction.wanted) | {"seen": True},
    }
