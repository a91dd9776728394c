"""Pages around the provider: a device's code, and signing out where an application asks for it."""

from typing import Any, cast

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core import context
from allauth.core.internal import ratelimit
from allauth.idp.oidc.forms import ConfirmCodeForm, RPInitiatedLogoutForm
from allauth.idp.oidc.internal.oauthlib import device_codes
from allauth.idp.oidc.models import Client
from allauth.idp.oidc.views import LogoutView
from django import forms
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from troth.consent import applications
from troth.consent.errors import ConsentRefusal
from troth.web.provider.onward import forms_to, source_of
from troth.web.provider.validator import asked, keep_device, sends
from troth.web.provider.views import LIBRARY, listed, wrong


class Shown(ConfirmCodeForm):
    """The code that a device shows: wrong ones are counted, whoever guesses is told so, and hears of no right one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        """Leave the field empty, as ours are."""
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs.pop("placeholder", None)
        self.fields["code"].label = _("Code")

    def clean_code(self) -> str:
        """Take a code that a device shows now, within the limits of guessing (RFC 8628 section 5.1)."""
        code = str(self.cleaned_data["code"])
        tried = ratelimit.consume(context.request, action="device_user_code", app=LIBRARY, limit_get=True)
        if tried is None:
            raise get_account_adapter().validation_error("rate_limited")
        self.device_code, self.client = device_codes.validate_user_code(code)
        tried.rollback()
        return code


@require_http_methods(["GET", "HEAD", "POST"])
def device(request: HttpRequest) -> HttpResponse:
    """Let a device in whose code somebody reads from it."""
    told = request.POST if request.method == "POST" else request.GET
    form = Shown(told if "code" in told else None)
    if not form.is_valid():
        return render(request, "provider/code.html", {"form": form}, status=422 if form.errors else 200)
    scopes = _scopes(form.device_code, form.client)
    claims = asked(form.client.id, scopes)
    if request.POST.get("answer") not in ("permit", "decline"):
        before = applications.live(token=request.viewer, application=form.client.id)  # type: ignore[attr-defined]
        permitted = frozenset(before.claims) if before else frozenset()
        context = {"application": form.client, "code": told["code"], "claims": listed(claims, permitted)}
        context["sends"] = sends(form.client.id)
        return render(request, "provider/device.html", context)
    permits = request.POST["answer"] == "permit"
    if permits:
        chosen = [claim for claim in claims if claim.written in request.POST.getlist("claims")]
        viewer = request.viewer  # type: ignore[attr-defined]
        try:
            applications.permit(token=viewer, application=form.client.id, asked=claims, chosen=chosen)
        except ConsentRefusal:
            return wrong(request, "access_denied")
        whose = request.user.subject  # type: ignore[union-attr] # the gate lets in nobody without an account
        keep_device(form.device_code, subject=whose, application=form.client.id, scopes=scopes)
    device_codes.confirm_or_deny_device_code(request.user, form.device_code, confirm=permits)
    return render(request, "provider/answered.html", {"application": form.client, "permitted": permits})


def _scopes(device_code: str, client: Client) -> list[str]:
    held = cache.get(device_codes.cache_device_code_key(device_code)) or {}
    return list(held.get("scope") or client.get_default_scopes())


class Leaving(RPInitiatedLogoutForm):
    """What an application says when it asks to sign somebody out."""

    def clean(self) -> dict[str, Any] | None:
        """Send people on to an address that was registered for it, sign for sign, or to none."""
        told: dict[str, Any] | None = super().clean()
        if told is not None:
            client, address = told.get("client"), told.get("post_logout_redirect_uri")
            if address and (client is None or address not in client.get_post_logout_redirect_uris()):
                told["post_logout_redirect_uri"] = None
        return told


class Leave(LogoutView):
    """Sign out at an application's wish, once the person has said so (OpenID Connect RP-Initiated Logout 1.0)."""

    form_class = Leaving
    template_name = "provider/leave.html"

    def form_invalid(self, form: forms.Form) -> HttpResponse:  # noqa: ARG002 - the library's
        """Say so on a page of ours."""
        return wrong(self.request, "invalid_request")

    def render_to_response(self, context: dict[str, Any], **told: Any) -> HttpResponse:  # noqa: ANN401 - Django's
        """Let the form lead on to where the application waits."""
        response = cast("HttpResponse", super().render_to_response(context, **told))
        address = context["form"].cleaned_data.get("post_logout_redirect_uri")
        if address:
            forms_to(response, source_of(address))
        return response


leave = Leave.as_view()
