"""The operator's home, and the one link that makes the first owner's account."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from troth.intake import queries as intake
from troth.people.actions import Account
from troth.people.passwords import second_factor
from troth.web.charts import by_day
from troth.web.operating import accesses_by_day, opens
from troth.web.staff import roles
from troth.web.words import STAFF_ROLES


@require_safe
def first(request: HttpRequest, token: str) -> HttpResponse:
    """Begin the first owner's account: the link works until there is one."""
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
        "reports": intake.reports(),
        "mine": [{"role": role, "words": STAFF_ROLES[role]} for role in sorted(roles(request))],
        "secured": second_factor(request.user),
    }
    return render(request, "operator/operator.html", context)
