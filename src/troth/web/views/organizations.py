"""The organization's home: those one is in, their members as the policy shows them, joining and leaving."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from troth.database import published
from troth.people import holding, organizations, organizing, profiles
from troth.people.errors import NoSuchOrganization, PeopleRefusal
from troth.people.fields import ORGANIZATION
from troth.people.looking import ADMINISTRATOR
from troth.people.organizations import Mine, Organization
from troth.policy import explain
from troth.policy.meaning import Audience
from troth.web.showing import rows
from troth.web.telling import refused

BOTH = require_http_methods(["GET", "HEAD", "POST"])
POWERS: dict[str, str | Promise] = {
    "see": gettext_lazy("see the members, as the policy shows them to administrators"),
    "invite": gettext_lazy("invite people"),
    "members": gettext_lazy("admit and remove members, and give roles"),
    "roles": gettext_lazy("change its name, and make roles"),
    "own": gettext_lazy("hand it over, or delete it"),
}


@BOTH
def every(request: Any) -> HttpResponse:  # noqa: ANN401 - the viewer is added to the request
    """Show the organizations that one is in, and make another."""
    _kept()
    if request.method == "POST":
        try:
            made = organizing.found(token=request.viewer, name=request.POST.get("name", ""))
        except PeopleRefusal as refusal:
            return _said(request, refusal, "organizations")
        messages.success(request, _("The organization is there, and you own it."))
        return redirect("organization", made)
    context = {"mine": organizations.mine(request.viewer), "requests": organizations.requests(request.viewer)}
    return render(request, "organizations/every.html", context)


@BOTH
def one(request: Any, organization: uuid.UUID) -> HttpResponse:  # noqa: ANN401 - the same
    """Show one: one's own role, what an administrator sees of one, and how to leave."""
    context = of(request, organization)
    if request.method == "POST":
        return _done(request, ONE, organization, context)
    context |= {"mirrored": organizations.mirrored(request.viewer, organization)}
    context |= rows(holding.mirrored(request.viewer, organization, request.user.subject))
    if context["fellows"]:
        context |= {"shown": _to_fellows(request, organization), "shown_by": _sentence(Audience.MEMBERS)}
    return render(request, "organizations/one.html", context)


@BOTH
def members(request: Any, organization: uuid.UUID) -> HttpResponse:  # noqa: ANN401 - the same
    """List the members by name, page by page: for those who administer, and for the others as the policy shows them."""
    context = of(request, organization, "see" if request.method == "POST" else "")
    if request.method == "POST":
        return _done(request, MEMBERS, organization, context)
    role = looking(context)
    sought = request.GET.get("name", "")[:200]
    after, _sign, behind = request.GET.get("after", "").rpartition("~")
    found = organizations.members(
        request.viewer,
        organization,
        sought=sought,
        after=after,
        subject=_uuid(behind) or organizations.FIRST,
        role=role,
    )
    shown, more = found[: organizations.MOST], len(found) > organizations.MOST
    context |= {"members": shown, "sought": sought, "more": f"{shown[-1].sought}~{shown[-1].subject}" if more else ""}
    return render(request, "organizations/members.html", context)


@BOTH
def joining(request: Any, organization: uuid.UUID) -> HttpResponse:  # noqa: ANN401 - the same
    """Invite, and answer those who ask."""
    context = of(request, organization, "see")
    if request.method == "POST":
        return _done(request, JOINING, organization, context)
    context |= {
        "invitations": organizations.invitations(request.viewer, organization),
        "asking": organizations.asking(request.viewer, organization),
        "link": request.session.pop("organization_link", ""),
        "asked_at": request.build_absolute_uri(f"/organizations/{organization}/ask"),
    }
    return render(request, "organizations/joining.html", context)


@BOTH
def roles(request: Any, organization: uuid.UUID) -> HttpResponse:  # noqa: ANN401 - the same
    """Show the roles and what each may do; make some."""
    context = of(request, organization)
    if request.method == "POST":
        return _done(request, ROLES, organization, context)
    return render(request, "organizations/roles.html", context)


@BOTH
def ask(request: Any, organization: uuid.UUID) -> HttpResponse:  # noqa: ANN401 - the same
    """Ask to be let in, where an organization lets people ask."""
    _kept()
    name = organizations.asked(request.viewer, organization)
    if name is None:
        raise Http404
    if request.method == "POST":
        undo = request.POST.get("action") == "withdraw"
        try:
            (organizing.withdraw_request if undo else organizing.ask)(token=request.viewer, organization=organization)
        except PeopleRefusal as refusal:
            return _said(request, refusal, "organizations")
        messages.success(request, _("You ask no longer.") if undo else _("You asked. Somebody there will answer."))
        return redirect("organizations")
    context = {"name": name, "organization_id": organization, "sentence": _sentence()}
    return render(request, "organizations/ask.html", context)


