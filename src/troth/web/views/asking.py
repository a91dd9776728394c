"""Asking whether a purpose may use what is somebody's: the question's own page, and what the operator asks all."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from troth.consent import actions as consent
from troth.consent import asking as questions
from troth.consent import queries as consents
from troth.consent.asking import FEWEST, Asked
from troth.consent.errors import ConsentRefusal, OutdatedChoice
from troth.consent.queries import PurposeState
from troth.database import published
from troth.policy.meaning import Basis
from troth.web.views.errors import outdated
from troth.web.words import say

ANSWERS = {"yes": "consent", "no": "refusal"}


@require_http_methods(["GET", "HEAD", "POST"])
def asking(request: HttpRequest, purpose: str) -> HttpResponse:
    """Ask about one purpose, or say what was answered; take the answer."""
    token = request.viewer  # type: ignore[attr-defined]
    state = _state(token, purpose)
    there = next((each for each in questions.asked(token) if each.purpose == purpose), None)
    if request.method == "POST":
        return _answered(request, state, there)
    return render(request, "me/asking.html", {"purpose": state, "there": there})


def open_question(token: str) -> PurposeState | None:
    """Return the purpose that the operator asks about and of which the viewer may be asked, one at a time."""
    wanted = next((each.purpose for each in questions.asked(token) if each.open and each.may), None)
    return _state(token, wanted) if wanted else None


def seen(request: HttpRequest) -> UUID:
    """Return the choice that a form was shown with: none where it names none."""
    try:
        return UUID(request.POST.get("seen", ""))
    except ValueError:
        return consents.NONE


def _state(token: str, purpose: str) -> PurposeState:
    states = consents.purposes(token, get_language() or "en")
    found = next((each for each in states if each.name == purpose and each.basis is Basis.CONSENT), None)
    if found is None:
        raise Http404
    return found


def _answered(request: HttpRequest, purpose: PurposeState, there: Asked | None) -> HttpResponse:
    """Keep an answer; what is answered already is changed on one's page, where it stands."""
    kind = ANSWERS.get(request.POST.get("answer", ""))
    if kind is not None and there is not None and there.may:
        try:
            consent.choose(token=request.viewer, purpose=purpose.name, kind=kind, seen=seen(request))  # type: ignore[attr-defined]
        except OutdatedChoice:
            return outdated(request)
        except ConsentRefusal as refusal:
            messages.error(request, f"{refusal.sentence}; {refusal.advice}")
        else:
            messages.success(
                request, _("Your answer is kept. You can change it at any time, under what it is used for.")
            )
    return redirect("me" if request.POST.get("back") == "me" else request.path)


@require_http_methods(["GET", "HEAD", "POST"])
def operator_asking(request: HttpRequest) -> HttpResponse:
    """Show what everybody is asked, with how many said yes and no; begin and end asking."""
    viewer = request.viewer  # type: ignore[attr-defined]
    policy = published.current().policy
    if request.method == "POST":
        act = {"ask": questions.ask, "end": questions.close}.get(request.POST.get("do", ""))
        if act is not None:
            try:
                act(viewer=viewer, purpose=request.POST.get("purpose", ""))
            except ConsentRefusal as refusal:
                messages.error(request, refusal.sentence)
        return redirect("operator_asking")
    found = questions.questions(viewer)
    asked = {each.purpose for each in found if each.closed_at is None}
    free = [
        {"name": each.name, "said": say(each.name, "purpose"), "clause": each.clause.name}
        for each in policy.purposes
        if each.basis is Basis.CONSENT and each.name not in asked
    ]
    context = {"questions": found, "free": free, "fewest": FEWEST, "again": policy.asked_again}
    return render(request, "operator/asking.html", context)
