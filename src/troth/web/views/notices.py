"""`/me/notices`: what was mailed to somebody and whether it arrived; `/operator/notices`: how far sends to many got."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from troth.consent import coming
from troth.notices import queries
from troth.notices.queries import NOBODY, Send
from troth.web.permitting import sentence


@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """Show a person's own mails, never what they said, with the clause that keeps them."""
    clause = queries.clause()
    context = {
        "notices": queries.notices(request.viewer),  # type: ignore[attr-defined]
        "clause": clause,
        "sentence": sentence(clause) if clause else "",
        "most": queries.MOST,
    }
    return render(request, "me/notices.html", context)


@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    """Show counts of what was sent, never a person."""
    found = queries.sends()
    none = Send(NOBODY, 0, 0, 0, 0, 0, 0)
    context = {
        "versions": [(each, found.get(each.telling, none)) for each in coming.tellings()],
        "others": found.get(NOBODY, none),
    }
    return render(request, "operator/notices.html", context)
