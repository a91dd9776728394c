"""`/me/permissions`: every permission that stands for a person, what it lets whom see or do, and how it ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from troth.consent import agreed, applications, permissions, support
from troth.consent import queries as consents
from troth.consent.applications import Grant
from troth.consent.errors import ConsentRefusal
from troth.database import published
from troth.people import looking, memberships, organizations
from troth.people.manifests import parsed
from troth.policy.explain import capital
from troth.policy.meaning import Audience, Basis
from troth.policy.voice import voice
from troth.web.permitting import ApplicationAnswer, end_of, said, sentence
from troth.web.provider.validator import sends
from troth.web.provider.views import listed
from troth.web.views.agreed import asker
from troth.web.words import say

KINDS = {
    "applications": gettext_lazy("Applications"),
    "people": gettext_lazy("People"),
    "organizations": gettext_lazy("Organizations"),
    "staff": gettext_lazy("The operator's staff"),
    "agreed": gettext_lazy("Agreed permissions"),
    "purposes": gettext_lazy("Purposes you said yes to"),
}

#: How a membership ended, by the action that ended it.
ENDS = {
    "organization-left": gettext_lazy("You left it"),
    "member-removed": gettext_lazy("Somebody who administers it removed you"),
    "organization-deleted": gettext_lazy("You deleted it"),
    "": gettext_lazy("It was deleted, or its directory ended it; when is not kept"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a permission is about: what, what it shows now, and the policy's sentence with its clause."""

    what: str
    value: Any = None
    why: str = ""
    clause: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A permission as its person sees it; `more` is where it is steered, `state` what it waits for."""

    kind: str
    key: str
    who: str
    lines: tuple[Line, ...]
    why: str = ""
    sentence: str = ""
    clause: str = ""
    since: datetime | None = None
    until: datetime | None = None
    used: datetime | None = None
    state: str = ""
    mine: bool = True
    more: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Past:
    """A permission that is over; with a form, it can begin anew."""

    kind: str
    who: str
    what: str
    since: datetime | None
    until: datetime | None
    key: str = ""
    form: ApplicationAnswer | None = None

    def last(self) -> datetime:
        """Return the last moment that is known of it."""
        return self.until or self.since or datetime.min.replace(tzinfo=UTC)


@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """List them all, or those of a kind, and what is over."""
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else ""
    standing = [(each, _standing(request, each)) for each in ([kind] if kind else KINDS)]
    past = sorted((p for each, _cards in standing for p in PAST[each](request)), key=Past.last, reverse=True)
    groups = [{"kind": each, "title": KINDS[each], "cards": cards} for each, cards in standing]
    context = {"groups": groups, "kind": kind, "kinds": KINDS.items(), "past": past, "deal": _deal()}
    return render(request, "me/permissions.html", context)


def _deal() -> list[Any]:
    """Return the policy's own clauses on whose permissions are, and their sentences."""
    duties = map(published.current().policy.duty, ("own-permissions", "agreed-permissions", "authorised"))
    return [(duty.clause.name, sentence(duty.clause.name)) for duty in duties if duty]


def _standing(request: HttpRequest, kind: str) -> list[Card]:
    return list(STANDING[kind](request))


def _applications(request: HttpRequest) -> Iterator[Card]:
    subject = request.user.subject  # type: ignore[union-attr]
    for grant in applications.grants(request.viewer):  # type: ignore[attr-defined]
        if grant.until is None:
            scopes = ["profile", "email", "phone", "organization"]
            told = applications.told(subject, grant.application, scopes)
            claims = listed(grant.permitted, frozenset(grant.claims))
            lines = [Line(c["category"], told.get(c["name"]), c["why"], c["clause"]) for c in claims]
            withheld = listed(tuple(map(parsed, sorted(set(grant.offered) - set(grant.claims)))))
            extra: dict[str, Any] = {"application": grant.application, "withheld": [c["category"] for c in withheld]}
            extra |= {"form": _answer(grant), "sends": sends(grant.application)}
            yield Card(
                "applications",
                grant.application,
                grant.name,
                tuple(lines),
                since=grant.at,
                until=grant.expires_at,
                used=grant.used_at,
                extra=extra,
            )


def _answer(grant: Grant, posted: QueryDict | None = None) -> ApplicationAnswer:
    words = {claim["written"]: claim["category"] for claim in listed(grant.permitted)}
    return ApplicationAnswer(posted, held=grant, words=words)


