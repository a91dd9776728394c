"""Agreed permissions: asked for by the operator or in an organization, answered by the person, a receipt for both."""

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from troth.consent import agreed as deals
from troth.consent.agreed import Agreed
from troth.consent.errors import ConsentRefusal
from troth.database import published
from troth.people import organizations
from troth.web.mailing import spoken
from troth.web.permitting import Propose, ProposeToMember, frames, sentences, shown_to_chosen
from troth.web.views.organizations import of


def _token(request: HttpRequest) -> str:
    return request.viewer  # type: ignore[attr-defined, no-any-return]


@require_http_methods(["GET", "HEAD", "POST"])
def agreed(request: HttpRequest, which: uuid.UUID) -> HttpResponse:
    """Show a proposal with two equal answers; once answered, its receipt, and how it ends."""
    found = _found(deals.mine(_token(request)), which)
    language = found.language or (get_language() or "en").split("-")[0]
    wording = found.wordings.get(language, "")
    if request.method == "POST":
        return _answer(request, found)
    context = {"each": found, "wording": wording, "language": language, "digest": deals.digest(wording)}
    context |= {"mine": True, "endable": deals.endable(found), "stands": deals.stands(found)}
    context |= {"asker": asker(_token(request), found)}
    return render(request, "me/agreed.html", context)


def asker(token: str, each: Agreed) -> str:
    """Return who asked, as the viewer knows them: the operator, or an organization that they are in."""
    if each.organization is None:
        return published.current().policy.operator
    known = {one.organization: one.name for one, _mine in organizations.mine(token)}
    return known.get(each.organization) or _("An organization")


def _found(every: list[Agreed], which: uuid.UUID) -> Agreed:
    found = next((each for each in every if each.agreed == which), None)
    if found is None:
        raise Http404
    return found


def _answer(request: HttpRequest, found: Agreed) -> HttpResponse:
    told, token = request.POST, _token(request)
    try:
        if told.get("answer") in ("accept", "decline"):
            accepts = told["answer"] == "accept"
            deals.answer(
                token=token,
                agreed=found.agreed,
                accepts=accepts,
                language=told.get("language", ""),
                digest=told.get("digest", ""),
            )
            said = _("Accepted. Your receipt is below.") if accepts else _("Declined. Nothing changes.")
        else:
            deals.end(token=token, agreed=found.agreed)
            said = _("Ended, as it was agreed.")
    except ConsentRefusal as refusal:
        messages.error(request, f"{refusal.sentence}; {refusal.advice}")
    else:
        messages.success(request, said)
    return redirect(request.path)


@require_http_methods(["GET", "HEAD", "POST"])
def proposals(request: HttpRequest) -> HttpResponse:
    """Ask a person for a permission, and see what became of what was asked."""
    token = _token(request)
    form = Propose(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        proposal = form.proposal()
        mail = {"subject": _("You are asked for a permission"), "text": _mail()}
        try:
            deals.propose(token=token, proposal=proposal, words=deals.wordings(proposal, frames(proposal)), mail=mail)
        except ConsentRefusal as refusal:
            form.add_error(None, f"{refusal.sentence}; {refusal.advice}")
        else:
            messages.success(
                request, _("Asked. If somebody here has this address, they have a mail about it; silence is no.")
            )
            return redirect("permissions_asked")
    every = [{"each": each, "stands": deals.stands(each)} for each in deals.proposed(token)]
    return render(request, "operator/asked.html", {"form": form, "every": every}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def in_organization(request: HttpRequest, organization: uuid.UUID, subject: uuid.UUID) -> HttpResponse:
    """Ask a member for a permission, as somebody who administers their organization, and see what became of it."""
    token, context = _token(request), of(request, organization, "see")
    member = organizations.member(token, organization, subject)
    if member is None or subject == request.user.subject or not shown_to_chosen():  # type: ignore[union-attr]
        raise Http404
    if request.POST.get("do") == "end":
        every = [each for each in deals.proposed_to(token, organization, subject) if each.answer]
        return _answer(request, _found(every, _uuid(request.POST.get("agreed", ""))))
    form = ProposeToMember(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _proposed(request, form, context, subject):
        return redirect(request.path)
    every = deals.proposed_to(token, organization, subject)
    told = [{"each": each, "stands": deals.stands(each), "endable": deals.endable(each)} for each in every]
    context |= {"member": member, "form": form, "every": told, "sentences": sentences(shown_to_chosen())}
    return render(request, "organizations/permission.html", context, status=422 if form.errors else 200)


def _proposed(request: HttpRequest, form: ProposeToMember, context: dict[str, Any], subject: uuid.UUID) -> bool:
    proposal, here = form.proposal(), context["organization"]
    told = {"organization": here.name, "link": settings.BASE_URL + reverse("my_permissions")}
    try:
        deals.propose_to_member(
            token=_token(request),
            organization=here.organization,
            member=subject,
            proposal=proposal,
            words=deals.wordings(proposal, frames(proposal, here.name)),
            mail=spoken("organizations/permission", told),
        )
    except ConsentRefusal as refusal:
        form.add_error(None, f"{refusal.sentence}; {refusal.advice}")
        return False
    messages.success(request, _("Asked. They have a mail about it; silence is no."))
    return True


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Http404 from None


def _mail() -> str:
    told = {"operator": published.current().policy.operator, "link": settings.BASE_URL + reverse("my_permissions")}
    return (
        _(
            "%(operator)s asks you for a permission. To read it, and to accept or decline, open\n%(link)s\n\n"
            "If you do nothing, nothing is permitted.\n"
        )
        % told
    )


@require_http_methods(["GET", "HEAD", "POST"])
def receipt(request: HttpRequest, which: uuid.UUID) -> HttpResponse:
    """Show the operator's side of what was agreed."""
    found = _found([each for each in deals.proposed(_token(request)) if each.answer], which)
    if request.method == "POST":
        return _answer(request, found)
    context = {
        "each": found,
        "wording": found.wording,
        "language": found.language,
        "digest": deals.digest(found.wording),
    }
    context |= {"mine": False, "endable": deals.endable(found), "stands": deals.stands(found)}
    return render(request, "me/agreed.html", context)
