"""A version before its day: what it changes for the reader, and agreeing, declining or deciding later."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from troth.consent import actions as consent
from troth.consent import coming as ahead
from troth.consent import queries as consents
from troth.consent.coming import Coming
from troth.consent.errors import ConsentRefusal, OutdatedChoice
from troth.database import published
from troth.policy.meaning import Policy
from troth.policy.voice import voice
from troth.web.gate import agreed
from troth.web.views.agreement import read, wording
from troth.web.views.asking import seen
from troth.web.views.errors import outdated
from troth.web.views.policy import differences
from troth.web.views.touching import touched_ahead

#: Which version this session was shown before its day.
SHOWN = "shown_coming"
#: What says no, and needs no agreement to be said.
NOES = frozenset({"withdrawal", "refusal", "objection"})


@require_http_methods(["GET", "HEAD", "POST"])
def coming(request: HttpRequest) -> HttpResponse:
    """Show what comes next and what it does to the reader's own records; take their answer."""
    token, told = request.viewer, request.POST.get("answer")  # type: ignore[attr-defined]
    if told in ("back", "decline"):  # whoever declines does so also after they agreed, as from an older page
        _take_back(request, token)
    if not agreed(request):
        return redirect("declining" if told == "decline" else "agree")
    found = ahead.coming(token)
    if found is None:
        if request.method == "POST":
            messages.error(request, _("No version waits any more: it took effect, or was withdrawn."))
        return redirect("versions")
    request.session[SHOWN] = found.scheduled.version
    if request.method == "POST":
        return _answer(request, token, found)
    context = differences(published.current().policy, found.policy)
    context |= {"found": found, "mine": touched_ahead(token, found.policy), "wording": wording(found.scheduled.version)}
    return render(request, "policy/coming.html", context)


def _take_back(request: Any, token: str) -> None:  # noqa: ANN401 - a request on which it is known who asks
    """Take an agreement ahead back, also in the moment between its day and its binding, when the viewer is nobody."""
    if request.standing.agreed:
        ahead.unagree_ahead(token=token)
    else:
        ahead.forget_ahead(request.user.subject)


def unanswered(request: HttpRequest, found: Coming | None) -> bool:
    """Whether something comes that needs the reader's agreement, and that this session was not shown."""
    shown = request.session.get(SHOWN)
    return found is not None and found.asks and found.agreed_at is None and shown != found.scheduled.version


def _answer(request: HttpRequest, token: str, found: Coming) -> HttpResponse:
    there, told = found.scheduled, request.POST.get("answer")
    if told == "agree":
        shown = {"policy": request.POST.get("policy", ""), "terms": request.POST.get("terms", "")}
        try:
            ahead.agree_ahead(token=token, version=there.version, **shown, **read(request, there.version))
        except ConsentRefusal:
            messages.error(request, _("The policy has changed since this page was opened. Please read it again."))
        else:
            messages.success(request, _("You have agreed. It binds from that day on; until then you can take it back."))
    return redirect({"agree": "coming", "back": "coming", "decline": "declining"}.get(told or "", "me"))


@require_POST
def narrow(request: HttpRequest, purpose: str) -> HttpResponse:
    """Take a no to a purpose, of whoever has agreed to what is in force and of whoever has not."""
    token, kind = request.viewer, request.POST.get("kind", "")  # type: ignore[attr-defined]
    if not token:
        return redirect("agree")
    if kind not in NOES:
        messages.error(request, _("Here you can only say no. To allow more, agree first."))
        return redirect("declining")
    try:
        consent.choose(token=token, purpose=purpose, kind=kind, seen=seen(request))
    except OutdatedChoice:
        return outdated(request)
    except ConsentRefusal as refusal:
        messages.error(request, f"{refusal.sentence}; {refusal.advice}")
    else:
        messages.success(request, _("Done. It holds from this moment on."))
    return redirect("declining")


@require_safe
def declining(request: HttpRequest) -> HttpResponse:
    """Say what goes on without the agreement, or will from a version's day on, what does not, and every way on."""
    now, standing = published.current(), request.standing  # type: ignore[attr-defined]
    found = ahead.coming(request.viewer) if standing.agreed else None  # type: ignore[attr-defined]
    sides = _sides(standing.uses, found.policy if found is not None and found.asks else None)
    _let_say_no(request.viewer, [*sides[True], *sides[False]])  # type: ignore[attr-defined]
    context = {"on": sides[True], "off": sides[False], "now": now, "standing": standing}
    context["next"] = found.scheduled if found is not None and found.asks else None
    return render(request, "policy/declining.html", context)


def _let_say_no(token: str, said: list[dict[str, Any]]) -> None:
    """Add to each purpose the no that the reader can still say to it, or that they said it."""
    if not token:
        return
    states = {each.name: each for each in consents.purposes(token, get_language() or "en")}
    last = {each.purpose: each.kind for each in reversed(consents.choices(token))}
    for each in said:
        state = states.get(each["name"])
        if state is not None and state.no == "objection":
            each |= {"no": "" if last.get(state.name) == state.no else state.no, "seen": state.seen}
            each["said"] = not each["no"]
        elif state is not None and state.switchable and state.on:
            each |= {"no": state.no, "seen": state.seen}


def _sides(uses: int, then: Policy | None) -> dict[bool, list[dict[str, Any]]]:
    """Return the purposes that the reader's data serves without their agreement, and those that it does not.

    `then` is the version that comes next: what it widens ends on its day for whoever has not agreed, as does what it
    knows no more.
    """
    now, language = published.current(), get_language() or "en"
    policy = then or now.policy
    kept = {each.name for each in policy.purposes} - (ahead.closed_to(then) if then else frozenset())
    gone = [each for each in now.policy.purposes if each.name not in {known.name for known in policy.purposes}]
    sides: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for speaking, purposes in ((voice(policy, language), policy.purposes), (voice(now.policy, language), gone)):
        for purpose in purposes:
            on = purpose.name in kept and bool(uses >> now.bits.get(purpose.name, 63) & 1)
            known = any(each.name == purpose.name for each in now.policy.purposes)
            clause = purpose.clause.name if known else ""
            sides[on].append({"name": purpose.name, "text": speaking.purpose(purpose), "clause": clause})
    return sides