@BOTH
def join(request: Any, word: str) -> HttpResponse:  # noqa: ANN401 - the same
    """Show what one is invited to; only a form that is sent accepts. Whoever joined by it is told so."""
    _kept()
    if (used := organizations.joined_by(request.viewer, word)) is not None:
        return render(request, "organizations/used.html", {"used": used})
    offer = organizations.offer(request.viewer, word)
    if offer is None:
        raise Http404
    if request.method == "POST":
        try:
            joined = organizing.accept(token=request.viewer, word=word)
        except PeopleRefusal as refusal:
            return _said(request, refusal, "organizations")
        messages.success(request, _("You are a member."))
        return redirect("organization", joined)
    context = {"offer": offer, "powers": [POWERS[each] for each in offer.may], "sentence": _sentence()}
    return render(request, "organizations/join.html", context)


# What forms ask for: each is named by its button, and the database knows who may.


def _change(token: str, organization: uuid.UUID, told: QueryDict) -> str:
    organizing.change(
        token=token, organization=organization, name=told.get("name", ""), asking=told.get("asking") == "on"
    )
    return _("Changed.")


def _leave(token: str, organization: uuid.UUID, _told: QueryDict) -> str:
    organizing.leave(token=token, organization=organization)
    return _("You left. Nobody there sees you as a member any more.")


def _delete(token: str, organization: uuid.UUID, told: QueryDict) -> str:
    known = next((each.name for each, _mine in organizations.mine(token) if each.organization == organization), None)
    if told.get("name") != known:
        raise PeopleRefusal(_("Nothing was deleted: the name you wrote is another"))
    organizing.delete(token=token, organization=organization)
    return _("The organization is deleted, with everybody's membership.")


def _give(token: str, organization: uuid.UUID, told: QueryDict) -> str:
    organizing.give_role(token=token, organization=organization, subject=_whom(told), role=told.get("role", ""))
    return _("The role is given.")


def _remove(token: str, organization: uuid.UUID, told: QueryDict) -> str:
    organizing.remove(token=token, organization=organization, subject=_whom(told))
    return _("They are a member no longer.")


def _hand_over(token: str, organization: uuid.UUID, told: QueryDict) -> str:
    organizing.hand_over(token=token, organization=organization, subject=_whom(told))
    return _("It is theirs now; you administer it.")


def _invite(token: str, organization: uuid.UUID, told: QueryDict) -> str:
    address = told.get("address", "").strip()
    try:
        validate_email(address)
    except ValidationError:
        raise PeopleRefusal(_("That is no address of somebody's mail")) from None
    language = (get_language() or "en")[:2]
    organizing.invite(
        token=token, organization=organization, role=told.get("role", ""), address=address, language=language
    )
    return _("The invitation is on its way.")


def _uninvite(token: str, organization: uuid.UUID, told: QueryDict) -> str:
    which = _uuid(told.get("invitation", "")) or organizations.FIRST
    organizing.withdraw_invitation(token=token, organization=organization, invitation=which)
    return _("The invitation opens nothing any more.")


def _admit(token: str, organization: uuid.UUID, told: QueryDict) -> str:
    organizing.answer(token=token, organization=organization, subject=_whom(told), role=told.get("role", ""))
    return _("They are a member now.")


def _refuse(token: str, organization: uuid.UUID, told: QueryDict) -> str:
    organizing.answer(token=token, organization=organization, subject=_whom(told), role=None)
    return _("Refused. What they asked is forgotten.")


def _set_role(token: str, organization: uuid.UUID, told: QueryDict) -> str:
    organizing.set_role(
        token=token, organization=organization, role=told.get("role", ""), may=[*dict.fromkeys(told.getlist("may"))]
    )
    return _("The role is there.")


def _drop_role(token: str, organization: uuid.UUID, told: QueryDict) -> str:
    organizing.drop_role(token=token, organization=organization, role=told.get("role", ""))
    return _("The role is gone.")


