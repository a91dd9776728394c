"""A version before its day: what it changes for the reader, and agreeing, declining or deciding later."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from psycopg import Error

from troth.consent import coming as ahead
from troth.consent.coming import Coming
from troth.consent.errors import ConsentRefusal
from troth.database import published
from troth.policy.differences import Differing
from troth.policy.meaning import Policy
from troth.policy.voice import voice
from troth.web.views.agreement import read, wording
from troth.web.views.policy import differences

#: Which version this session was shown before its day.
SHOWN = "shown_coming"


@require_http_methods(["GET", "HEAD", "POST"])
def coming(request: HttpRequest) -> HttpResponse:
    """Show what comes next and what it does to the reader's own records; take their answer."""
    token = request.viewer  # type: ignore[attr-defined]
    found = ahead.coming(token)
    if found is None:
        return redirect("versions")
    request.session[SHOWN] = found.scheduled.version
    if request.method == "POST":
        return _answer(request, token, found)
    context = differences(published.current().policy, found.policy)
    context |= {"found": found, "touched": _touched(token, found.policy), "wording": wording(found.scheduled.version)}
    return render(request, "policy/coming.html", context)


def unanswered(request: HttpRequest, token: str) -> bool:
    """Whether something comes that needs the reader's agreement, and that this session was not shown."""
    found = ahead.coming(token)
    shown = request.session.get(SHOWN)
    return found is not None and found.asks and found.agreed_at is None and shown != found.scheduled.version


def _answer(request: HttpRequest, token: str, found: Coming) -> HttpResponse:
    there, told = found.scheduled, request.POST.get("answer")
    if told in ("back", "decline"):  # whoever declines does so also after they agreed, as from an older page
        ahead.unagree_ahead(token=token)
    if told == "agree":
        shown = {"policy": request.POST.get("policy", ""), "terms": request.POST.get("terms", "")}
        try:
            ahead.agree_ahead(token=token, version=there.version, **shown, **read(request, there.version))
        except ConsentRefusal:
            messages.error(request, _("The policy has changed since this page was opened. Please read it again."))
        else:
            messages.success(request, _("You have agreed. It binds from that day on; until then you can take it back."))
    return redirect({"agree": "coming", "back": "coming", "decline": "declining"}.get(told or "", "me"))


def _touched(token: str, policy: Policy) -> list[dict[str, Any]]:
    """Return each difference that concerns the reader's own records, with how many; none where counting takes long."""
    now = published.current().policy
    said = Differing(now, policy, get_language() or "en")
    try:
        found = ahead.touched(token, policy)
    except Error:
        return []
    return [{"text": said.sentence(each.delta), "records": each.records} for each in found.touched if each.records]


@require_safe
def declining(request: HttpRequest) -> HttpResponse:
    """Say what goes on without the agreement, what does not, and every way on."""
    now = published.current()
    standing, speaking = request.standing, voice(now.policy, get_language() or "en")  # type: ignore[attr-defined]
    sides: dict[bool, list[dict[str, str]]] = {True: [], False: []}
    for purpose in now.policy.purposes:
        told = {"text": speaking.purpose(purpose), "clause": purpose.clause.name}
        sides[bool(standing.uses >> now.bits.get(purpose.name, 63) & 1)].append(told)
    context = {"on": sides[True], "off": sides[False], "now": now, "standing": standing}
    return render(request, "policy/declining.html", context)
