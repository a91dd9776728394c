"""An application's list of its users: whoever permits it at this moment, told as the userinfo page tells of them."""

import base64
import uuid
from functools import cache
from http import HTTPStatus

from allauth.core.internal import ratelimit
from allauth.idp.oidc import app_settings
from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.internal.oauthlib.utils import extract_params, get_validator_context
from allauth.idp.oidc.models import Client
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from oauthlib.common import Request

from troth.consent import applications
from troth.database import place
from troth.people.actions import Account
from troth.web.guessing import guarded
from troth.web.provider.adapter import pairwise
from troth.web.provider.reading import reading
from troth.web.provider.validator import Validator
from troth.web.provider.views import LIBRARY

LABEL = "places in lists of users"
#: How many people a page of the list tells of, and of how many times as many answers it goes through to find them.
MOST, FURTHER = 50, 20
FIRST = uuid.UUID(int=0)


def _users(request: HttpRequest) -> HttpResponse:
    client = _asking(request)
    if client is None:
        refused = JsonResponse({"error": "invalid_client"}, status=HTTPStatus.UNAUTHORIZED)
        refused.headers["WWW-Authenticate"] = 'Basic realm="applications"'
        return refused
    if not ratelimit.consume(request, action="users_listed", app=LIBRARY, key=client.id):
        refused = JsonResponse({"error": "slow_down"}, status=HTTPStatus.TOO_MANY_REQUESTS)
        refused.headers["Retry-After"] = "60"
        return refused
    try:
        after = _opened(client, request.POST["after"]) if request.POST.get("after") else FIRST
    except (ValueError, InvalidTag):
        return JsonResponse({"error": "invalid_request"}, status=HTTPStatus.BAD_REQUEST)
    told, last = _page(client, after)
    return JsonResponse({"users": told, **({"next": _sealed(client, last)} if last else {})})


users = csrf_exempt(require_POST(reading(guarded(_users))))


def _asking(request: HttpRequest) -> Client | None:
    """Return the application whose secret a request shows, as at introspection; one without a secret has no list."""
    get_validator_context().supported_auth_methods = app_settings.INTROSPECTION_AUTH_METHODS
    asked = Request(*extract_params(request))
    if not Validator().authenticate_client(asked) or asked.client.type != Client.Type.CONFIDENTIAL:
        return None
    return asked.client


def _page(client: Client, after: uuid.UUID) -> tuple[list[dict[str, object]], uuid.UUID | None]:
    """Return a page of people, and behind which answer the next begins, if there are more.

    It is filled from behind those of whom nothing may be told: how many they are is nothing to know either.
    """
    found: list[dict[str, object]] = []
    for _ in range(FURTHER):
        answers = applications.users(client.id, after=after, most=MOST)
        accounts = Account.objects.filter(subject__in=[whose for _, whose in answers], is_active=True)
        known = {account.subject: account for account in accounts}
        for after, whose in answers:  # noqa: PLR1704 - it is how far the list was gone through
            each = _told(client, known[whose]) if whose in known else None
            found += [each] if each else []
            if len(found) == MOST:
                return found, after
        if len(answers) < MOST:
            return found, None
    return found, after


def _told(client: Client, account: Account) -> dict[str, object] | None:
    """Return what an application is told of somebody now, and let them see that it asked; None: it is told nothing."""
    if applications.standing(account.subject, client.id) is None:
        return None
    applications.used(account.subject, client.id, known_as=pairwise(client.id, str(account.subject)))
    claims: dict[str, object] = get_adapter().get_claims("userinfo", account, client, client.get_scopes())
    return claims


def _sealed(client: Client, answer: uuid.UUID) -> str:
    """Return an answer's place in a list, for one application; to everybody else it is a random value.

    An answer's own name would tell the millisecond in which somebody gave it, of whoever is not listed too.
    """
    sealed = _cipher(place.current()).encrypt(answer.bytes, [client.id.encode()])
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _opened(client: Client, told: str) -> uuid.UUID:
    """Return the answer that a place stands for. Raises ValueError or InvalidTag for one of another application."""
    sealed = base64.b64decode(told.encode("ascii") + b"=" * (-len(told) % 4), altchars=b"-_", validate=True)
    return uuid.UUID(bytes=_cipher(place.current()).decrypt(sealed, [client.id.encode()]))


@cache
def _cipher(where: place.Place) -> AESSIV:
    return AESSIV(place.secrets_of(where).derive(LABEL))