type Deed = Callable[[str, uuid.UUID, QueryDict], str]
ONE: dict[str, Deed] = {"change": _change, "leave": _leave, "delete": _delete}
MEMBERS: dict[str, Deed] = {"give": _give, "remove": _remove, "hand-over": _hand_over}
JOINING: dict[str, Deed] = {"invite": _invite, "uninvite": _uninvite, "admit": _admit, "refuse": _refuse}
ROLES: dict[str, Deed] = {"set": _set_role, "drop": _drop_role}
#: After these there may be nothing to see where the form was.
GOING = frozenset({"leave", "delete"})


def _done(request: Any, deeds: dict[str, Deed], organization: uuid.UUID, context: dict[str, Any]) -> HttpResponse:  # noqa: ANN401
    action = request.POST.get("action", "")
    if deeds is JOINING and action == "link":
        return _link(request, organization)
    if action not in deeds:
        raise Http404
    try:
        told = deeds[action](request.viewer, organization, request.POST)
    except PeopleRefusal as refusal:
        return _said(request, refusal, context["here"], organization)
    messages.success(request, told)
    still = any(each.organization == organization for each, _mine in organizations.mine(request.viewer))
    return redirect(request.path) if action not in GOING and still else redirect("organizations")


def _link(request: Any, organization: uuid.UUID) -> HttpResponse:  # noqa: ANN401 - the same
    joins, days = (_number(request.POST.get(name, "")) for name in ("joins", "days"))
    try:
        made = organizing.make_link(
            token=request.viewer, organization=organization, role=request.POST.get("role", ""), joins=joins, days=days
        )
    except PeopleRefusal as refusal:
        return _said(request, refusal, "organization_joining", organization)
    request.session["organization_link"] = made
    return redirect("organization_joining", organization)


def of(request: Any, organization: uuid.UUID, power: str = "") -> dict[str, Any]:  # noqa: ANN401 - the same
    """Return what every page of an organization knows. Raises Http404 for whoever has no business there."""
    _kept()
    found: tuple[Organization, Mine] | None = next(
        (each for each in organizations.mine(request.viewer) if each[0].organization == organization), None
    )
    if found is None:
        raise Http404
    known = organizations.roles(request.viewer, organization)
    may = next((role.may for role in known if role.role == found[1].role), [])
    if power and power not in may:
        raise Http404
    return {
        "organization": found[0],
        "mine": found[1],
        "may": may,
        "roles": [(role, [POWERS[each] for each in role.may]) for role in known],
        "offered": [role.role for role in known if set(role.may) <= set(may)],
        "powers": [(name, said) for name, said in POWERS.items() if name in may and name != "own"],
        "administering": [role.role for role in known if "see" in role.may],
        "here": request.resolver_match.url_name,
        "holding": "members" in may and bool(profiles.fields(ORGANIZATION)),
        "fellows": organizations.fellows_are_shown(),
        "sentence": _sentence(),
    }


def looking(context: dict[str, Any]) -> str:
    """Return the role in which somebody looks at the others in an organization, with the sentence about it.

    Raises Http404 for whoever does not administer it where the policy shows members nothing.
    """
    if "see" in context["may"]:
        return ADMINISTRATOR
    if not context["fellows"]:
        raise Http404
    context["sentence"] = _sentence(Audience.MEMBERS)
    return organizations.FELLOW


def _to_fellows(request: Any, organization: uuid.UUID) -> dict[str, Any]:  # noqa: ANN401 - the same
    """Return exactly what the others in an organization see of the viewer, read with what they may read."""
    whose, role = request.user.subject, organizations.FELLOW
    seen = holding.seen(request.viewer, organization, whose, role=role)
    return {"member": seen.member} | rows(seen)


def _sentence(audience: Audience = Audience.ADMINISTRATORS) -> Any:  # noqa: ANN401 - a sentence of the policy, or None
    """Return what the policy says that an audience sees."""
    now = published.current()
    clauses = {sight.clause.name for sight in now.policy.sights if sight.audience is audience}
    said = explain.sections(now.policy, (get_language() or "en")[:2])
    return next((each for section in said for each in section.sentences if each.clause in clauses), None)


def _said(request: HttpRequest, refusal: PeopleRefusal, where: str, *ids: object) -> HttpResponse:
    if isinstance(refusal, NoSuchOrganization) and where == "organizations":
        raise Http404 from refusal
    messages.error(request, refused(refusal))
    return redirect(where, *ids)


def _kept() -> None:
    if not organizations.are_kept():
        raise Http404


def _whom(told: QueryDict) -> uuid.UUID:
    return _uuid(told.get("subject", "")) or organizations.FIRST


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1  # noqa: PLR2004 - no longer is meant
