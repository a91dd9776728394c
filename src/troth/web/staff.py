"""What the pages know of the operator's staff: who looks in which role, and when they must confirm who they are."""

import time
from typing import Any
from urllib.parse import quote

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from troth.people import staffing
from troth.people.passwords import second_factor
from troth.web.sessions import level


def roles(request: Any) -> frozenset[str]:  # noqa: ANN401 - the roles are kept on the request
    """Return the roles of whoever asks; one question for each request, and none for who is not signed in."""
    if not request.user.is_authenticated:
        return frozenset()
    if not hasattr(request, "staff_roles"):
        request.staff_roles = staffing.roles_of(request.user.subject)
    return frozenset(request.staff_roles)


def unsecured(request: HttpRequest) -> HttpResponse | None:
    """Return the way to a second factor, which everybody on the staff shows; None for who did so in this session."""
    if second_factor(request.user):
        return None if level(request) > 1 else _confirming(request)
    messages.error(request, _("Whoever is on the staff needs a passkey or an app beside the password. Add one here."))
    return HttpResponseRedirect(reverse("mfa_index"), status=303)


def unconfirmed(request: HttpRequest, *, back: str = "") -> HttpResponse | None:
    """Return the way to confirm before something dangerous, and then `back`; None for who has just done so.

    Who has a second factor shows that one: a password alone is not enough for them here. A new factor is bound at its
    own level or the account's highest, whichever is lower (NIST SP 800-63B-4, 4.1.2.1): a password alone is neither.
    """
    with_second = second_factor(request.user)
    latest = max(
        (
            float(each.get("at", 0))
            for each in get_authentication_records(request, request.user)
            if not with_second or each.get("method") == "mfa"
        ),
        default=0.0,
    )
    if time.time() - latest < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT:
        return None
    return _confirming(request, back)


def _confirming(request: HttpRequest, back: str = "") -> HttpResponse:
    with_second = second_factor(request.user)
    ways = get_adapter().get_reauthentication_methods(request.user)
    where = next((way["url"] for way in ways if not with_second or way["id"].startswith("mfa_")), reverse("me"))
    back = back or (request.get_full_path() if request.method in ("GET", "HEAD") else reverse("operator"))
    return HttpResponseRedirect(f"{where}?next={quote(back)}")
