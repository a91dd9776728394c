"""Publishing with two persons: propose a version, see what it changes, approve what another proposed."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from troth.consent import coming, publishing, scheduling
from troth.consent.errors import ProposalClosed, SamePerson
from troth.consent.publishing import Proposal
from troth.database import published
from troth.database.published import Published
from troth.notices import queries
from troth.notices.queries import NOBODY, Send
from troth.policy import parse
from troth.policy.compare import Direction, Verdict, compare
from troth.policy.differences import Differing
from troth.policy.errors import PolicyErrors
from troth.policy.meaning import Policy
from troth.policy.plan import plan
from troth.web.staff import unconfirmed
from troth.web.views.policy import compared, differences, language

LONGEST = 256 * 1024
#: Seconds for which a page waits for the keeper after an approval, and between two looks.
PATIENCE, LOOK = 6.0, 0.2
#: And until it has counted whom a proposal would touch.
BRIEFLY = 2.0


#: What the operator may ask of people beyond what follows from the changes.
RAISED = (
    (Verdict.EDITORIAL, gettext_lazy("what follows from the changes")),
    (Verdict.NOTIFY, gettext_lazy("at least that people are told by mail")),
    (Verdict.AGREE_AGAIN, gettext_lazy("that everybody agrees again")),
)


class Propose(forms.Form):
    """A policy's source, the terms that go with it, and what it asks of people."""

    source = forms.CharField(
        label=gettext_lazy("Policy"),
        max_length=LONGEST,
        strip=False,
        widget=forms.Textarea({"rows": "16", "spellcheck": "false", "autocomplete": "off", "dir": "ltr"}),
    )
    terms = forms.CharField(
        label=gettext_lazy("Terms"), max_length=LONGEST, strip=False, widget=forms.Textarea({"rows": "6"})
    )
    raised = forms.TypedChoiceField(
        label=gettext_lazy("What it asks of people"),
        choices=[(int(verdict), words) for verdict, words in RAISED],
        coerce=lambda told: Verdict(int(told)),
        empty_value="0",
        required=False,
    )

    def clean_source(self) -> str:
        """Refuse what is no policy, each error with its place, and what the tables cannot hold to."""
        text = str(self.cleaned_data["source"]).replace("\r\n", "\n")
        try:
            plan(parse.read(text, _("the proposal")), published.current().catalog)
        except PolicyErrors as errors:
            raise forms.ValidationError(str(errors), code="policy") from errors
        return text

    def clean_raised(self) -> Verdict:
        """Ask nothing beyond the changes where nobody says so."""
        return Verdict(int(self.cleaned_data["raised"]))

    def clean_terms(self) -> str:
        """Keep the lines as they are in a file."""
        return str(self.cleaned_data["terms"]).replace("\r\n", "\n")


@require_http_methods(["GET", "HEAD", "POST"])
def proposals(request: HttpRequest) -> HttpResponse:
    """List what was proposed, and propose a version."""
    now = published.current()
    form = Propose(request.POST or None, initial={"source": now.source, "terms": now.terms})
    viewer = request.viewer  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        made = publishing.propose(viewer=viewer, **form.cleaned_data)
        _await(request, made, counted=True)
        return redirect("proposal", made)
    known, there = publishing.proposals(viewer), scheduling.coming()
    editions = [each.published for each in published.history()]
    context = {
        "form": form,
        "proposals": [(each, _named(each, editions)) for each in known],
        "waiting": there,
        "proposed": there and next((each for each in known if each.waits_until and each.digest == there.digest), None),
    }
    return render(request, "operator/publishing.html", context, status=422 if form.errors else 200)


