"""Without an agreement to what is in force: what goes on, what is open to others, every no, and what is one's own."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from troth.consent import agreed as deals
from troth.consent import applications, permissions, support
from troth.consent import coming as ahead
from troth.consent import queries as consents
from troth.consent.errors import ConsentRefusal
from troth.database import published
from troth.people import organizations, organizing
from troth.people.errors import NoSuchOrganization, PeopleRefusal
from troth.policy.meaning import Policy
from troth.policy.voice import voice
from troth.web.permitting import said
from troth.web.provider.validator import sends
from troth.web.provider.views import listed
from troth.web.telling import refused
from troth.web.views.me import LISTED
from troth.web.words import say


@dataclass(frozen=True, slots=True)
class Open:
    """Something of the viewer's that is open to others: to whom, what of it, until when; `kind` is one of ENDS.

    `now` are sentences on how it is while the viewer has not agreed, and on how it ends.

    What was agreed on may be such that it ends at its time alone: it is no less open for that.
    """

    kind: str
    key: object
    who: str
    what: Sequence[str | Promise]
    until: datetime | None = None
    endable: bool = True
    now: Sequence[str] = ()


@require_safe
def declining(request: HttpRequest) -> HttpResponse:
    """Say what goes on without the agreement, or will from a version's day on, what does not, and every way on."""
    now, standing = published.current(), request.standing  # type: ignore[attr-defined]
    found = ahead.coming(request.viewer) if standing.agreed else None  # type: ignore[attr-defined]
    sides = _sides(standing.uses, found.policy if found is not None and found.asks else None)
    _let_say_no(request.viewer, [*sides[True], *sides[False]])  # type: ignore[attr-defined]
    context = {"on": sides[True], "off": sides[False], "now": now, "standing": standing}
    context["next"] = found.scheduled if found is not None and found.asks else None
    if request.viewer and not standing.agreed:  # type: ignore[attr-defined]
        context |= _own(request.viewer)  # type: ignore[attr-defined]
    return render(request, "policy/declining.html", context)


def _let_say_no(token: str, said: list[dict[str, Any]]) -> None:
    """Add to each purpose the no that the reader can still say to it, or that they said it."""
    if not token:
        return
    states = {each.name: each for each in consents.purposes(token, get_language() or "en")}
    last = {each.purpose: each.kind for each in reversed(consents.choices(token))}
    for each in said:
        state = states.get(each["name"])
        if state is not None and state.no == "objection":
            each |= {"no": "" if last.get(state.name) == state.no else state.no, "seen": state.seen}
            each["said"] = not each["no"]
        elif state is not None and state.switchable and state.on:
            each |= {"no": state.no, "seen": state.seen}


def _sides(uses: int, then: Policy | None) -> dict[bool, list[dict[str, Any]]]:
    """Return the purposes that the reader's data serves without their agreement, and those that it does not.

    `then` is the version that comes next: what it widens ends on its day for whoever has not agreed, as does what it
    knows no more.
    """
    now, language = published.current(), get_language() or "en"
    policy = then or now.policy
    kept = {each.name for each in policy.purposes} - (ahead.closed_to(then) if then else frozenset())
    gone = [each for each in now.policy.purposes if each.name not in {known.name for known in policy.purposes}]
    sides: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for speaking, purposes in ((voice(policy, language), policy.purposes), (voice(now.policy, language), gone)):
        for purpose in purposes:
            on = purpose.name in kept and bool(uses >> now.bits.get(purpose.name, 63) & 1)
            known = any(each.name == purpose.name for each in now.policy.purposes)
            clause = purpose.clause.name if known else ""
            sides[on].append({"name": purpose.name, "text": speaking.purpose(purpose), "clause": clause})
    return sides


def _own(token: str) -> dict[str, Any]:
    """Return what the viewer can end, and what they agreed to and chose, with a receipt each."""
    return {
        "open": list(_open(token)),
        "agreements": consents.agreements(token),
        "choices": consents.choices(token, most=LISTED),
        "listed": LISTED,
    }


