"""What programs look for in a place of its own (RFC 8615): the password's page, whom to tell of a flaw, the signal."""

from datetime import UTC, datetime, time, timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from troth.database import published

#: How long whoever keeps the file may rely on it; RFC 9116 (section 2.5.5) wants less than a year.
RELIED_ON = timedelta(days=90)


@require_safe
def change_password(_request: HttpRequest) -> HttpResponse:
    """Lead password managers to where the password is changed (W3C, A Well-Known URL for Changing Passwords)."""
    return redirect("account_change_password")


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Say whom to tell of a flaw: the contact that the policy states (RFC 9116)."""
    until = datetime.combine(datetime.now(UTC).date() + RELIED_ON, time(), UTC)
    lines = (
        f"Contact: mailto:{published.current().policy.contact}",
        f"Expires: {until.isoformat()}",
        f"Preferred-Languages: {', '.join(code for code, _name in settings.LANGUAGES)}",
        f"Canonical: {request.build_absolute_uri(reverse('security_txt'))}",
    )
    return HttpResponse("".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")


@require_safe
def gpc(_request: HttpRequest) -> HttpResponse:
    """Say whether the signal of a browser is honoured here, and since when (Global Privacy Control, section 4)."""
    policy = published.current().policy
    return JsonResponse({"gpc": bool(policy.signalled), "lastUpdate": policy.effective.isoformat()})
