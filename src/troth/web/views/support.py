"""Support access, both sides: support asks and looks; the person allows, sees every look, and ends it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from troth.consent import support
from troth.consent.errors import NothingToSee, NotSignedIn, TooManyQuestions
from troth.consent.support import LONGEST, Access, offered
from troth.database import published
from troth.policy.meaning import Audience
from troth.web.mailing import spoken
from troth.web.staff import unconfirmed
from troth.web.words import AREAS

#: For how many hours people let support look.
HOURS = (1, 2, 4, 8, 24, 72)


class Ask(forms.Form):
    """Whom to ask, why, and for what."""

    email = forms.EmailField(label=gettext_lazy("E-mail address that the person gave you"), max_length=254)
    ticket = forms.CharField(label=gettext_lazy("Ticket number"), max_length=60)
    reason = forms.CharField(label=gettext_lazy("Reason, as the person reads it"), max_length=500)
    hours = forms.IntegerField(label=gettext_lazy("Hours"), min_value=1, max_value=LONGEST, initial=4)
    areas = forms.MultipleChoiceField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        """Offer what the policy shows."""
        super().__init__(*args, **kwargs)
        self.fields["areas"].choices = [(area, area) for area in offered()]  # type: ignore[attr-defined]


# Support's side


@require_http_methods(["GET", "HEAD", "POST"])
def asked(request: HttpRequest) -> HttpResponse:
    """List what was asked, and ask. The answer is the same whether an address is anybody's."""
    viewer = request.viewer  # type: ignore[attr-defined]
    form = Ask(request.POST or None)
    if request.method == "POST" and form.is_valid():
        told = form.cleaned_data
        about = {"reason": told["reason"], "ticket": told["ticket"], "hours": told["hours"]}
        about |= {"areas": [AREAS.get(area, area) for area in told["areas"]]}
        mail = spoken("support/asked", about | {"link": settings.BASE_URL + reverse("my_support")})
        try:
            support.ask(
                viewer=viewer, mail=mail, **{key: told[key] for key in ("email", "reason", "ticket", "areas", "hours")}
            )
        except TooManyQuestions:
            form.add_error(None, _("You have asked thirty times today. Wait until tomorrow."))
        else:
            words = _("If somebody here has this address, they are asked now. You see here what they answer.")
            messages.success(request, words)
            return redirect("support")
    context = {"form": form, "asked": support.asked(viewer), "areas": list(offered()), **_clause()}
    return render(request, "operator/support.html", context, status=422 if form.errors else 200)


@require_safe
def access(request: HttpRequest, access: UUID) -> HttpResponse:
    """Show one question and, while it is allowed, what may be looked at."""
    way = unconfirmed(request)
    if way is not None:
        return way
    return render(request, "operator/access.html", {"access": _found(request, access), **_clause()})


@require_POST
def look(request: HttpRequest, access: UUID) -> HttpResponse:
    """Look at one area. Only a form does so: no link, no prefetch and no reload looks at anybody unasked."""
    way = unconfirmed(request)
    if way is not None:
        return way
    area = request.POST.get("area", "")
    found = _found(request, access)
    try:
        shown = support.look(viewer=request.viewer, access=access, area=area)  # type: ignore[attr-defined]
    except NothingToSee:
        messages.error(request, _("This is not open any more."))
        return redirect("support_access", access)
    context = {"access": found, "area": area, "shown": shown, **_clause()}
    return render(request, "operator/access.html", context)


@require_POST
def done(request: HttpRequest, access: UUID) -> HttpResponse:
    """Be done before the time."""
    try:
        support.leave(viewer=request.viewer, access=access)  # type: ignore[attr-defined]
    except NothingToSee:
        messages.error(request, _("This is not open any more."))
    else:
        messages.success(request, _("Closed. You see nothing of it any more."))
    return redirect("support")


def _found(request: HttpRequest, access: UUID) -> Access:
    for each in support.asked(request.viewer):  # type: ignore[attr-defined]
        if each.access == access:
            return each
    raise Http404


# The person's side


@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """Show what is asked, what is open, and every look that there ever was."""
    viewer = request.viewer  # type: ignore[attr-defined]
    looks = support.looks(viewer)
    found = [
        {"access": each, "looks": [one for one in looks if one.access == each.access], "hours": _hours(each)}
        for each in support.of_me(viewer)
    ]
    return render(request, "me/support.html", {"found": found, **_clause()})


def _hours(access: Access) -> list[int]:
    """Return the hours that one may choose from: up to what was asked, or less than is left of what is open."""
    if access.state == "open" and access.until:
        return [hours for hours in HOURS if timezone.now() + timedelta(hours=hours) < access.until]
    return sorted({hours for hours in HOURS if hours < access.asked_hours} | {access.asked_hours})


def _chosen(request: HttpRequest) -> int | None:
    hours = request.POST.get("hours", "")
    return int(hours) if hours.isascii() and hours.isdigit() and len(hours) < 4 else None  # noqa: PLR2004 - a number


@require_POST
def answer(request: HttpRequest, access: UUID) -> HttpResponse:
    """Allow some of it, or nothing."""
    viewer = request.viewer  # type: ignore[attr-defined]
    hours = _chosen(request)
    areas = request.POST.getlist("areas")
    try:
        if request.POST.get("answer") == "decline":
            support.decline(viewer=viewer, access=access)
            messages.success(request, _("Declined. Nothing is open."))
        elif not areas or hours is None:
            messages.error(request, _("Choose at least one part, or decline."))
        else:
            support.allow(viewer=viewer, access=access, areas=areas, hours=hours)
            messages.success(request, _("Allowed. You see here every look, and can end it at any moment."))
    except (NothingToSee, NotSignedIn):
        messages.error(request, _("This is not asked any more."))
    return redirect("my_support")


@require_POST
def narrow(request: HttpRequest, access: UUID) -> HttpResponse:
    """Leave less of what is open, or for less long."""
    viewer = request.viewer  # type: ignore[attr-defined]
    areas = request.POST.getlist("areas")
    try:
        support.narrow(viewer=viewer, access=access, areas=areas, hours=_chosen(request))
    except (NothingToSee, NotSignedIn):
        words = _("Nothing was changed: it is over, or nothing would be left, or it would be more than before.")
        messages.error(request, words)
    else:
        messages.success(request, _("Narrowed. Nothing else of it is seen from this moment on."))
    return redirect("my_support")


@require_POST
def end(request: HttpRequest, access: UUID) -> HttpResponse:
    """End what is open, at once."""
    try:
        support.end(viewer=request.viewer, access=access)  # type: ignore[attr-defined]
    except (NothingToSee, NotSignedIn):
        messages.error(request, _("This is not open any more."))
    else:
        messages.success(request, _("Ended. Nobody sees anything of it from this moment on."))
    return redirect("my_support")


def _clause() -> dict[str, str]:
    """Return the clause that lets the operator's staff see anything with the person's permission."""
    sights = published.current().policy.sights
    return {"clause": next((each.clause.name for each in sights if each.audience is Audience.STAFF), "")}
