"""The operator's home, and the one link that makes the operator's account."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from troth.intake import queries as intake
from troth.people.actions import Account
from troth.web.charts import by_day
from troth.web.operating import accesses_by_day, opens


@require_safe
def first(request: HttpRequest, token: str) -> HttpResponse:
    """Begin the operator's account: the link works until that account exists."""
    if not opens(token):
        raise Http404
    request.session["first_link"] = True
    return redirect("account_signup")


@require_safe
def operator(request: HttpRequest) -> HttpResponse:
    """Show counts, never a person."""
    context = {
        "people": Account.objects.filter(is_active=True).count(),
        "chart": by_day(accesses_by_day()),
        "counts": intake.counts(),
    }
    return render(request, "operator/operator.html", context)
