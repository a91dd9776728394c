"""Permissions agreed with the operator: asked for by the operator, answered by the person, with a receipt for both."""

import uuid

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
from troth.web.permitting import Propose, frames


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
    return render(request, "me/agreed.html", context)


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
