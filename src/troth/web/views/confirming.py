"""Confirming by a code by mail, for who came with one and has neither password nor passkey."""

from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.account.views import ConfirmReauthenticationCodeView, RequestReauthenticationCodeView
from allauth.core import ratelimit
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from troth.web.adapter import BY_MAIL
from troth.web.forms import AskToConfirm


class Ask(RequestReauthenticationCodeView):
    """Ask to which of the proven addresses the code goes."""

    form_class = AskToConfirm


class Enter(ConfirmReauthenticationCodeView):
    """Confirm with the code."""

    def dispatch(self, request: HttpRequest, *args: Any, **told: Any) -> HttpResponse:  # noqa: ANN401 - the library's
        """Take no code from who has something better by now: a code that was sent before is no way around it."""
        ways = get_adapter().get_reauthentication_methods(request.user)
        if BY_MAIL not in [way["id"] for way in ways]:
            return redirect("account_reauthenticate")
        # Each try counts, not each code: tries that come at once with one cookie share a code, and its three tries.
        refused = ratelimit.consume_or_429(request, action="reauthenticate", user=request.user)
        if refused is not None:
            return cast("HttpResponse", refused)
        return cast("HttpResponse", super().dispatch(request, *args, **told))

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        """Say why somebody is back where they began."""
        answer = cast("HttpResponse", super().form_invalid(form))
        if isinstance(answer, HttpResponseRedirect):
            words = _("That was the last try: the code works no more. Ask for a new one below.")
            messages.error(self.request, words)
        return answer
