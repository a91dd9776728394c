"""`/me`, "Your data": everything that is held about the person who looks, and what they can do about it."""

from hashlib import sha256

from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.core.internal import ratelimit
from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from troth.consent import actions as consent
from troth.consent import coming as ahead
from troth.consent import permissions
from troth.consent import queries as consents
from troth.consent.errors import ConsentRefusal, OutdatedChoice
from troth.database import connect
from troth.database.viewing import may_correct
from troth.intake import queries as intake
from troth.intake.usual import PURPOSE
from troth.ledger import queries as ledger
from troth.notices import queries as mails
from troth.people import actions as people
from troth.people import linking, organizations, queries, staffing
from troth.people.organizations import Fate
from troth.people.staffing import Role
from troth.rights import actions as rights
from troth.rights import queries as fates
from troth.web import known, operating, usual
from troth.web.charts import by_day
from troth.web.forms import Accesses, Close, Name
from troth.web.mailing import mail
from troth.web.telling import language
from troth.web.views import asking, coming
from troth.web.views.asking import seen
from troth.web.views.errors import crowded, outdated
from troth.web.views.leaving import forgetting

#: Choices that the page lists, the newest; the file of receipts holds all of them.
LISTED = 50
#: What says no, and needs no agreement to be said.
NOES = frozenset({"withdrawal", "refusal", "objection"})
#: Digits of a version's number, at most.
DIGITS = 9


