"""An application's list of its users: whoever permits it at this moment, told as the userinfo page tells of them."""

import uuid
from http import HTTPStatus

from allauth.idp.oidc import app_settings
from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.internal.oauthlib.utils import extract_params, get_validator_context
from allauth.idp.oidc.models import Client
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from oauthlib.common import Request

from troth.consent import applications
from troth.people.actions import Account
from troth.web.guessing import guarded
from troth.web.provider.adapter import pairwise
from troth.web.provider.validator import Validator

#: How many people a page of the list goes through.
MOST = 50


def _users(request: HttpRequest) -> HttpResponse:
    client = _asking(request)
    if client is None:
        refused = JsonResponse({"error": "invalid_client"}, status=HTTPStatus.UNAUTHORIZED)
        refused.headers["WWW-Authenticate"] = 'Basic realm="applications"'
        return refused
    try:
        after = uuid.UUID(request.POST.get("after") or str(uuid.UUID(int=0)))
    except ValueError:
        return JsonResponse({"error": "invalid_request"}, status=HTTPStatus.BAD_REQUEST)
    answers = applications.users(client.id, after=after, most=MOST)
    accounts = Account.objects.filter(subject__in=[whose for _, whose in answers], is_active=True)
    known = {account.subject: account for account in accounts}
    told = [_told(client, known[whose]) for _, whose in answers if whose in known]
    more = {"next": str(answers[-1][0])} if len(answers) == MOST else {}
    return JsonResponse({"users": [each for each in told if each], **more})


users = csrf_exempt(require_POST(guarded(_users)))


def _asking(request: HttpRequest) -> Client | None:
    """Return the application whose secret a request shows, as at introspection; one without a secret has no list."""
    get_validator_context().supported_auth_methods = app_settings.INTROSPECTION_AUTH_METHODS
    asked = Request(*extract_params(request))
    if not Validator().authenticate_client(asked) or asked.client.type != Client.Type.CONFIDENTIAL:
        return None
    return asked.client


def _told(client: Client, account: Account) -> dict[str, object] | None:
    """Return what an application is told of somebody now, and let them see that it asked; None: it is told nothing."""
    if applications.standing(account.subject, client.id) is None:
        return None
    applications.used(account.subject, client.id, known_as=pairwise(client.id, str(account.subject)))
    claims: dict[str, object] = get_adapter().get_claims("userinfo", account, client, client.get_scopes())
    return claims
