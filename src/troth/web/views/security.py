"""The page *Security*: the ways in, the addresses, the browsers that are remembered; and the steps of each."""

from typing import Any, cast

from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.account.models import EmailAddress
from allauth.account.signals import email_changed
from allauth.account.views import ConfirmLoginCodeView, EmailView, PasswordSetView, RequestLoginCodeView
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from allauth.mfa.totp.views import DeactivateTOTPView
from allauth.mfa.webauthn.internal import auth
from allauth.mfa.webauthn.views import AddWebAuthnView, LoginWebAuthnView, RemoveWebAuthnView
from django import forms
from django.contrib import messages
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from troth.people import actions, queries, remembering
from troth.web.forms import Removal
from troth.web.second import FACTORS, last_factor
from troth.web.sessions import COOKIE, WANTED, days_of


@require_safe
def security(request: HttpRequest) -> HttpResponse:
    """Show every way into the account, and what is remembered."""
    account: Any = request.user
    held = Authenticator.objects.filter(user=account).order_by("created_at")
    ways = {kind: [each.wrap() for each in held if each.type == kind] for kind in Authenticator.Type}
    codes = ways[Authenticator.Type.RECOVERY_CODES]
    context = {
        "addresses": EmailAddress.objects.filter(user=account).order_by("-primary", "email"),
        "password": account.has_usable_password(),
        "passkeys_held": ways[Authenticator.Type.WEBAUTHN],
        "app": next(iter(ways[Authenticator.Type.TOTP]), None),
        "codes": len(codes[0].get_unused_codes()) if codes else None,
        "remembered": queries.remembered(request.viewer),  # type: ignore[attr-defined]
        "remembering": days_of(COOKIE),
    }
    return render(request, "mfa/index.html", context)


@require_POST
def forget_browsers(request: HttpRequest) -> HttpResponse:
    """Forget every remembered browser, this one too."""
    remembering.forget_all(request.user)  # type: ignore[arg-type]
    request.remembered = ""  # type: ignore[attr-defined]
    messages.success(request, _("No browser is remembered any more."))
    return redirect("mfa_index")


class AskForCode(RequestLoginCodeView):
    """Ask for a code by mail, and perhaps to be remembered."""

    def form_valid(self, form: forms.Form) -> HttpResponse:
        """Note the wish."""
        self.request.session[WANTED] = bool(form.cleaned_data.get("remember"))
        return cast("HttpResponse", super().form_valid(form))


class EnterCode(ConfirmLoginCodeView):
    """Sign in with the code."""

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        """Say why somebody is back where they began."""
        answer = cast("HttpResponse", super().form_invalid(form))
        if isinstance(answer, HttpResponseRedirect):
            words = _("That was the last try: the code works no more. Ask for a new one below.")
            messages.error(self.request, words)
        return answer


class ByPasskey(LoginWebAuthnView):
    """Sign in with a passkey; nobody is remembered for a touch, whatever was wished for another way in."""

    def form_valid(self, form: forms.Form) -> HttpResponse:
        """Forget the wish."""
        self.request.session[WANTED] = False
        return cast("HttpResponse", super().form_valid(form))


class AddPasskey(AddWebAuthnView):
    """Add a passkey that signs in by itself."""

    def get_context_data(self, **told: Any) -> dict[str, Any]:  # noqa: ANN401 - the library's
        """Ask the browser for one that verifies the person."""
        context = cast("dict[str, Any]", super().get_context_data(**told))
        return context | {
            "js_data": {"creation_options": auth.begin_registration(self.request.user, passwordless=True)}
        }


class RemovePasskey(RemoveWebAuthnView):
    """Remove a passkey, if what remains is enough."""

    form_class = Removal

    def get_form_kwargs(self) -> dict[str, Any]:
        """Say which passkey."""
        return cast("dict[str, Any]", super().get_form_kwargs()) | {"authenticator": self.object}


@method_decorator(reauthentication_required(app="allauth.account"), name="dispatch")
class SetPassword(PasswordSetView):
    """Set the first password, only by somebody who has just confirmed: a stolen session must not become a way in."""


class RemoveApp(DeactivateTOTPView):
    """Remove the app, if what remains is enough."""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Complain of nothing before the form was sent."""
        told = cast("dict[str, Any]", super().get_form_kwargs())
        if self.request.method != "POST":
            del told["data"]
        return told


class Addresses(EmailView):
    """The addresses: add one, prove it, use another, remove one; each only by somebody who has just confirmed."""

    def get(self, request: HttpRequest, *args: Any, **told: Any) -> HttpResponse:  # noqa: ANN401 - the library's
        """Ask first, so that no form is lost."""
        raise_if_reauthentication_required(request, app="allauth.account")
        return cast("HttpResponse", super().get(request, *args, **told))

    def get_success_url(self) -> str:
        """Go to where the code is asked for."""
        if "action_add" in self.request.POST:
            return "/sign-up/verify"
        return cast("str", super().get_success_url())


@receiver(email_changed)
def follow(user: Any, to_email_address: Any, **_told: Any) -> None:  # noqa: ANN401 - a signal's receiver
    """Keep the person's address that of the account."""
    actions.use_address(user, email=to_email_address.email)


@receiver(authenticator_added)
def show(request: Any, user: Any, authenticator: Any, **_told: Any) -> None:  # noqa: ANN401 - the same
    """Let the first passkey or app that is added, just after confirming, count as shown in this session.

    One more does not: whoever has one shows that.
    """
    if authenticator.type in FACTORS and last_factor(authenticator):
        record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)


@receiver([authenticator_added, authenticator_removed, authenticator_reset])
def note(user: Any, **_told: Any) -> None:  # noqa: ANN401 - the same
    """Write into the ledger that what lets somebody in has changed."""
    actions.note_factors(user)
