"""`/me/devices`: where a person is signed in and with which devices; signing out, naming and forgetting them."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from troth.consent import permissions
from troth.database import published
from troth.database.viewing import may_correct
from troth.people import actions, places, queries
from troth.people import devices as people
from troth.people.errors import NameRefusal, PeopleRefusal
from troth.policy.explain import sections
from troth.policy.meaning import Occasion
from troth.web.forms import DeviceName
from troth.web.sessions import IDENTIFIED, IDENTIFIER, NOTED, days_of
from troth.web.views.leaving import forgetting


@require_safe
def devices(request: HttpRequest) -> HttpResponse:
    """Show both."""
    token = request.viewer  # type: ignore[attr-defined]
    context = {
        "sessions": [(each, places.about(each.network, get_language() or "en")) for each in people.sessions(token)],
        "devices": queries.devices(token),
        "sentences": _sentences(),
        "nameable": may_correct("device", "name"),
        "known": bool(people.kept("session")),
        "lendable": "device" in permissions.apart(),
    }
    return render(request, "me/devices.html", context)


def _sentences() -> list[object]:
    """Return the policy's own sentences on sessions and devices, and on what the browser keeps for it."""
    policy = published.current().policy
    clauses = {
        each.clause.name
        for each in policy.collections
        if each.occasion is Occasion.SIGN_IN and any(c.startswith(("device.", "session.")) for c in each.categories)
    }
    clauses |= {each.clause.name for each in policy.stored if each.covers(IDENTIFIER)}
    said = sections(policy, get_language() or "en")
    return [sentence for section in said for sentence in section.sentences if sentence.clause in clauses]


@require_POST
def end(request: HttpRequest, session: uuid.UUID) -> HttpResponse:
    """Sign one session out; this one too, if it is that."""
    try:
        people.end(token=request.viewer, session=session)  # type: ignore[attr-defined]
    except PeopleRefusal as refusal:
        messages.error(request, f"{refusal.sentence}; {refusal.advice}")
    else:
        messages.success(request, _("Signed out: whoever is there is nobody from this moment on."))
    return redirect("devices")


@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    """Sign everything out but this browser."""
    people.end_others(token=request.viewer)  # type: ignore[attr-defined]
    actions.end_sessions(request.user, but=request.session.session_key)  # type: ignore[arg-type]
    messages.success(request, _("Signed out everywhere but here."))
    return redirect("devices")


@require_POST
def identify(request: HttpRequest) -> HttpResponse:
    """Take the identifier that this browser keeps for itself, where the policy ties one to the account on sign-in."""
    noted = request.session.get(NOTED)
    if not (noted and days_of(IDENTIFIER) and people.identifying()):
        raise Http404
    try:
        identifier = uuid.UUID(request.POST.get("identifier", ""))
    except ValueError:
        return HttpResponse(status=400)
    device = people.named(request.user.subject, identifier)  # type: ignore[union-attr]
    people.identify(request.user.subject, uuid.UUID(noted), device)  # type: ignore[union-attr]
    request.device = device  # type: ignore[attr-defined]
    request.session[IDENTIFIED] = True
    return HttpResponse(status=204)


@require_http_methods(["GET", "HEAD", "POST"])
def name(request: HttpRequest, device: uuid.UUID) -> HttpResponse:
    """Name a device."""
    token = request.viewer  # type: ignore[attr-defined]
    known = next((each for each in queries.devices(token) if each.device == device), None)
    if known is None or not may_correct("device", "name"):
        raise Http404
    form = DeviceName(request.POST or None, initial={"name": known.name})
    if request.method == "POST" and form.is_valid():
        try:
            people.call(token=token, device=device, name=form.cleaned_data["name"])
        except NameRefusal as refusal:
            form.add_error("name", f"{refusal.sentence}; {refusal.advice}".capitalize())
        else:
            messages.success(request, _("The device has its name."))
            return redirect("devices")
    return render(request, "me/device-name.html", {"form": form, "device": known}, status=422 if form.errors else 200)


@require_POST
def forget(request: HttpRequest, device: uuid.UUID) -> HttpResponse:
    """Forget a device: whatever is signed in on it is signed out, and its browser's identifier is reset."""
    here = getattr(request, "device", None) == device
    try:
        people.forget(token=request.viewer, device=device)  # type: ignore[attr-defined]
    except PeopleRefusal as refusal:
        messages.error(request, f"{refusal.sentence}; {refusal.advice}")
        return redirect("devices")
    messages.success(request, _("Forgotten. What was signed in there is signed out."))
    request.account_ended = here  # type: ignore[attr-defined] # or this very access would bring the device back
    return forgetting(redirect("account_login")) if here else redirect("devices")
