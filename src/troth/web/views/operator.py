"""The operator's home, and the one link that makes the operator's account."""

import hmac
from hashlib import sha256

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from troth.database import place
from troth.intake import queries as intake
from troth.people.actions import Account
from troth.web.charts import by_day
from troth.web.operating import accesses_by_day

FILE = "first-link"


@require_safe
def first(request: HttpRequest, token: str) -> HttpResponse:
    """Begin the operator's account: the link works until that account exists."""
    file = place.current().secrets / FILE
    wanted = file.read_text(encoding="ascii").strip() if file.exists() else ""
    if not wanted or not hmac.compare_digest(wanted, sha256(token.encode()).hexdigest()) or _taken():
        raise Http404
    request.session["first_link"] = True
    return redirect("account_signup")


def _taken() -> bool:
    return Account.objects.filter(is_operator=True).exists()


@require_safe
def operator(request: HttpRequest) -> HttpResponse:
    """Show counts, never a person."""
    context = {
        "people": Account.objects.filter(is_active=True).count(),
        "chart": by_day(accesses_by_day()),
        "counts": intake.counts(),
    }
    return render(request, "operator/operator.html", context)
