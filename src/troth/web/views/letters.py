"""`/operator/letters`: letters that are owed about versions, lists of whom to write to, and which of them left."""

import csv
import io
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from troth.consent import coming, letters
from troth.consent.coming import Telling
from troth.consent.letters import OUTCOMES
from troth.notices import queries
from troth.notices.queries import NOBODY, Send
from troth.policy.standards.record import harmless
from troth.web.staff import unconfirmed

NONE = Send(NOBODY, 0, 0, 0, 0, 0, 0)


@require_http_methods(["GET", "HEAD", "POST"])
def owed(request: HttpRequest) -> HttpResponse:
    """Count the letters, hand a list of some out, or take down what became of those that were on one."""
    if request.method == "POST":
        return _answer(request, _telling(request.POST.get("telling", "")))
    sends = queries.sends()
    context = {
        "versions": [(each, sends.get(each.telling, NONE)) for each in coming.tellings() if each.channel == "letter"],
        "most": letters.AT_ONCE,
    }
    return render(request, "operator/letters.html", context)


def _answer(request: HttpRequest, telling: Telling) -> HttpResponse:
    way = unconfirmed(request)
    if way is not None:
        return way
    do = request.POST.get("do", "")
    if do == "list":
        return _list(request, telling)
    if do not in OUTCOMES:
        raise Http404
    try:
        which = None if request.POST.get("all") else letters.numbers(request.POST.get("letters", ""))
    except ValueError:
        messages.error(request, _("Write the numbers of letters, as they stand on the list, one in a line."))
        return redirect("letters")
    many = letters.settle(viewer=request.viewer, telling=telling.telling, letters=which, how=do)  # type: ignore[attr-defined]
    said = ngettext("It is noted of %(many)s letter.", "It is noted of %(many)s letters.", many) % {"many": many}
    messages.success(request, said)
    return redirect("letters")


def _list(request: HttpRequest, telling: Telling) -> HttpResponse:
    """Hand out a list that a spreadsheet opens (RFC 4180), of letters that have not left yet."""
    text = io.StringIO()
    found = letters.taken(viewer=request.viewer, telling=telling.telling)  # type: ignore[attr-defined]
    columns = ("letter", "name", "address", "language", "version", "before", "what")
    writer = csv.DictWriter(text, columns, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writeheader()
    for each in found:
        writer.writerow({name: harmless(str(value)) for name, value in letters.told(each, telling.version).items()})
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="letters-{telling.version}.csv"'
    return response


def _telling(which: str) -> Telling:
    try:
        key = UUID(which)
    except ValueError as error:
        raise Http404 from error
    for each in coming.tellings():
        if each.telling == key and each.channel == "letter":
            return each
    raise Http404
