"""An application that sends somebody here asks whether it may know their browser, without an account; a yes is a token.

Troth's cookie counts only on this page, which somebody comes to themselves: nothing is answered before they press a
button, whoever sends them, and whatever their browser is known by. The way back is RFC 6749's, with PKCE (RFC 7636).
"""

import tomllib
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from allauth.core.internal import ratelimit
from allauth.core.internal.httpkit import add_query_params
from allauth.idp.oidc.models import Client
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from troth.consent import browsers as applications
from troth.consent import identifiers
from troth.consent.errors import ConsentRefusal
from troth.database import published
from troth.people import authorizing
from troth.policy.meaning import Storage
from troth.web import known
from troth.web.provider import onward
from troth.web.provider.cors import ALLOW
from troth.web.provider.validator import CHALLENGE, same_address
from troth.web.provider.views import wrong
from troth.web.views.browsers import Unagreed, agreed, asking
from troth.web.views.errors import crowded

LONGEST_STATE = 200
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """What an application asked: who it is, where it waits, what it wants back, the digest of what its page keeps."""

    client: Client
    address: str
    state: str
    challenge: str

    def back(self, **told: str) -> HttpResponse:
        """Send the browser back to it, with the name of who sends it (RFC 9207)."""
        response = HttpResponse(status=302)
        said = told | ({"state": self.state} if self.state else {}) | {"iss": str(settings.BASE_URL)}
        response.headers["Location"] = add_query_params(self.address, said)
        return response


@require_http_methods(["GET", "HEAD", "POST"])
def let(request: Any) -> HttpResponse:  # noqa: ANN401 - a request on which it is known who asks
    """Ask whether an application may know this browser; take the answer and go back."""
    if not (identifiers.offered(published.current()) and known.days()):
        raise Http404
    asked = _question(request)
    if asked is None:
        return wrong(request, "invalid_request")
    if request.method == "POST":
        return _answered(request, asked)
    return _shown(request, asked)


def _question(request: HttpRequest) -> Asked | None:
    """Return what stands in the address, whatever a form says beside it; None for what cannot be answered."""
    told = {name: request.GET.get(name, "") for name in ("client_id", "redirect_uri", "state", "code_challenge")}
    client = Client.objects.filter(id=told["client_id"][:LONGEST].replace("\0", "")).first()
    sound = CHALLENGE.fullmatch(told["code_challenge"]) and request.GET.get("code_challenge_method") == "S256"
    if client is None or not sound or len(told["state"]) > LONGEST_STATE:
        return None
    web = urlsplit(told["redirect_uri"]).scheme in ("https", "http")
    if not web or not same_address(told["redirect_uri"], client.get_redirect_uris()) or not _tells(client.id):
        return None
    return Asked(client, told["redirect_uri"], told["state"], told["code_challenge"])


def _tells(application: str) -> bool:
    """Whether an application is registered that tells of anything."""
    found = authorizing.application(application)
    return found is not None and bool(tomllib.loads(found.manifest).get("events"))


def _shown(request: Any, asked: Asked, problem: str = "") -> HttpResponse:  # noqa: ANN401 - as above
    where = onward.source_of(asked.address)
    context = asking(request) | {
        "application": asked.client,
        "where": where,
        "action": request.get_full_path(),
        "known": request.identifier if _bound(request) else None,
        "problem": problem,
        "again_after": published.current().policy.asked_again,
    }
    response = render(request, "browser-application.html", context, status=409 if problem else 200)
    onward.forms_to(response, where)
    return response


def _answered(request: Any, asked: Asked) -> HttpResponse:  # noqa: ANN401 - as above
    answer = request.POST.get("answer", "")
    if request.user.is_authenticated:
        return asked.back(error="signed_in")
    if answer != "yes":
        with suppress(ConsentRefusal):  # it knows nothing that a no could end
            applications.end(request.browser, asked.client.id)
        return asked.back(error="access_denied", again=str(published.current().policy.asked_again))
    if not ratelimit.consume(request, app="allauth.account", action="signup"):
        return crowded(request)
    try:
        token = agreed(request) if not _bound(request) else request.browser
    except Unagreed as problem:
        return _shown(request, asked, str(problem))
    try:
        code = applications.let(token, application=asked.client.id, address=asked.address, challenge=asked.challenge)
    except ConsentRefusal:  # the application was removed, or the identifier ended, while the page was open
        response = wrong(request, "access_denied")
    else:
        response = asked.back(code=code)
    return known.remember(response, token) if request.identifier is None else response


def _bound(request: Any) -> bool:  # noqa: ANN401 - as above
    """Whether this browser is known, and its user agreed to what is needed now."""
    return request.identifier is not None and request.identifier.agreed


@csrf_exempt
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """Turn a code in, as a page of the application's does: no cookie is looked at, and nobody else reads the answer."""
    told = {
        name: request.POST.get(name, "")[:LONGEST] for name in ("client_id", "code", "redirect_uri", "code_verifier")
    }
    client = Client.objects.filter(id=told["client_id"].replace("\0", "")).first()
    origin, origins = request.headers.get("Origin", ""), client.get_cors_origins() if client else []
    taken = None
    if client is not None and (not origin or origin in origins) and "\0" not in "".join(told.values()):
        taken = applications.take(
            application=client.id,
            code=told["code"],
            address=told["redirect_uri"],
            verifier=told["code_verifier"],
        )
    response = JsonResponse({"error": "invalid_grant"}, status=HTTPStatus.BAD_REQUEST)
    if taken is not None:
        response = JsonResponse({"token": taken.token, "until": taken.until, "keeps": _keeps()})
    patch_vary_headers(response, ["Origin"])
    if origin in origins:
        response.headers[ALLOW] = origin
    return response


def _keeps() -> dict[str, int]:
    """Return for how many days the policy lets pages keep what, by key."""
    stored = published.current().policy.stored
    return {each.key: each.days for each in stored if each.storage is Storage.BROWSER_STORAGE and each.days}