def _open(token: str) -> Iterator[Open]:
    """Yield what is open to others, and what will be once they answer."""
    for access in support.of_me(token):
        if access.state == "open":
            areas = [say(area, "area") for area in access.areas]
            yield Open("staff", access.access, access.name or _("Support"), areas, access.until)
    for answer in applications.grants(token):
        if answer.until is None:
            now = tuple(_of_application(answer))
            yield Open("applications", answer.application, answer.name, [], answer.expires_at, now=now)
    for grant in permissions.grants(token):
        if grant.mine and not grant.agreed and (grant.live or grant.waiting):
            what = [each["words"] for each in said(grant.categories)]
            who = grant.other or grant.address or _("Somebody with your link")
            yield Open("people", grant.given, who, what, grant.until)
    yield from _open_to_organizations(token)


def _of_application(answer: applications.Grant) -> Iterator[str]:
    """Say what an application sees and sends of whoever has not agreed."""
    seen = ", ".join(each["category"] for each in listed(answer.permitted))
    if seen:
        yield _("Until you agree it sees nothing of you; then it sees again: %(seen)s.") % {"seen": seen}
    else:
        yield _("It sees nothing of you, and until you agree it signs you in no more.")
    if sends(answer.application):
        yield _("It may go on telling us what you do in it, for what goes on as you agreed before.")


def _open_to_organizations(token: str) -> Iterator[Open]:
    """Yield what was agreed on with the operator or in an organization, memberships, and what was asked for."""
    kept = organizations.are_kept()
    fates = organizations.fates(token) if kept else []
    names = {each.organization: each.name for each in fates}
    for deal in (each for each in deals.mine(token) if each.answer and deals.stands(each)):
        asker = names.get(deal.organization, _("An organization")) if deal.organization else _operator()
        until, endable = deal.over_at or deal.until, deals.endable(deal)
        now = (_noticed(deal.notice),) if endable and deal.notice else ()
        yield Open("agreed", deal.agreed, asker, [deal.reason], until, endable, now)
    for fate in fates:
        yield Open("organizations", fate.organization, fate.name, [_("You are a member.")])
    for request in organizations.requests(token) if kept else []:
        yield Open("requests", request.organization, _("An organization"), [_("You asked to join")])


def _noticed(days: int) -> str:
    """Say when what either side ended is over."""
    words = ngettext("It then ends after %(n)s day of notice.", "It then ends after %(n)s days of notice.", days)
    return words % {"n": days}


def _operator() -> str:
    return published.current().policy.operator


#: How each kind of what is open ends, for the holder of a token.
ENDS: dict[str, Callable[[str, uuid.UUID], None]] = {
    "staff": lambda token, key: support.end(viewer=token, access=key),
    "people": lambda token, key: permissions.end(token=token, given=key),
    "agreed": lambda token, key: deals.end(token=token, agreed=key),
    "organizations": lambda token, key: organizing.leave(token=token, organization=key),
    "requests": lambda token, key: organizing.withdraw_request(token=token, organization=key),
}


@require_POST
def end(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """End something that is open to others, agreed or not."""
    token = request.viewer  # type: ignore[attr-defined]
    try:
        if kind == "applications":
            applications.end(token=token, application=key)
        else:
            _ending(kind)(token, _uuid(key))
    except (ConsentRefusal, NoSuchOrganization):
        messages.error(request, _("This is not open any more."))
    except PeopleRefusal as refusal:  # whoever owns an organization alone
        messages.error(request, refused(refusal))
    else:
        at_once = _("Ended. Nothing of it is shown from this moment on.")
        messages.success(request, _("Ended, as it was agreed.") if kind == "agreed" else at_once)
    return redirect("declining")


def _ending(kind: str) -> Callable[[str, uuid.UUID], None]:
    if kind not in ENDS:
        raise Http404
    return ENDS[kind]


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Http404 from None
