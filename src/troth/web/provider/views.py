"""The provider's endpoints: the library's, with our judge, our consent page, and one address for everything."""

import json
from http import HTTPStatus
from typing import Any, cast

from allauth.core.internal import ratelimit
from allauth.core.internal.httpkit import add_query_params
from allauth.idp.oidc import views as library
from allauth.idp.oidc.internal.oauthlib import server
from allauth.idp.oidc.internal.oauthlib.utils import convert_response, extract_params
from allauth.idp.oidc.models import Client
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import get_language
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from oauthlib.oauth2.rfc6749 import errors

from troth.consent import applications
from troth.consent.errors import ConsentRefusal
from troth.database import published
from troth.people.manifests import Claim
from troth.policy.explain import capital
from troth.policy.voice import voice
from troth.web.guessing import guarded
from troth.web.provider import onward
from troth.web.provider.cors import readable
from troth.web.provider.reading import legible, reading
from troth.web.provider.validator import Validator, asked, claim_authorization_code, proven_at, remembered, sends

#: Whose limits count what devices try.
LIBRARY = "allauth.idp.oidc"
# The library makes its judge itself wherever one is needed, and offers no setting for it; nor for where codes are kept.
server.OAuthLibRequestValidator = Validator
server.claim_authorization_code = claim_authorization_code

configuration = readable(library.configuration)
jwks = readable(library.jwks)
token = readable(reading(guarded(library.token)))
user_info = readable(reading(guarded(library.user_info)))
revoke = readable(reading(guarded(library.revoke)))
introspect = reading(guarded(library.introspect))


@csrf_exempt
@require_POST
@reading
def begin_device(request: HttpRequest) -> HttpResponse:
    """Begin the way in of a device without a browser (RFC 8628); people go to the service's own address."""
    client = Client.objects.filter(id=request.POST.get("client_id", "")).first()
    if client is None or Client.GrantType.DEVICE_CODE not in client.get_grant_types():
        return JsonResponse({"error": "unauthorized_client"}, status=400)
    if not ratelimit.consume(request, action="device_begun", app=LIBRARY):
        refused = JsonResponse({"error": "slow_down"}, status=HTTPStatus.TOO_MANY_REQUESTS)
        refused.headers["Retry-After"] = "60"
        return refused
    response = cast("HttpResponse", library.device_code(request))
    told = json.loads(response.content)
    if response.status_code == HTTPStatus.OK:
        told["verification_uri"] = address = settings.BASE_URL + reverse("idp:oidc:device_authorization")
        told["verification_uri_complete"] = add_query_params(address, {"code": told["user_code"]})
    return JsonResponse(told, status=response.status_code)


device_code = readable(begin_device)


