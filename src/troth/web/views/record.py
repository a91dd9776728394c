"""What auditors read: the ledger, what the probes found, and counts; never a person."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from troth.database import connect, probes
from troth.ledger import queries as ledger

PAGE = 100


@require_safe
def record(request: HttpRequest) -> HttpResponse:
    """Show the newest entries with their facts: who and whom are salted digests, which tell nobody anything."""
    asked = request.GET.get("before", "")
    before = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 18 else ledger.LAST  # noqa: PLR2004 - a bigint
    with connect.acting("door") as connection:
        entries = ledger.newest(connection, before=before, limit=PAGE)
    context = {
        "entries": entries,
        "more": entries[-1].index if entries and entries[-1].index > 0 else None,
        "probes": probes.latest(),
    }
    return render(request, "operator/record.html", context)
