"""`/me/linked`: a person's other accounts; linking one with both sides' proof, ending a link from either side."""

import time
import uuid
from urllib.parse import urlencode

from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.internal import ratelimit
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from troth.database import published
from troth.people import linking as people
from troth.people import queries
from troth.people.errors import LinkRefusal, PeopleRefusal
from troth.people.passwords import second_factor
from troth.policy.explain import sections
from troth.web.forms import LinkCode
from troth.web.second import has_passkey
from troth.web.sessions import level
from troth.web.views.errors import crowded

DUTIES = ("ties", "names-everywhere")


@require_safe
def linked(request: HttpRequest) -> HttpResponse:
    """List them."""
    policy = published.current().policy
    clauses = {duty.clause.name for each in DUTIES if (duty := policy.duty(each))}
    said = sections(policy, get_language() or "en")
    context = {
        "linked": people.linked(request.viewer),  # type: ignore[attr-defined]
        "sentences": [s for section in said for s in section.sentences if s.clause in clauses],
        "possible": policy.duty("ties") is not None,
        "provable": request.user.has_usable_password() or has_passkey(request.user),  # type: ignore[union-attr]
    }
    return render(request, "me/linked.html", context)


def unproven(request: HttpRequest) -> HttpResponse | None:
    """Return where to go for whoever has not just shown this account's own factors; a code by mail is none of them."""
    account, since = request.user, time.time() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    own = [each for each in get_authentication_records(request, account) if each.get("method") in ("password", "mfa")]
    just = any(each.get("at", 0) > since for each in own)
    if just and (level(request) > 1 or not second_factor(account)):
        return None
    return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': request.path})}")


@require_http_methods(["GET", "HEAD", "POST"])
def offer(request: HttpRequest) -> HttpResponse:
    """Make a code in this account, and show it once."""
    if away := unproven(request):
        return away
    code = ""
    if request.method == "POST":
        try:
            code = people.offer(token=request.viewer)  # type: ignore[attr-defined]
        except PeopleRefusal as refusal:
            return _back(request, refusal)
    return render(request, "me/link-code.html", {"code": code})


@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """Enter a code here, see which account it was made in, and say whose name both have from now on."""
    if away := unproven(request):
        return away
    if request.method == "POST" and not ratelimit.consume(request, app="allauth.account", action="reauthenticate"):
        return crowded(request)
    token = request.viewer  # type: ignore[attr-defined]
    form, offered, status = LinkCode(request.POST or None), None, 200
    keep = request.POST.get("keep")
    if request.method == "POST" and form.is_valid():
        code = form.cleaned_data["code"]
        try:
            offered = people.offered(token=token, code=code)
            if keep in ("mine", "theirs"):
                people.link(token=token, code=code, theirs=keep == "theirs")
                messages.success(request, _("Linked. Both accounts have one name now."))
                return redirect("linked")
        except LinkRefusal as refusal:
            form.add_error("code", f"{refusal.sentence}; {refusal.advice}".capitalize())
    status = 422 if form.errors else 200
    mine = queries.profile(token)
    return render(request, "me/link-enter.html", {"form": form, "offered": offered, "mine": mine}, status=status)


@require_POST
def unlink(request: HttpRequest, tie: uuid.UUID) -> HttpResponse:
    """End a link; each account keeps the name that it has, and changes it alone from then on."""
    try:
        people.unlink(token=request.viewer, tie=tie)  # type: ignore[attr-defined]
    except PeopleRefusal as refusal:
        return _back(request, refusal)
    messages.success(request, _("Unlinked. Both accounts see that you did it."))
    return redirect("linked")


def _back(request: HttpRequest, refusal: PeopleRefusal) -> HttpResponse:
    messages.error(request, f"{refusal.sentence}; {refusal.advice}")
    return redirect("linked")
