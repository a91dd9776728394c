"""One's own copy of what is held about oneself: also for whoever declined what is in force."""

from tempfile import SpooledTemporaryFile

from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.core.internal import ratelimit
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from troth.database import published
from troth.rights import actions as rights
from troth.web.views.errors import crowded

#: Bytes of a copy that stay in memory; the rest goes to a file without a name, gone with the answer.
HELD = 1 << 20


@require_http_methods(["GET", "HEAD", "POST"])
def copy(request: HttpRequest) -> HttpResponseBase:
    """Say what is in it and what is not; hand it out to whoever has just shown who they are."""
    token = request.viewer  # type: ignore[attr-defined]
    if not token:
        return redirect("agree")
    raise_if_reauthentication_required(request, app="troth")
    return _handed_out(request, token) if request.method == "POST" else _asked(request)


def _asked(request: HttpRequest) -> HttpResponse:
    return render(request, "me/copy.html", {"contact": published.current().policy.contact})


def _handed_out(request: HttpRequest, token: str) -> HttpResponseBase:
    if not ratelimit.consume(request, app="allauth.account", action="reauthenticate"):
        return crowded(request)
    out = SpooledTemporaryFile(max_size=HELD)  # noqa: SIM115 - the answer closes it
    rights.take_copy(token, out)
    out.seek(0)
    name = f"copy-{timezone.now():%Y-%m-%d}.json"
    return FileResponse(out, as_attachment=True, filename=name, content_type="application/json")
