"""Agreeing to what is in force, or not."""

from typing import Any
from uuid import UUID

from allauth.account.internal.stagekit import clear_login
from allauth.account.stages import LoginStageController
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from troth.consent import actions, coming, queries
from troth.consent.errors import OutdatedAgreement
from troth.database import published
from troth.people import actions as people
from troth.people import staffing
from troth.people.staffing import Role
from troth.policy import explain
from troth.policy.compare import compare
from troth.policy.differences import reaching
from troth.policy.meaning import Policy
from troth.policy.voice import LANGUAGES
from troth.web import operating
from troth.web.provider.onward import after_agreement
from troth.web.stages import DECLINED, SAID_NO, AgreementStage, LateAgreementStage
from troth.web.views.leaving import forgetting
from troth.web.views.policy import differences
from troth.web.views.touching import touched_since


@require_http_methods(["GET", "HEAD", "POST"])
def agree(request: HttpRequest) -> HttpResponse:
    """Ask for the agreement: of somebody on the way in, or of somebody signed in whom a new version reached."""
    enter = LoginStageController.enter
    stage = enter(request, AgreementStage.key) or enter(request, LateAgreementStage.key)
    account: Any = stage.login.user if stage else request.user
    if stage is None and not request.user.is_authenticated:
        return redirect("account_login")
    if stage is None and request.standing.agreed:  # type: ignore[attr-defined]
        return redirect("me")
    if request.method != "POST" and account is not None and coming.bind(account.subject):
        return stage.exit() if stage else after_agreement(request)
    told, problem = request.POST.get("answer"), ""
    if told == "decline" or (told == "later" and _has_agreed(account)):
        return _decline(request, stage, account)
    if told == "agree":
        problem = _agree(request, account)
        if not problem:
            return stage.exit() if stage else after_agreement(request)
    context = _context(request, account) | {"problem": problem}
    return render(request, "agree.html", context, status=409 if problem else 200)


def _context(request: HttpRequest, account: Any) -> dict[str, Any]:  # noqa: ANN401 - None: an address that is taken
    now = published.current()
    before = queries.standing(account.subject).version if account else 0
    mine = touched_since(request, account, before) if before else None
    return _changed(before, now.policy) | {
        "now": now,
        "mine": mine,
        "purposes": _purposes(now.policy, before),
        "sections": explain.sections(now.policy, get_language() or "en"),
        "rows": explain.table(now.policy, get_language() or "en"),
        "before": before,
        "declined": request.session.get(SAID_NO) == now.version,
        "wording": wording(now.version),
    }


def _changed(before: int, policy: Policy) -> dict[str, Any]:
    old = _known(before)
    return differences(old, policy) if old is not None else {}


def _known(version: int) -> Policy | None:
    return next((each.published.policy for each in published.history() if each.published.version == version), None)


def _purposes(policy: Policy, before: int) -> list[dict[str, Any]]:
    """Return each purpose with its sentence, uses and change; the first that is new or reaches further is open."""
    language = get_language() or "en"
    old = _known(before)
    compared = compare(old, policy) if old is not None else None
    changed = dict.fromkeys(reaching(compared), "wider") | dict.fromkeys(compared.asked, "new") if compared else {}
    opened = next((each.name for each in policy.purposes if each.name in changed), "")
    return [
        {
            "name": each.name,
            "sentence": explain.purpose_sentence(policy, each.name, language),
            "uses": explain.purpose_uses(policy, each.name, language),
            "change": changed.get(each.name, ""),
            "open": each.name == opened,
        }
        for each in policy.purposes
    ]


def wording(version: int) -> str:
    """Return the words that somebody agrees to."""
    return _("I agree to version %(version)s of the policy and to the terms.") % {"version": version}


def read(request: HttpRequest, version: int) -> dict[str, str]:
    """Return the words that a form showed and their language, whatever is chosen in another window meanwhile."""
    told = request.POST.get("language", "")
    language = told if told in LANGUAGES else get_language() or "en"
    with override(language):
        return {"wording": wording(version), "language": language}


def _agree(request: HttpRequest, account: Any) -> str:  # noqa: ANN401 - an account, or None
    now = published.current()
    shown = (request.POST.get("policy"), request.POST.get("terms"))
    if shown != (now.digest, now.terms_digest):
        return _("The policy has changed since this page was opened. Please read it again.")
    if account is None:
        return ""
    try:
        actions.agree(
            account.subject,
            version=now.version,
            policy=now.digest,
            terms=now.terms_digest,
            how="page",
            **read(request, now.version),
        )
    except OutdatedAgreement:
        published.forget()
        return _("The policy has changed since this page was opened. Please read it again.")
    if Role.OWNER in staffing.roles_of(account.subject):
        operating.use_up()
    return ""


def _has_agreed(account: Any) -> bool:  # noqa: ANN401 - an account, or None
    """Whether somebody agreed to an earlier version: a no or a pause leaves what they have as it is."""
    return account is not None and bool(queries.standing(account.subject).version)


def _decline(request: HttpRequest, stage: Any, account: Any) -> HttpResponse:  # noqa: ANN401
    if _has_agreed(account):
        if request.POST.get("answer") == "decline":
            coming.forget_ahead(account.subject)  # what binds in a moment is taken back too
            heard(request, account.subject)
        return _keep_without(request, stage)
    if account is not None:
        people.decline(account)
    if stage is not None:
        clear_login(request)
    logout(request)
    return forgetting(redirect("declined"))


def heard(request: HttpRequest, subject: UUID) -> None:
    """Note somebody's no to what is in force, and say that it was heard."""
    now = published.current()
    actions.decline(subject, version=now.version, policy=now.digest, terms=now.terms_digest)
    said = _("You declined version %(version)s. Your no holds until you agree, which you can at any time.")
    messages.success(request, said % {"version": now.version})
    request.session[SAID_NO] = now.version


def _keep_without(request: HttpRequest, stage: Any) -> HttpResponse:  # noqa: ANN401
    """Let somebody who agreed to an earlier version in as far as that goes: to the ways on, and to no page beyond."""
    request.session[DECLINED] = published.current().version
    answer = stage.exit() if stage is not None else None
    return redirect("declining") if answer is None or request.user.is_authenticated else answer


@require_safe
def declined(request: HttpRequest) -> HttpResponse:
    """Say that nothing is left."""
    return render(request, "declined.html")
