"""A request that cannot be read is answered so, before anybody looks at what it asks."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from allauth.idp.oidc.internal.oauthlib.utils import extract_params
from django.http import HttpRequest, HttpResponse, JsonResponse
from oauthlib.common import Request

from troth.web.legible import holds_nul


def legible(request: HttpRequest) -> bool:
    """Whether a request can be read: the library takes no wrongly encoded query, the database no NUL."""
    try:
        Request(*extract_params(request))
    except ValueError:
        return False
    return not holds_nul(request)


def reading(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer with `invalid_request` (RFC 6749 section 5.2) what cannot be read."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **told: Any) -> HttpResponse:  # noqa: ANN401 - the view's own
        if not legible(request):
            return JsonResponse({"error": "invalid_request"}, status=HTTPStatus.BAD_REQUEST)
        return view(request, *args, **told)

    return answer
