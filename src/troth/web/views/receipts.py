"""Receipts: what somebody agreed to or chose, as a page and as a sealed file that is checked without this service."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from troth.consent import receipts
from troth.consent.errors import NoSuchRecord
from troth.consent.receipts import Receipt
from troth.database import published
from troth.policy.explain import purpose_sentence, purpose_uses
from troth.web.views.policy import language

KINDS: Mapping[str, Callable[..., Receipt]] = {"agreement": receipts.agreement, "choice": receipts.choice}


@require_safe
def receipt(request: HttpRequest, kind: str, which: uuid.UUID) -> HttpResponse:
    """Show the receipt of one agreement or choice."""
    found = _found(request, kind, which)
    policy = next(
        each.published.policy for each in published.history() if each.published.version == found.facts.version
    )
    covered = [each for each in policy.purposes if found.facts.purpose in ("", each.name)]
    names = {each.name for each in covered}
    context = {
        "receipt": found,
        "policy": policy,
        "purposes": [
            (purpose_sentence(policy, each.name, language()), purpose_uses(policy, each.name, language()))
            for each in covered
        ],
        "recipients": dict.fromkeys(share.recipient for share in policy.shares if share.purpose in names),
        "facts": found.facts,
        "kind": kind,
        "at": datetime.fromisoformat(found.facts.at),
        "sentence": purpose_sentence(policy, found.facts.purpose, language()) if found.facts.purpose else "",
        "clause": policy.purpose(found.facts.purpose).clause.name if found.facts.purpose else "",
        "key": receipts.key(),
    }
    return render(request, "me/receipt.html", context)


@require_safe
def receipt_file(request: HttpRequest, kind: str, which: uuid.UUID) -> HttpResponse:
    """Hand the receipt out as JSON-LD, to be kept."""
    found = _found(request, kind, which)
    response = HttpResponse(found.content, content_type="application/ld+json")
    response.headers["Content-Disposition"] = f'attachment; filename="receipt-{found.facts.key}.jsonld"'
    return response


@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """Hand every receipt out in one file, to be kept."""
    content = receipts.history(token=request.viewer, address=settings.BASE_URL)  # type: ignore[attr-defined]
    response = HttpResponse(content, content_type="application/ld+json")
    response.headers["Content-Disposition"] = 'attachment; filename="receipts.jsonld"'
    return response


@require_safe
def key(_request: HttpRequest) -> HttpResponse:
    """Answer with the key by which receipts are believed."""
    return HttpResponse(f"{receipts.key()}\n", content_type="text/plain; charset=utf-8")


def _found(request: HttpRequest, kind: str, which: uuid.UUID) -> Receipt:
    if kind not in KINDS:
        raise Http404
    try:
        return KINDS[kind](token=request.viewer, which=which, address=settings.BASE_URL)  # type: ignore[attr-defined]
    except NoSuchRecord as refusal:
        raise Http404 from refusal
