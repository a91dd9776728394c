"""What people are told by mail about sign-ins: a browser that was not seen before, a token that two had."""

from datetime import timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from django.http import HttpRequest
from django.utils import timezone

from troth.intake.steps import described
from troth.people import actions, queries

#: Seconds for which a look at one's own devices is opened.
LOOK = 30


def browser_of(request: HttpRequest) -> tuple[str, str, str]:
    """Return a request's browser without its version, operating system and kind of device; empty where not told."""
    name, system, kind = described(request.META.get("HTTP_USER_AGENT", ""))
    return (name or "").rstrip("0123456789. "), system or "", kind or ""


def known(account: Any, seen: tuple[str, str, str]) -> bool:  # noqa: ANN401 - an account
    """Whether an account was used with such a browser before; False too where the policy lets nobody know."""
    token = actions.open_viewer(account, until=timezone.now() + timedelta(seconds=LOOK))
    try:
        held = queries.devices(token)
    finally:
        actions.close_viewer(token)
    return any(
        ((each.browser or "").rstrip("0123456789. "), each.system or "", each.kind or "") == seen for each in held
    )


def tell(request: HttpRequest, account: Any) -> None:  # noqa: ANN401 - the same
    """Mail somebody that a browser which was not seen before signed in: which kind, when, nothing of where from."""
    seen = browser_of(request)
    if known(account, seen):
        return
    browser, system, _kind = seen
    context = {"browser": browser, "system": system, "at": timezone.now()}
    get_adapter().send_mail("account/email/new_browser", account.email, context)


def tell_of_theft(_request: HttpRequest, account: Any) -> None:  # noqa: ANN401 - the same
    """Mail somebody that the token of a remembered browser came twice."""
    get_adapter().send_mail("account/email/token_replayed", account.email, {})