@require_safe
def me(request: HttpRequest) -> HttpResponse:
    """Show it all; once in a session, first of all what comes next and needs an agreement."""
    token = request.viewer  # type: ignore[attr-defined]
    if known.asks(request):
        return redirect("browsers")
    following = ahead.coming(token)
    if coming.unanswered(request, following):
        return redirect("coming")
    with connect.acting("self", token=token) as connection:
        events = ledger.about(connection, request.user.subject, limit=20)  # type: ignore[union-attr]
    context = {
        "usual": usual.first(request),
        "off": f"#purpose-{PURPOSE}",
        "following": following,
        "correctable": may_correct("person", "name"),
        "profile": queries.profile(token),
        "events": events,
        "question": asking.open_question(token),
        "purposes": consents.purposes(token, get_language() or "en"),
        "chart": by_day(intake.by_day(token)),
        "accesses": intake.accesses(token, limit=8),
        "refused": sum(each.count for each in intake.refusals(token)),
        "devices": queries.devices(token),
        "agreements": consents.agreements(token),
        "listed": LISTED,
        "choices": consents.choices(token, most=LISTED),
        "returned": [each.status for each in mails.notices(token, most=1)] == ["bounced"],
    }
    return render(request, "me/me.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def name(request: HttpRequest) -> HttpResponse:
    """Correct one's name."""
    if not may_correct("person", "name"):
        raise Http404
    token = request.viewer  # type: ignore[attr-defined]
    profile = queries.profile(token)
    form = Name(request.POST or None, initial={"name": profile.name if profile else ""})
    if request.method == "POST" and form.is_valid():
        people.correct_name(token=token, name=form.cleaned_data["name"])
        messages.success(request, _("Your name is corrected, everywhere."))
        return redirect("me")
    context = {"form": form, "earlier": queries.earlier_names(token), "linked": linking.linked(token)}
    return render(request, "me/name.html", context, status=422 if form.errors else 200)


@require_safe
def accesses(request: HttpRequest) -> HttpResponse:
    """Show accesses, filtered and by page."""
    token = request.viewer  # type: ignore[attr-defined]
    form = Accesses(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    found = intake.accesses(
        token, before=asked.get("before"), day=asked.get("day"), path=asked.get("path", ""), limit=intake.PAGE + 1
    )
    context = {
        "form": form,
        "accesses": found[: intake.PAGE],
        "more": found[intake.PAGE - 1].at if len(found) > intake.PAGE else None,
        "filtered": bool(asked.get("day") or asked.get("path")),
        "chart": by_day(intake.by_day(token)),
        "lendable": "access" in permissions.apart(),
    }
    return render(request, "me/accesses.html", context, status=422 if form.errors else 200)


@require_POST
def choose(request: HttpRequest, purpose: str, *, back: str = "me") -> HttpResponse:
    """Switch a purpose on or off, or, of whoever may not have agreed, off; it holds from the next statement on."""
    token, kind = request.viewer, request.POST.get("kind", "")  # type: ignore[attr-defined]
    if not token:
        return redirect("agree")
    if back != "me" and kind not in NOES:
        messages.error(request, _("Here you can only say no. To allow more, agree first."))
        return redirect(back)
    try:
        consent.choose(token=token, purpose=purpose, kind=kind, seen=seen(request))
    except OutdatedChoice:
        return outdated(request)
    except ConsentRefusal as refusal:
        messages.error(request, f"{refusal.sentence}; {refusal.advice}")
        return redirect(back)
    request.standing = consents.standing(request.user.subject)  # type: ignore[attr-defined, union-attr]
    tags = purpose if back == "me" else ""  # shown there where the purpose stands
    messages.success(request, _("Done. It holds from this moment on."), extra_tags=tags)
    return redirect(f"/me#purpose-{purpose}" if back == "me" else back)


@require_http_methods(["GET", "HEAD", "POST"])
def close(request: HttpRequest) -> HttpResponse:
    """Close the account, after saying what goes and what stays."""
    if not ratelimit.consume(request, app="allauth.account", action="reauthenticate"):
        return crowded(request)
    if not request.user.has_usable_password():  # type: ignore[union-attr]
        raise_if_reauthentication_required(request, app="troth")
    form = Close(request.user, request.POST if request.method == "POST" else None)
    ending = organizations.fates(request.viewer) if organizations.are_kept() else []  # type: ignore[attr-defined]
    read, agreed = _digest(ending), request.standing.version  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        if request.POST.get("read", "") == read and _closes(request, ending):
            request.account_ended = True  # type: ignore[attr-defined]
            logout(request)
            bound = f"?agreed={agreed}" if fates.fates(agreed=agreed) != fates.fates() else ""
            return forgetting(redirect(reverse("closed") + bound))
        form.add_error(
            None, _("What becomes of your organizations has changed. Read it again, then close your account.")
        )
        ending = organizations.fates(request.viewer) if organizations.are_kept() else []  # type: ignore[attr-defined]
        read = _digest(ending)
    mine = fates.fates(language(), request.viewer, agreed=agreed)  # type: ignore[attr-defined]
    context = {"form": form, "fates": mine, "read": read, "organizations": _said(request, ending), "told": _told(mine)}
    return render(request, "me/close.html", context, status=422 if form.errors else 200)


def _closes(request: HttpRequest, ending: list[Fate]) -> bool:
    """Close the account; return whether it was, which it is not where something else would become of organizations."""
    owned = Role.OWNER in staffing.roles_of(request.user.subject)  # type: ignore[union-attr]
    mine = fates.fates(language(), request.viewer, agreed=request.standing.version)  # type: ignore[attr-defined]
    words = mail("closed", {"fates": mine, "at": timezone.now()}) | {"language": language()}
    try:
        rights.close(request.user, fates=ending, mail=words)  # type: ignore[arg-type]
    except rights.FatesChanged:
        return False
    if owned and not staffing.has_owner():
        operating.renew()
    return True


def _told(mine: list[fates.Fate]) -> bool:
    """Whether a mail says that the account was closed: the policy keeps the address for a while."""
    return any(each.table == "person" and not each.goes_at_once for each in mine)


def _digest(ending: list[Fate]) -> str:
    """Return what names the fates that were shown; empty for somebody without organizations."""
    told = "\n".join(f"{each.organization} {each.fate} {each.heir}" for each in ending)
    return sha256(told.encode()).hexdigest() if ending else ""


def _said(request: HttpRequest, ending: list[Fate]) -> list[dict[str, object]]:
    """Return them with the name of whoever inherits, as an owner sees it who has agreed to what is in force."""
    said: list[dict[str, object]] = []
    for each in ending:
        told = each.heir if request.standing.agreed else None  # type: ignore[attr-defined]
        heir = organizations.member(request.viewer, each.organization, told) if told else None  # type: ignore[attr-defined]
        said.append({"each": each, "heir": heir.name if heir else None})
    return said


@require_safe
def closed(request: HttpRequest) -> HttpResponse:
    """Say that it is done; `agreed` in the address is the version that whoever comes here had agreed to last."""
    agreed = request.GET.get("agreed", "")
    version = int(agreed) if agreed.isdecimal() and len(agreed) <= DIGITS else 0
    return render(request, "me/closed.html", {"fates": fates.fates(language(), agreed=version)})