def _people(request: HttpRequest) -> Iterator[Card]:
    clauses = {each.category: each.clause for each in permissions.grantable()}
    for grant in permissions.grants(request.viewer):  # type: ignore[attr-defined]
        if (grant.live or grant.waiting) and not (grant.agreed and grant.mine):
            known = [c for c in grant.categories if c in clauses]
            lines = tuple(Line(each["words"], clause=clauses[each["name"]]) for each in said(known, mine=grant.mine))
            clause = clauses[known[0]] if known else ""
            who = grant.other or grant.address or _("Somebody with your link")
            yield Card(
                "people", str(grant.given), who, lines, grant.reason,
                sentence(clause) if clause else "", clause, grant.accepted_at or grant.at, grant.until, grant.used_at,
                _("waits for an answer") if grant.waiting else "", grant.mine,
                reverse("lent", args=[grant.given]), {"records": len(grant.records or ())},
            )  # fmt: skip


def _organizations(request: HttpRequest) -> Iterator[Card]:
    """Yield what the administrators and the members of each may see of the person, by which clause.

    What is seen at this moment is read with an administrator's own rights.
    """
    token = request.viewer  # type: ignore[attr-defined]
    seeing = [(audience, _shown_to(audience)) for audience in (Audience.ADMINISTRATORS, Audience.MEMBERS)]
    looks = looking.last_at_me(token)
    for organization, own in organizations.mine(token) if organizations.are_kept() else ():
        seen = organizations.mirrored(token, organization.organization)
        lines = [Line(_("Name"), seen.name)] if seen and seen.name else []
        known = organizations.roles(token, organization.organization)
        extra = {
            "seeing": [(audience.name.lower(), shown) for audience, shown in seeing],
            "unseen": seen is None,
            "roles": [say(each.role, "member") for each in known if "see" in each.may],
        }
        yield Card(
            "organizations", str(organization.organization), organization.name,
            (*lines, Line(_("Role here"), say(own.role, "member"))), since=own.at,
            used=looks.get(organization.organization), more=reverse("organization", args=[own.organization]),
            extra=extra,
        )  # fmt: skip


def _shown_to(audience: Audience) -> list[Line]:
    """Return the categories that the policy shows an audience of organizations, each clause's once."""
    sights = [each for each in published.current().policy.sights if each.audience is audience]
    speaking = voice(published.current().policy, get_language() or "en")
    return [
        Line(
            capital(speaking.listed(speaking.category(each) for each in sight.categories)),
            why=sentence(sight.clause.name),
            clause=sight.clause.name,
        )
        for sight in sights
    ]


def _staff(request: HttpRequest) -> Iterator[Card]:
    """Yield what support asks to see, and what it may look at now."""
    token = request.viewer  # type: ignore[attr-defined]
    sights = [each for each in published.current().policy.sights if each.audience is Audience.STAFF]
    clause, looks = sights[0].clause.name if sights else "", support.looks(token)
    for each in support.of_me(token):
        if each.state in ("open", "asked"):
            waits = each.state == "asked"
            used = max((look.at for look in looks if look.access == each.access), default=None)
            yield Card(
                "staff", str(each.access), each.name or _("Support"),
                tuple(Line(str(say(area, "area"))) for area in (each.asked_areas if waits else each.areas)),
                each.reason, sentence(clause) if clause else "", clause, each.allowed_at or each.at, each.until, used,
                _("waits for your answer") if waits else "", more=reverse("my_support"),
            )  # fmt: skip


def _past_organizations(request: HttpRequest) -> Iterator[Past]:
    """Yield the memberships that are over, as the person's own entries of the ledger tell them (0049)."""
    token, subject = request.viewer, request.user.subject  # type: ignore[attr-defined, union-attr]
    kept = organizations.mine(token) if organizations.are_kept() else ()
    for each in memberships.over(token, subject, {known.organization: known.name for known, _own in kept}):
        who = each.name or _("An organization that you are in no longer")
        yield Past("organizations", who, str(ENDS[each.by]), each.since, each.until)


def _past_staff(request: HttpRequest) -> Iterator[Past]:
    for each in support.of_me(request.viewer):  # type: ignore[attr-defined]
        if each.state == "ended" and each.allowed_at and each.ended:
            yield Past("staff", each.name or _("Support"), each.reason, each.allowed_at, each.ended)


def _agreed(request: HttpRequest) -> Iterator[Card]:
    token = request.viewer  # type: ignore[attr-defined]
    standing = [each for each in agreed.mine(token) if agreed.stands(each)]
    used = {each.agreed: each.used_at for each in permissions.grants(token) if each.mine and each.agreed}
    for each in standing:
        yield Card(
            "agreed", str(each.agreed), asker(token, each), (), each.reason,
            since=each.answered_at or each.at, until=each.over_at or each.until, used=used.get(each.agreed),
            state="" if each.answer else _("waits for your answer"), more=reverse("agreed", args=[each.agreed]),
            extra={"wording": each.wordings.get(each.language or _language(), ""), "seen": each.purpose is None},
        )  # fmt: skip


