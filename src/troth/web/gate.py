"""The gate (P2): what somebody without an agreement asks for is answered with the agreement page, or a refusal."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from troth.consent import coming, queries
from troth.consent import errors as consent
from troth.consent.errors import NothingToPublish, NothingToSee
from troth.people import errors as people
from troth.people.errors import NothingThere
from troth.people.passwords import second_factor
from troth.web.legible import holds_nul
from troth.web.posting import agreement_needed
from troth.web.provider.onward import AFTER
from troth.web.routes import ROLES, ROUTES, WAYS_IN, Audience
from troth.web.staff import roles, unconfirmed, unsecured
from troth.web.views.errors import missing

NOT_THERE = (NothingThere, NothingToPublish, NothingToSee)
UNSECURED = (people.Unsecured, consent.Unsecured)


def _way_back(request: HttpRequest) -> str:
    """Return where somebody was going; a form that was sent is not sent again."""
    return request.get_full_path() if request.method in ("GET", "HEAD") else request.path


def agreed(request: Any) -> bool:  # noqa: ANN401 - a request on which it is known who asks
    """Whether somebody agreed to what is needed now, or did ahead and is bound by it from here on."""
    if not request.standing.agreed and request.standing.version and coming.bind(request.user.subject):
        request.standing = queries.standing(request.user.subject)
    return bool(request.standing.agreed)


def _readable(audience: Audience) -> bool:
    """Whether somebody may read here who has agreed to nothing: only where the policy asks for no agreement first."""
    return audience is Audience.READER and not agreement_needed()


def _nul(request: HttpRequest, view: Any) -> bool:  # noqa: ANN401 - any view
    """Whether an address or a form holds a NUL, which no text of the database can.

    What applications send is read, and refused, by its view: its answer is no page.
    """
    return "\0" in request.path or (not getattr(view, "csrf_exempt", False) and holds_nul(request))


class Gate:
    """Look up the route's audience before its view runs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Keep the next in line."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on; the judgement is made once the view is known."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:  # noqa: ANN401
        """Return the answer for those who may not pass, or None."""
        match = request.resolver_match
        audience = ROUTES.get((match.url_name or "") if match else "")
        if audience is None or (audience is Audience.DEV and not settings.DEV):
            raise Http404
        if _nul(request, view):
            raise BadRequest
        if audience in (Audience.ANYBODY, Audience.NEWCOMER, Audience.DEV) or _readable(audience):
            return None
        if not request.user.is_authenticated:
            return HttpResponseRedirect(f"{reverse('account_login')}?next={quote(_way_back(request))}", status=303)
        if audience is Audience.SIGNED_IN:
            return None
        if not agreed(request):
            return self._unagreed(request, audience)
        if match and match.url_name in WAYS_IN and second_factor(request.user):
            return unconfirmed(request, back=_way_back(request))
        return self._staffed(request, audience) if audience in ROLES else None

    def _unagreed(self, request: Any, audience: Audience) -> HttpResponse | None:  # noqa: ANN401 - as above
        """Let whoever agreed once to what is their own and to what ends; ask for the agreement elsewhere."""
        if audience is Audience.HOLDER and request.viewer:
            return None
        if request.resolver_match.url_name == "device_authorization":
            request.session[AFTER] = _way_back(request)
        return HttpResponseRedirect(reverse("agree"), status=303)

    def _staffed(self, request: HttpRequest, audience: Audience) -> HttpResponse | None:
        """Let in whoever has a role of the audience, beyond the first page only with a second factor."""
        if not ROLES[audience] & roles(request):
            raise Http404
        return unsecured(request) if audience is not Audience.STAFF else None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer what the database opens to nobody in this role as what is not there; the staff is asked for more."""
        if isinstance(exception, UNSECURED):
            return unsecured(request) or missing(request, exception)
        return missing(request, exception) if isinstance(exception, NOT_THERE) else None