def listed(claims: tuple[Claim, ...], permitted: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """Return claims as a page says them: what, for which purpose, by which clause, and whether it is permitted."""
    policy = published.current().policy
    speaking = voice(policy, get_language() or "en")
    found = []
    for claim in claims:
        purpose = next((each for each in policy.purposes if each.name == claim.purpose), None)
        found.append(
            {
                "written": claim.written,
                "name": claim.name,
                "category": capital(speaking.category(claim.category)),
                "why": speaking.purpose(purpose) if purpose else "",
                "clause": purpose.clause.name if purpose else "",
                "permitted": claim.written in permitted,
            }
        )
    return found


@method_decorator(csrf_exempt, name="dispatch")  # an application may post its question; an answer is checked below
class Authorize(View):
    """Ask a person whether an application may know them, unless they answered that before."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Judge the question first; who asks wrongly learns nothing about who is here."""
        refused = self._judge(request)
        if refused is not None:
            return refused
        stopped = self._stop(request)
        if stopped is not None:
            return stopped
        if "consent" not in self.prompt and remembered(request, self.client, self.scopes, self.address):
            return self._issue(request)
        return self._ask(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Take the person's answer; an application's own post becomes a question in the address."""
        if "answer" not in request.POST:
            return HttpResponseRedirect(f"{request.path}?{request.POST.urlencode()}", status=303)
        forged = CsrfViewMiddleware(lambda _: HttpResponse()).process_view(request, lambda _: HttpResponse(), (), {})
        if forged is not None:
            return cast("HttpResponse", forged)
        refused = self._judge(request) or self._stop(request, answered=True)
        if refused is not None:
            return refused
        if request.POST["answer"] != "permit":
            onward.arrived(request)
            return self._back({"error": "access_denied", "error_description": "the person said no"})
        claims = asked(self.client.id, self.scopes)
        chosen = [claim for claim in claims if claim.written in request.POST.getlist("claims")]
        try:
            applications.permit(
                token=request.viewer,  # type: ignore[attr-defined]
                application=self.client.id,
                asked=claims,
                chosen=chosen,
            )
        except ConsentRefusal:  # the application was removed, or the session ended, while the page was open
            return self._wrong(request, "access_denied")
        return self._issue(request)

    def _judge(self, request: HttpRequest) -> HttpResponse | None:
        """Understand the question, or answer it: with a page where nobody can be trusted to be sent back to."""
        if not legible(request):
            return self._wrong(request, "invalid_request")
        question = self._question(request)
        try:
            self.scopes, told = server.get_server().validate_authorization_request(*question)
            self.client, self.address, self.state = told["request"].client, told["redirect_uri"], told["state"]
            self.prompt = set(request.GET.get("prompt", "").split())
            if request.GET.get("response_mode", "query") != "query" or request.GET.get("resource"):
                return self._back({"error": "invalid_request"})
            if "none" in self.prompt:
                return self._issue(request)
        except errors.FatalClientError as error:
            return self._wrong(request, str(error.error))
        except errors.OAuth2Error as error:
            return _redirect(error.in_uri(error.redirect_uri))
        return None

    def _stop(self, request: HttpRequest, *, answered: bool = False) -> HttpResponse | None:
        """Send on who has to sign in, to agree, or to prove again that it is them."""
        if not request.user.is_authenticated:
            return onward.sign_in_first(request, self.address)
        if not request.standing.agreed:  # type: ignore[attr-defined]
            return onward.agree_first(request, self.address)
        if not answered and ("login" in self.prompt or self._too_long_ago(request)):
            query = request.GET.copy()
            query.pop("max_age", None)
            query["prompt"] = " ".join(sorted(self.prompt - {"login"}))
            onward_to = {"next": f"{request.path}?{query.urlencode()}"}
            request.session[onward.SOURCE] = onward.source_of(self.address)
            return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{urlencode(onward_to)}")
        return None

    def _too_long_ago(self, request: HttpRequest) -> bool:
        longest = request.GET.get("max_age", "")
        if not longest.isdigit():
            return False
        return (proven_at(request) or 0) + int(longest) < timezone.now().timestamp()

    def _ask(self, request: HttpRequest) -> HttpResponse:
        before = applications.live(token=request.viewer, application=self.client.id)  # type: ignore[attr-defined]
        claims = asked(self.client.id, self.scopes)
        # Nothing is ticked that the person has not ticked before.
        known = frozenset(before.claims) if before else frozenset()
        context = {
            "application": self.client,
            "claims": listed(claims, known),
            "sends": sends(self.client.id),
            "where": onward.source_of(self.address),
            "action": request.get_full_path(),
        }
        response = render(request, "provider/permit.html", context)
        onward.forms_to(response, onward.source_of(self.address))
        return response

    def _issue(self, request: HttpRequest) -> HttpResponse:
        credentials = {"user": request.user} if request.user.is_authenticated else {}
        onward.arrived(request)
        told = server.get_server().create_authorization_response(
            *self._question(request), scopes=self.scopes, credentials=credentials
        )
        response = convert_response(*told)
        return _redirect(response.headers["Location"])

    def _question(self, request: HttpRequest) -> tuple[Any, ...]:
        """Return the question as it stands in the address, whatever a form says beside it."""
        uri, _method, _body, headers = extract_params(request)
        return uri, "GET", "", headers

    def _back(self, told: dict[str, str]) -> HttpResponse:
        return _redirect(add_query_params(self.address, told | ({"state": self.state} if self.state else {})))

    def _wrong(self, request: HttpRequest, code: str) -> HttpResponse:
        return wrong(request, code)


def wrong(request: HttpRequest, code: str) -> HttpResponse:
    """Say that an application asked in a way that cannot be answered; nobody is sent anywhere."""
    return render(request, "provider/wrong.html", {"code": code.replace("_", "-")}, status=400)


def _redirect(address: str) -> HttpResponse:
    """Send a browser to an application, with the name of who sends it (RFC 9207): answers cannot be mixed up."""
    response = HttpResponse(status=302)
    response.headers["Location"] = add_query_params(address, {"iss": settings.BASE_URL})
    return response


authorize = Authorize.as_view()
