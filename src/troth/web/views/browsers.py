"""`/browser`: being known without an account, after a yes; `/me/browsers`: what of it people tied to accounts."""

import json
import uuid
from contextlib import suppress
from typing import Any

from allauth.core.internal import ratelimit
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from troth.consent import actions, identifiers, queries
from troth.consent import browsers as applications
from troth.consent.errors import ConsentRefusal, NoSuchIdentifier, OutdatedAgreement
from troth.database import published
from troth.database.catalog import load as load_catalog
from troth.intake import queries as intake
from troth.intake import timeline
from troth.intake.timeline import PAGE
from troth.people import authorizing
from troth.policy import explain
from troth.policy.meaning import Occasion, Whose
from troth.web import known
from troth.web.views.agreement import read, wording
from troth.web.views.errors import crowded
from troth.web.views.timeline import told

#: Records of each kind in a file, at most.
SAVED = 10_000
#: Of what a browser that is known leaves something.
LEFT = frozenset(table.name for table in load_catalog().stamped if Occasion.COOKIE in table.occasions)


@require_http_methods(["GET", "HEAD", "POST"])
def browser(request: Any) -> HttpResponse:  # noqa: ANN401 - a request on which it is known who asks
    """Ask whether this browser may be known without an account, or show what is held under its identifier."""
    if request.user.is_authenticated:
        return redirect("browsers")
    if not (identifiers.offered(published.current()) and known.days()) and request.identifier is None:
        raise Http404
    if request.method == "POST":
        return _answered(request)
    if request.identifier is None or not request.identifier.agreed:
        return _asked(request)
    if "save" in request.GET:
        return _saved(request)
    knowing = applications.knowing(request.browser)
    last = timeline.last_told(request.browser, of=LEFT)
    context = {
        "identifier": request.identifier,
        "knowing": [{"knows": each, "last": last.get(each.application)} for each in knowing],
    }
    return _shown(request, "browser.html", request.browser, context)


def _asked(request: Any, problem: str = "") -> HttpResponse:  # noqa: ANN401 - as above
    context = asking(request) | {"problem": problem}
    return render(request, "browser-asked.html", context, status=409 if problem else 200)


