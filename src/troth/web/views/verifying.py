"""Proving the address: the code, the code again, or another address."""

from typing import cast

from allauth.account.internal.flows.email_verification import consume_email_verification_rate_limit
from allauth.account.internal.flows.email_verification_by_code import EmailVerificationProcess
from allauth.account.internal.stagekit import clear_login
from allauth.account.stages import EmailVerificationStage, LoginStageController
from allauth.account.views import ConfirmEmailVerificationCodeView, ConfirmPasswordResetCodeView
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from troth.people import staffing
from troth.people.staffing import Role
from troth.rights import actions as rights
from troth.web import operating


class Verify(ConfirmEmailVerificationCodeView):
    """Ask for the code, and say what became of asking for it again."""

    def _resend_form_valid(self, form: forms.Form) -> HttpResponse:
        # Before a new code is made: one that was never sent would take the place of the one that was.
        if not consume_email_verification_rate_limit(self.request, self._process.email, dry_run=True):
            messages.error(self.request, _("A code was sent a few seconds ago. Wait ten seconds, then ask again."))
            return redirect("account_email_verification_sent")
        messages.success(self.request, _("A new code is on its way; the one before works no more."))
        return cast("HttpResponse", super()._resend_form_valid(form))

    def _verify_form_invalid(self, form: forms.Form) -> HttpResponse:
        answer = cast("HttpResponse", super()._verify_form_invalid(form))
        if isinstance(answer, HttpResponseRedirect):
            words = _("That was the last try: the code works no more. Sign in, and a new one is sent.")
            messages.error(self.request, words)
        return answer


class Reset(ConfirmPasswordResetCodeView):
    """Ask for the code for a new password."""

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        """Say why somebody is back where they began."""
        answer = cast("HttpResponse", super().form_invalid(form))
        if isinstance(answer, HttpResponseRedirect):
            words = _("That was the last try: the code works no more. Ask for a new one below.")
            messages.error(self.request, words)
        return answer


@require_POST
def another(request: HttpRequest) -> HttpResponse:
    """Begin again with another address, and close what was begun with this one. A taken address looks the same."""
    process = EmailVerificationProcess.resume(request)
    if process is None:
        return redirect("account_login")
    if request.user.is_authenticated:  # who adds an address to an account that stands, and loses nothing by it
        return redirect("account_email")
    stage = LoginStageController.enter(request, EmailVerificationStage.key)
    account = stage.login.user if stage else None
    _leave(request, process)
    request.session.flush()  # it is one of theirs, and ends with what was begun: what follows is said in another
    if account is not None:
        owned = Role.OWNER in staffing.roles_of(account.subject)
        rights.close(account, reason="unverified")
        if owned and not staffing.has_owner():
            operating.renew()
            request.session["first_link"] = True
    messages.success(request, _("What you began is closed. Begin again with the other address."))
    return redirect("account_signup")


@require_POST
def instead(request: HttpRequest) -> HttpResponse:
    """Sign in with another account; what was begun waits for its own password."""
    process = EmailVerificationProcess.resume(request)
    if process is not None:
        _leave(request, process)
    elif not request.user.is_authenticated:
        clear_login(request)  # at the second step, or where a code is asked for
    return redirect("account_login")


def _leave(request: HttpRequest, process: EmailVerificationProcess) -> None:
    process.abort()
    clear_login(request)
