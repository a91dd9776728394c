"""The policy for people: its sentences with what became of them, its versions, what changed, and every promise."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from troth.consent import handover, scheduling
from troth.database import probes, published
from troth.database.catalog import Declared
from troth.policy import coverage, explain, parse
from troth.policy.compare import Comparison, Direction, compare
from troth.policy.coverage import Covered, Promise, Status
from troth.policy.differences import Differing
from troth.policy.meaning import Policy
from troth.policy.sides import pairs
from troth.policy.voice import voice
from troth.policy.widening import opened

#: What pairs of versions open, by their digests: it takes plans of both, and stays.
OPENED: dict[tuple[str, str, Declared], frozenset[str]] = {}
REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence with what became of its clause, in the reader's words."""

    sentence: explain.Sentence
    status: Status | None
    words: str


def language() -> str:
    """Return the reader's language."""
    return get_language() or "en"


@lru_cache(maxsize=8)
def covered(_digest: str, _declared: Declared) -> tuple[dict[str, Covered], tuple[Promise, ...]]:
    """Return clauses and promises of the version in force, which is looked at once for each text."""
    now = published.current()
    catalog = now.catalog
    known = dict(coverage.clauses(now.policy, now.plan, catalog))
    return known, coverage.promises(now.policy, now.plan, catalog)


@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    """Show the policy in plain sentences, each with its status."""
    now = published.current()
    known = covered(now.digest, now.declared)[0]
    speaking = voice(now.policy, language())
    sections = [
        (section, [_said(sentence, known, speaking.words["status"]) for sentence in section.sentences])
        for section in explain.sections(now.policy, language())
    ]
    context = {
        "next": scheduling.coming(),
        "policy": now.policy,
        "sections": sections,
        "rows": explain.table(now.policy, language()),
        "minutes": explain.minutes(now.policy, language()),
    }
    return render(request, "policy/policy.html", context)


def _said(sentence: explain.Sentence, known: dict[str, Covered], words: dict[str, str]) -> Said:
    found = known.get(sentence.clause)
    return Said(sentence, found.status, words[found.status]) if found else Said(sentence, None, "")


@require_safe
def text(_request: HttpRequest) -> HttpResponse:
    """Answer with the policy as plain text."""
    return HttpResponse(
        explain.as_text(published.current().policy, language()), content_type="text/plain; charset=utf-8"
    )


@require_safe
def versions(request: HttpRequest) -> HttpResponse:
    """List every version, and what each asked of people."""
    editions = published.history()
    rows = []
    for edition, before in zip(editions, (*editions[1:], None), strict=True):
        verdict = None
        if before is not None:
            old, new = before.published.policy, edition.published.policy
            verdict = Differing(old, new, language()).verdict(compared(old, new))
        rows.append({"edition": edition, "before": before, "verdict": verdict})
    changes = [{"at": each.at, "version": each.version, "entry": each.entry} for each in handover.changes()]
    context = {"rows": rows, "changes": changes, "next": scheduling.coming()}
    return render(request, "policy/versions.html", context)


@require_safe
def comparison(request: HttpRequest, old: int, new: int) -> HttpResponse:
    """Show two versions side by side, the one that waits for its day too, and what it means for the reader."""
    known = {edition.published.version: edition.published.policy for edition in published.history()}
    there = scheduling.coming()
    if there is not None and there.version in (old, new):
        known.setdefault(there.version, parse.read(there.source, "next", settled=True))
    if old not in known or new not in known:
        raise Http404
    context = differences(known[old], known[new])
    context["next"] = there if there is not None and there.version == new else None
    return render(request, "policy/compare.html", context)


def compared(old: Policy, new: Policy) -> Comparison:
    """Compare two versions, and what they open over the tables of now."""
    now = published.current()
    key = (old.digest, new.digest, now.declared)
    if key not in OPENED:
        if len(OPENED) > REMEMBERED:
            OPENED.clear()
        OPENED[key] = opened(old, new, now.catalog)
    return compare(old, new, OPENED[key])


def differences(old: Policy, new: Policy) -> dict[str, Any]:
    """Return how two versions differ, in the reader's language, for `policy/differences.html`."""
    found, differing = compared(old, new), Differing(old, new, language())
    lines = differing.lines(found)
    groups = [
        (direction, differing.new.say("directions", direction), [line for line in lines if line.direction is direction])
        for direction in Direction
    ]
    return {
        "old": old,
        "new": new,
        "verdict": differing.verdict(found),
        "groups": [group for group in groups if group[2]],
        "pairs": list(pairs(old, new, language())),
    }


@require_safe
def promises(request: HttpRequest) -> HttpResponse:
    """Show each promise with its clauses, what they became, the tests that attack it, and what probes last found."""
    now = published.current()
    speaking = voice(now.policy, language())
    found = probes.latest()
    tiles = [_tile(promise, found, speaking.words) for promise in covered(now.digest, now.declared)[1]]
    counts = [
        (status, speaking.words["status"][status], sum(tile["promise"].status is status for tile in tiles))
        for status in Status
    ]
    return render(request, "policy/promises.html", {"tiles": tiles, "counts": [c for c in counts if c[2]]})


def _tile(promise: Promise, found: list[probes.Found], words: Any) -> dict[str, Any]:  # noqa: ANN401 - nested words
    live = [each for each in found if promise.name in each.probe.promises]
    broken = [each for each in live if each.ok is False]
    return {
        "promise": promise,
        "title": words["promises"][promise.name],
        "words": words["status"][promise.status],
        "clauses": [(each, words["status"][each.status]) for each in promise.clauses],
        "live": live,
        "broken": broken,
    }