def asking(request: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Return what is said before anybody says yes: what it allows, for what, and what they agree to."""
    now, language = published.current(), get_language() or "en"
    clauses = {each.clause.name for each in now.policy.collections if each.occasion.whose is Whose.IDENTIFIER}
    sections = explain.sections(now.policy, language)
    return {
        "now": now,
        "again": request.identifier is not None,
        "purposes": [
            {"name": name, "sentence": explain.purpose_sentence(now.policy, name, language)}
            for name in identifiers.offered(now)
        ],
        "sentences": [each for section in sections for each in section.sentences if each.clause in clauses],
        "sections": sections,
        "rows": explain.table(now.policy, language),
        "days": known.days(),
        "wording": wording(now.version),
    }


def _answered(request: Any) -> HttpResponse:  # noqa: ANN401 - as above
    answer = request.POST.get("answer", "")
    if answer == "yes":
        return _remembered(request)
    if request.identifier is not None:
        with suppress(NoSuchIdentifier):  # pressed twice
            identifiers.end(request.browser)
        messages.success(request, _("Forgotten. Nothing knows this browser any more."))
        return known.forget(request, redirect("browser"))
    messages.info(request, _("Nothing was kept. You stay unknown."))
    return redirect("home")


def _remembered(request: Any) -> HttpResponse:  # noqa: ANN401 - as above
    if not ratelimit.consume(request, app="allauth.account", action="signup"):
        return crowded(request)
    try:
        value = agreed(request)
    except Unagreed as problem:
        return _asked(request, str(problem))
    return known.remember(redirect("browser"), value) if request.identifier is None else redirect("browser")


class Unagreed(Exception):
    """A form says no yes that could hold; the words say why."""


def agreed(request: Any) -> str:  # noqa: ANN401 - as above
    """Let this browser be known as its user said, or bind what it is known by; return its token. Raises Unagreed."""
    now = published.current()
    offered = identifiers.offered(now)
    chosen = [name for name in offered if name in request.POST.getlist("purpose")] if len(offered) > 1 else offered
    outdated = _("The policy has changed since this page was opened. Please read it again.")
    if (request.POST.get("policy"), request.POST.get("terms")) != (now.digest, now.terms_digest):
        raise Unagreed(outdated)
    if not chosen:
        raise Unagreed(_("Say for what, or say no."))
    agreement = {"version": now.version, "policy": now.digest, "terms": now.terms_digest, "how": "browser"}
    agreement |= read(request, now.version)
    try:
        if request.identifier is None:
            return identifiers.remember(purposes=chosen, days=known.days(), **agreement)
        identifiers.agree_again(request.identifier, **agreement)
    except OutdatedAgreement as error:
        published.forget()
        raise Unagreed(outdated) from error
    for purpose in offered:  # what they said yes to before, and do not now, is a no
        actions.choose(token=request.browser, purpose=purpose, kind="consent" if purpose in chosen else "refusal")
    return str(request.browser)


def _saved(request: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """Answer with everything that is held under the identifier, as a file."""
    token, found = request.browser, request.identifier
    held = {
        "known_since": found.since,
        "forgotten_at_the_latest": found.until,
        "agreements": [known.plain(each) for each in queries.agreements(token)],
        "choices": [known.plain(each) for each in queries.choices(token)],
        "accesses": [known.plain(each) for each in intake.accesses(token, limit=SAVED)],
        "applications": [known.plain(each) for each in applications.knowing(token)],
    }
    for table, listed in (("page_view", intake.page_views), ("feature_use", intake.feature_uses)):
        if table in timeline.tables():
            held[f"{table}s"] = [known.plain(each) for each in listed(token, limit=SAVED)]
    response = HttpResponse(json.dumps(held, default=str, indent=1), content_type="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="this-browser.json"'
    return response


def _shown(request: HttpRequest, template: str, token: str, context: dict[str, Any]) -> HttpResponse:
    before = request.GET.get("before", "")
    of = [name for name in timeline.tables() if name in LEFT]
    try:
        found = timeline.items(token, of=of, before=before, limit=PAGE + 1, whose=Whose.IDENTIFIER)
    except ValueError as error:
        raise Http404 from error
    named = {each.application: each.name for each in authorizing.applications()}
    for item in found:
        item.deleted_by = ""  # each of them goes with all of them
    context |= {
        "items": [told(item, named) for item in found[:PAGE]],
        "more": found[PAGE - 1].place if len(found) > PAGE else "",
        "later": bool(before),
    }
    return render(request, template, context)


@require_POST
def end_application(request: Any, application: str) -> HttpResponse:  # noqa: ANN401 - as above
    """End what an application knows of this browser."""
    try:
        applications.end(request.browser, application)
    except ConsentRefusal:
        messages.error(request, _("There is no such application."))
    else:
        messages.success(request, _("Ended. What it tells of this browser from now on is refused."))
    return redirect("browser")


@require_safe
def browsers(request: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """Show what the viewer tied to their account; ask about this browser, if it is known by itself."""
    plan = published.current().plan
    mine = known.untied(request)
    context = {
        "tied": identifiers.tied(request.viewer),
        "possible": bool(plan.tying),
        "clause": plan.tying,
        "mine": mine,
        "left": intake.many_accesses(request.browser) if mine and mine.agreed else 0,
    }
    return render(request, "me/browsers.html", context)


@require_POST
def tie(request: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """Tie what this browser left to the viewer's account, or leave it apart."""
    if request.POST.get("answer") != "tie":
        messages.info(request, _("Left apart. You are not asked again."))
        return redirect("me")
    try:
        identifiers.tie(token=request.viewer, browser=request.browser)
    except ConsentRefusal:
        messages.error(request, _("This browser is known by nothing that could be tied."))
    else:
        messages.success(request, _("Tied. You can take it back at any time."))
    return redirect("browsers")


@require_safe
def left(request: Any, identifier: uuid.UUID) -> HttpResponse:  # noqa: ANN401 - as above
    """Show what one tied identifier left, apart from everything else."""
    found = next((each for each in identifiers.tied(request.viewer) if each.identifier == identifier), None)
    if found is None:
        raise Http404
    token = identifiers.look(token=request.viewer, identifier=identifier)
    return _shown(request, "me/browser.html", token, {"found": found})


@require_POST
def part(request: Any, identifier: uuid.UUID) -> HttpResponse:  # noqa: ANN401 - as above
    """Untie an identifier, or end it with what it left."""
    try:
        if request.POST.get("answer") == "end":
            identifiers.end(identifiers.look(token=request.viewer, identifier=identifier))
            messages.success(request, _("Forgotten, with everything that no window keeps."))
        else:
            identifiers.untie(token=request.viewer, identifier=identifier)
            messages.success(request, _("Untied. It is nobody's that we know of any more."))
    except NoSuchIdentifier:
        messages.error(request, _("There is no such browser."))
    return redirect("browsers")
