"""What pages of other origins may read (Fetch, CORS): those of registered applications, and only what is theirs."""

from collections.abc import Callable
from typing import Any

from allauth.idp.oidc.internal.oauthlib.utils import get_validator_context
from allauth.idp.oidc.models import Client
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt

ALLOW = "Access-Control-Allow-Origin"
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}

type View = Callable[..., HttpResponse]


def readable(view: View) -> View:
    """Let the pages of registered applications read a view's answer. Cookies are never part of it."""

    @csrf_exempt
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ANN401 - a view's
        asked = "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if request.method == "OPTIONS" and asked else view(request, *args, **kwargs)
        for header in (ALLOW, *PREFLIGHT):
            if header in response.headers:
                del response.headers[header]  # the library lets everybody read some of it
        patch_vary_headers(response, ["Origin"])
        origin = request.headers.get("Origin", "")
        if origin and _known(origin):
            response.headers[ALLOW] = origin
            for header, value in PREFLIGHT.items() if request.method == "OPTIONS" else ():
                response.headers[header] = value
        return response

    return answer


def _known(origin: str) -> bool:
    """Whether an origin is of the application that asked, or of any while it is not known which asked."""
    ctx = get_validator_context()
    asked = {client.id: client for client in ctx.clients.values() if client is not None}
    if ctx.access_token is not None and ctx.access_token.client is not None:
        asked[ctx.access_token.client_id] = ctx.access_token.client
    if asked:
        return all(origin in client.get_cors_origins() for client in asked.values())
    return any(origin in client.get_cors_origins() for client in Client.objects.only("cors_origins"))