@require_safe
def proposal(request: HttpRequest, proposal: UUID) -> HttpResponse:
    """Show what a proposal changes, who approved it, and what became of it."""
    found = _found(request, proposal)
    now = published.current()
    policy = parse.read(found.source, _("the proposal"), settled=True)
    raised = Verdict(found.raised)
    standing = publishing.standing(found.source, found.terms, raised)
    context: dict[str, Any] = {
        "proposal": found,
        "policy": policy,
        "terms_differ": found.terms_digest != now.terms_digest,
        "two": standing.two,
        "later": scheduling.later(policy),
        "raised": dict(RAISED)[raised] if raised > compared(now.policy, policy).verdict else "",
        "counts": _counts(found, Differing(now.policy, policy, language())),
        "channel": coming.channel(now.policy),
        "tellings": _tellings(policy.version) if found.outcome == "published" or found.waits_until else [],
        "confirm": request.method == "GET" and not found.mine and found.closed_at is None,
    }
    # What is in force already differs from itself in nothing.
    return render(request, "operator/proposal.html", context | differences(now.policy, policy))


@require_POST
def answer(request: HttpRequest, proposal: UUID) -> HttpResponse:
    """Approve a proposal, or withdraw it."""
    way = unconfirmed(request)
    if way is not None:
        return way
    _found(request, proposal)
    act = {"approve": publishing.approve, "withdraw": publishing.withdraw}.get(request.POST.get("answer", ""))
    if act is None:
        raise Http404
    try:
        act(viewer=request.viewer, proposal=proposal)  # type: ignore[attr-defined]
    except SamePerson:
        messages.error(request, _("Another person must approve what you propose."))
    except ProposalClosed:
        messages.error(request, _("This proposal is not open any more."))
    else:
        _await(request, proposal)
    return redirect("proposal", proposal)


@dataclass(frozen=True, slots=True)
class Named:
    """What a proposal is called: its version, and how many differences it has from the one before, by direction.

    `superseded` says that it was in force and another is now. A text that cannot be read any more has no version.
    """

    version: int | None
    superseded: bool
    changes: Sequence[tuple[str, int]]


def _named(proposal: Proposal, editions: Sequence[Published]) -> Named:
    """Say it of a proposal among the versions that were ever in force, the newest first."""
    try:
        version = _read(proposal.source).version
    except PolicyErrors:
        return Named(None, superseded=False, changes=())
    before = next((each for each in editions if each.version < version), None)
    superseded = proposal.outcome == "published" and editions[0].version > version
    return Named(version, superseded, _changes(before.source, proposal.source, language()) if before else ())


@lru_cache(maxsize=64)
def _read(source: str) -> Policy:
    return parse.read(source, "a proposal", settled=True)


@lru_cache(maxsize=256)
def _changes(old: str, new: str, tongue: str) -> Sequence[tuple[str, int]]:
    """Return how many differences go in which direction, each in the reader's words."""
    policies = _read(old), _read(new)
    said, found = Differing(*policies, tongue), Counter(each.direction for each in compare(*policies).deltas)
    return tuple((said.new.say("directions", each), found[each]) for each in Direction if found[each])


def _tellings(version: int) -> list[tuple[coming.Telling, Send]]:
    """Return how far people were told of a version, each way with its counts."""
    sends = queries.sends()
    none = Send(NOBODY, 0, 0, 0, 0, 0, 0)
    return [(each, sends.get(each.telling, none)) for each in coming.tellings() if each.version == version]


def _counts(found: Proposal, said: Differing) -> dict[str, Any] | None:
    """Return whom a proposal would touch, each purpose in the reader's words."""
    if found.counts is None or "problem" in found.counts:
        return None
    purposes = [each | {"said": said.purpose(each["purpose"])} for each in found.counts["purposes"]]
    return {**found.counts, "purposes": purposes}


def _await(request: HttpRequest, proposal: UUID, *, counted: bool = False) -> None:
    """Give the keeper a moment, so that the page can say what became of it, or whom it would touch."""
    deadline = time.monotonic() + (BRIEFLY if counted else PATIENCE)
    while time.monotonic() < deadline:
        found = _found(request, proposal)
        if found.closed_at is not None or found.waits_until is not None or (counted and found.counts is not None):
            break
        time.sleep(LOOK)
    published.forget()


def _found(request: HttpRequest, proposal: UUID) -> Proposal:
    for each in publishing.proposals(request.viewer):  # type: ignore[attr-defined]
        if each.proposal == proposal:
            return each
    raise Http404
