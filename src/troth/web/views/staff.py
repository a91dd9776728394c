"""Who is on the operator's staff: an owner invites, gives and ends roles; the invited join."""

from typing import Any
from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.core.internal import ratelimit
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from troth.people import staffing
from troth.people.errors import LastOwner, NotOnStaff
from troth.people.staffing import Role
from troth.web.mailing import mail
from troth.web.staff import unconfirmed
from troth.web.views.errors import crowded
from troth.web.words import STAFF_ROLES

REFUSED = {
    LastOwner: gettext_lazy("A service has an owner: give somebody else this role first."),
    NotOnStaff: gettext_lazy("They do not have that role any more."),
}


class Invite(forms.Form):
    """An address, and the roles that whoever has it is invited to."""

    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=254)
    roles = forms.MultipleChoiceField(choices=[(role.value, role.value) for role in Role])

    def clean_email(self) -> str:
        """Refuse what quotes let into an address."""
        return str(get_adapter().clean_email(self.cleaned_data["email"]))


@require_http_methods(["GET", "HEAD", "POST"])
def staff(request: HttpRequest) -> HttpResponse:
    """List the staff, and invite somebody."""
    way = unconfirmed(request)
    if way is not None:
        return way
    viewer = request.viewer  # type: ignore[attr-defined]
    form = Invite(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not ratelimit.consume(request, app="allauth.account", action="manage_email", user=request.user):
            return crowded(request)
        _invite(viewer, form.cleaned_data["email"], form.cleaned_data["roles"])
        messages.success(request, _("The invitation is on its way; it waits for seven days."))
        return redirect("staff")
    context = {
        "form": form,
        "roles": [{"role": role, "words": STAFF_ROLES[role]} for role in Role],
        "members": staffing.members(viewer),
        "invitations": staffing.invitations(viewer),
        "mine": request.user.subject,  # type: ignore[union-attr]
    }
    return render(request, "operator/staff.html", context, status=422 if form.errors else 200)


def _invite(viewer: str, email: str, roles: list[str]) -> None:
    token = staffing.token()
    told = {"link": settings.BASE_URL + reverse("invited", args=[token]), "roles": [STAFF_ROLES[r][0] for r in roles]}
    staffing.invite(viewer=viewer, email=email, roles=roles, token=token, mail=mail("staff/invited", told))


@require_POST
def role(request: HttpRequest) -> HttpResponse:
    """Give somebody a role, or end one."""
    way = unconfirmed(request)
    if way is not None:
        return way
    act = {"give": staffing.give, "end": staffing.end}.get(request.POST.get("what", ""))
    try:
        if act is None:
            raise Http404
        act(viewer=request.viewer, whom=UUID(request.POST.get("whom", "")), role=request.POST.get("role", ""))  # type: ignore[attr-defined]
    except ValueError as error:
        raise Http404 from error
    except (LastOwner, NotOnStaff) as refusal:
        messages.error(request, REFUSED[type(refusal)])
    else:
        messages.success(request, _("Done. It holds from this moment on."))
    told = tuple(request.POST.get(name, "") for name in ("what", "role", "whom"))
    gone = told == ("end", Role.OWNER.value, str(request.user.subject))  # type: ignore[union-attr]
    return redirect("operator" if gone else "staff")


@require_POST
def withdraw(request: HttpRequest, invitation: UUID) -> HttpResponse:
    """Take an invitation back."""
    staffing.withdraw(viewer=request.viewer, invitation=invitation)  # type: ignore[attr-defined]
    messages.success(request, _("The invitation is taken back; its link opens nothing any more."))
    return redirect("staff")


@require_http_methods(["GET", "HEAD", "POST"])
def invited(request: HttpRequest, token: str) -> HttpResponse:
    """Join the staff by the link that came to an address of one's own."""
    viewer: Any = request.viewer  # type: ignore[attr-defined]
    roles = staffing.invited_to(viewer=viewer, token=token)
    if not roles:
        raise Http404
    if request.method == "POST":
        staffing.accept(viewer=viewer, token=token)
        messages.success(request, _("You are on the staff."))
        return redirect("operator")
    context = {"roles": [{"role": each, "words": STAFF_ROLES[Role(each)]} for each in roles]}
    return render(request, "operator/invited.html", context)
