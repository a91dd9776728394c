"""Who arrives with which browser: what is noted of it, and what people are told by mail."""

import uuid
from datetime import timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language

from troth.database import published
from troth.intake import hints
from troth.intake.event import VERSION, Device
from troth.intake.steps import coarse_address, coarse_time, seen, valid_address
from troth.people import actions, devices, places, queries
from troth.policy.meaning import Occasion, Precision

#: Seconds for which a look at one's own devices is opened.
LOOK = 30


def device(request: HttpRequest) -> Device:
    """Return what a request tells of the device that it came from."""
    return seen(request.META.get("HTTP_USER_AGENT", ""), hints.told(request.headers.get))


def browser_of(request: HttpRequest) -> tuple[str, str, str]:
    """Return a request's browser and operating system without versions, and kind of device; empty where not told."""
    return _plain(device(request))


def _plain(known: Device | queries.Device) -> tuple[str, str, str]:
    return (known.browser or "").rstrip(VERSION), (known.system or "").rstrip(VERSION), known.kind or ""


def known(account: Any, told: tuple[str, str, str]) -> bool:  # noqa: ANN401 - an account
    """Whether an account was used with such a browser before; False too where the policy lets nobody know."""
    token = actions.open_viewer(account, until=timezone.now() + timedelta(seconds=LOOK))
    try:
        held = queries.devices(token)
    finally:
        actions.close_viewer(token)
    return any(_plain(each) == told for each in held)


def tell(request: HttpRequest, account: Any) -> None:  # noqa: ANN401 - the same
    """Mail somebody that a browser which was not seen before signed in: which kind, when, about where from.

    The place is said where the policy lets one be known of an access; it stands in the mail alone.
    """
    told = browser_of(request)
    if known(account, told):
        return
    browser, system, _kind = told
    context = {"browser": browser, "system": system, "at": timezone.now(), "place": _place(request)}
    get_adapter().send_mail("account/email/new_browser", account.email, context)


def _place(request: HttpRequest) -> str:
    if "place" not in published.current().plan.kept_on(Occasion.ACCESS, "access"):
        return ""
    address = valid_address(request.META.get("REMOTE_ADDR", ""))
    return places.about(address, get_language() or "en")


def tell_of_theft(_request: HttpRequest, account: Any) -> None:  # noqa: ANN401 - the same
    """Mail somebody that the token of a remembered browser came twice."""
    get_adapter().send_mail("account/email/token_replayed", account.email, {})


def begin(request: Any, account: Any) -> str:  # noqa: ANN401 - the same
    """Note a session that begins; return under what, or nothing where the policy lets nobody know."""
    told, exactly = device(request), devices.kept("session")
    if not exactly:
        return ""
    values: dict[str, Any] = {"browser": told.browser, "system": told.system, "kind": told.kind}
    values |= {"device": _shared(told).seen_by(account.subject), "used_at": _moment(exactly.get("used_at"))}
    address = valid_address(request.META.get("REMOTE_ADDR", ""))
    coarse = exactly.get("ip") is Precision.NETWORK
    values["ip"] = coarse_address(address) if address and coarse else address
    held = getattr(request, "remembered", "") or ""
    family = uuid.UUID(hex=held.partition(".")[0]) if held else None
    noted = devices.begin(account, seen=values, family=family)
    return noted.hex if noted else ""


def note(request: Any) -> None:  # noqa: ANN401 - the same
    """Note that a session and its device were used just now."""
    noted = request.session.get("noted_as")
    if noted:
        at = {table: _moment(devices.kept(table).get("used_at")) for table in ("session", "device")}
        devices.note(request.user.subject, uuid.UUID(noted), at=at)


def _shared(told: Device) -> Device:
    """Return of a device what the intake would keep of it, by which it knows it where no identifier is given."""
    collected = devices.kept("device")
    return Device(*(getattr(told, name) if name in collected else None for name in ("browser", "system", "kind")))


def _moment(exactly: Precision | None) -> Any:  # noqa: ANN401 - a time
    return coarse_time(timezone.now(), exactly or Precision.AS_IS)
