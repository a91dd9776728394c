"""`/me/profile`: the fields that the operator declared, as the person sees, corrects and deletes them."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from troth.people import profiles
from troth.people.errors import FieldRefusal
from troth.people.fields import Field
from troth.people.profiles import Held
from troth.web.showing import field_row
from troth.web.telling import PREFIX, Correct, clause_of, language, words
from troth.web.views import holding


@require_safe
def profile(request: HttpRequest) -> HttpResponse:
    """Show every field with what the database lets its person do."""
    token = request.viewer  # type: ignore[attr-defined]
    context = {"fields": [row(each) for each in profiles.held(token)], "holders": holding.mine(request)}
    return render(request, "me/profile.html", context)


def row(held: Held) -> dict[str, Any]:
    """Return a field as a page shows it."""
    return field_row(held.field, held.value) | {
        "seen": "select" in held.may,
        "may_correct": "update" in held.may,
        "may_delete": "delete" in held.may and held.value is not None,
    }


@require_http_methods(["GET", "HEAD", "POST"])
def correct(request: HttpRequest, field: str) -> HttpResponse:
    """Fill in or correct one field."""
    token = request.viewer  # type: ignore[attr-defined]
    held = _held(token, field, "update")
    form = Correct(held.field, request.POST if request.method == "POST" else None, value=held.value)
    if request.method == "POST" and form.is_valid():
        try:
            profiles.tell(token=token, field=held.field, value=form.value)
        except FieldRefusal as refusal:
            form.add_error(PREFIX + field, words(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("profile")
    told = {"form": form, "field": row(held)}
    return render(request, "me/profile-field.html", told, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, field: str) -> HttpResponse:
    """Delete what one field holds, after saying what goes."""
    token = request.viewer  # type: ignore[attr-defined]
    held = _held(token, field, "delete")
    if request.method == "POST":
        try:
            profiles.empty(token=token, field=held.field)
        except FieldRefusal as refusal:
            messages.error(request, words(refusal))
        else:
            messages.success(request, _("Deleted. Nobody here sees it any more."))
        return redirect("profile")
    return render(request, "me/profile-delete.html", {"field": row(held)})


def _held(token: str, name: str, privilege: str) -> Held:
    """Return a field with which the viewer may do something. Raises Http404 where there is none."""
    for held in profiles.held(token):
        if held.field.name == name and privilege in held.may:
            return held
    raise Http404


def declared_row(field: Field) -> dict[str, Any]:
    """Return a declared field as the operator's page shows it."""
    return {
        "name": field.name,
        "label": field.said(language()),
        "type": str(field.type),
        "category": field.category,
        "clause": clause_of(field),
        "occasion": str(field.occasion),
        "required": field.required,
        "holder": field.holder,
    }
