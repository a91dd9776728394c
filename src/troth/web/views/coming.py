"""A version before its day: what it changes for the reader, and agreeing, declining or deciding later."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from troth.consent import actions
from troth.consent import coming as ahead
from troth.consent.coming import Coming
from troth.consent.errors import ConsentRefusal
from troth.database import published
from troth.web.gate import agreed
from troth.web.views.agreement import heard, read, wording
from troth.web.views.policy import differences
from troth.web.views.touching import touched_ahead

#: Which version this session was shown before its day.
SHOWN = "shown_coming"


@require_http_methods(["GET", "HEAD", "POST"])
def coming(request: HttpRequest) -> HttpResponse:
    """Show what comes next and what it does to the reader's own records; take their answer."""
    token, told = request.viewer, request.POST.get("answer")  # type: ignore[attr-defined]
    if told in ("back", "decline"):  # whoever declines does so also after they agreed, as from an older page
        _take_back(request, token)
    if not agreed(request):
        if told != "decline":
            return redirect("agree")
        heard(request, request.user.subject)  # type: ignore[union-attr]
        return redirect("declining")
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
    if told == "decline":
        whose = request.user.subject  # type: ignore[union-attr]
        actions.decline(whose, version=there.version, policy=there.digest, terms=there.terms_digest)
        said = _("You declined version %(version)s. Until its day nothing changes, and you can agree at any time.")
        messages.success(request, said % {"version": there.version})
    return redirect({"agree": "coming", "back": "coming", "decline": "declining"}.get(told or "", "me"))