def _language() -> str:
    return (get_language() or "en").split("-")[0]


def _purposes(request: HttpRequest) -> Iterator[Card]:
    token = request.viewer  # type: ignore[attr-defined]
    chosen = {each.purpose: each.at for each in reversed(consents.choices(token))}
    for purpose in consents.purposes(token, _language()):
        if purpose.basis is Basis.CONSENT and purpose.on:
            yield Card(
                "purposes", purpose.name, say(purpose.name, "purpose"), tuple(map(Line, purpose.uses)), "",
                purpose.sentence, purpose.clause, chosen.get(purpose.name),
                extra={"no": purpose.no, "rows": purpose.rows},
            )  # fmt: skip


def _past_applications(request: HttpRequest) -> Iterator[Past]:
    known: set[str] = set()
    for grant in applications.grants(request.viewer):  # type: ignore[attr-defined]
        if grant.until is not None:
            what = ", ".join(dict.fromkeys(each["category"] for each in listed(grant.permitted))) or _("nothing")
            again = grant.application not in known and grant.removed_at is None
            form = _answer(grant) if again else None
            yield Past("applications", grant.name, what, grant.at, grant.until, grant.application, form)
        known.add(grant.application)


def _past_people(request: HttpRequest) -> Iterator[Past]:
    for grant in permissions.grants(request.viewer):  # type: ignore[attr-defined]
        if not (grant.live or grant.waiting or grant.agreed):
            what = ", ".join(each["words"] for each in said(grant.categories, mine=grant.mine))
            words = _("You let somebody see something") if grant.mine else _("Somebody let you see something")
            yield Past(
                "people", grant.address or words, what, grant.accepted_at or grant.at, grant.over_at or grant.until
            )


def _past_agreed(request: HttpRequest) -> Iterator[Past]:
    token = request.viewer  # type: ignore[attr-defined]
    for each in agreed.mine(token):
        if each.answer and not agreed.stands(each):
            end = each.over_at or each.answered_at or each.at
            what = _("declined: %(reason)s") % {"reason": each.reason} if each.answer == "declined" else each.reason
            yield Past("agreed", asker(token, each), what, each.answered_at or each.at, end)


def _past_purposes(request: HttpRequest) -> Iterator[Past]:
    since: dict[str, datetime] = {}
    for each in reversed(consents.choices(request.viewer)):  # type: ignore[attr-defined]
        if each.kind == "consent":
            since.setdefault(each.purpose, each.at)
        elif each.kind == "withdrawal" and each.purpose in since:
            yield Past(
                "purposes", say(each.purpose, "purpose"), _("You took your yes back"), since.pop(each.purpose), each.at
            )


STANDING = {
    "applications": _applications,
    "people": _people,
    "organizations": _organizations,
    "staff": _staff,
    "agreed": _agreed,
    "purposes": _purposes,
}
PAST = {
    "applications": _past_applications,
    "people": _past_people,
    "organizations": _past_organizations,
    "staff": _past_staff,
    "agreed": _past_agreed,
    "purposes": _past_purposes,
}


@require_POST
def end_application(request: HttpRequest, application: str) -> HttpResponse:
    """End what one may see; its tokens open nothing from now on."""
    try:
        applications.end(token=request.viewer, application=application)  # type: ignore[attr-defined]
    except ConsentRefusal as refusal:
        messages.error(request, f"{refusal.sentence}; {refusal.advice}")
    else:
        messages.success(request, _("Ended. The application sees nothing of you from this moment on."))
    return redirect(f"{reverse('my_permissions')}?kind=applications")


@require_POST
def renew_application(request: HttpRequest, application: str) -> HttpResponse:
    """Narrow what an application may see, give it another last day, or let what is over begin anew."""
    token = request.viewer  # type: ignore[attr-defined]
    held = applications.newest(token=token, application=application)
    form = _answer(held, request.POST) if held else None
    if held is None or form is None or not form.is_valid():
        wrong = [str(error) for errors in (form.errors if form else {}).values() for error in errors]
        messages.error(request, " ".join([_("Nothing was changed."), *wrong]))
    else:
        day = form.cleaned_data["until"]
        kept = [claim for claim in held.permitted if claim.written in form.cleaned_data.get("claims", ())]
        try:
            applications.renew(token=token, application=application, kept=kept, until=end_of(day) if day else None)
        except ConsentRefusal as refusal:
            messages.error(request, f"{refusal.sentence}; {refusal.advice}")
        else:
            messages.success(request, _("Changed. It holds from this moment on."))
    return redirect(f"{reverse('my_permissions')}?kind=applications")
