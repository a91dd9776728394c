"""The stages of signing in that are ours."""

from typing import Any, cast

from allauth.account.internal.stagekit import clear_login
from allauth.account.stages import LoginStage
from allauth.mfa import app_settings
from allauth.mfa.stages import AuthenticateStage, TrustStage
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from troth.consent import queries
from troth.database import published
from troth.people import actions
from troth.people.actions import BEGUN
from troth.people.passwords import second_factor

#: Which version somebody who agreed to an earlier one declined, or put off, in this session; and which they said no to.
DECLINED, SAID_NO = "declined_version", "said_no_version"


def begin(request: HttpRequest, account: Any) -> None:  # noqa: ANN401 - an account
    """Note with which password somebody is on the way in."""
    request.session[BEGUN] = (account.pk, account.get_session_auth_hash())


def turn_back(request: HttpRequest) -> None:
    """End the way in of somebody whose password was changed since, as the change ends every session."""
    whose, held = request.session.get(BEGUN) or (None, "")
    if whose is None:
        return
    account: Any = get_user_model().objects.filter(pk=whose).first()
    if account is None or not constant_time_compare(held, account.get_session_auth_hash()):
        clear_login(request)
        del request.session[BEGUN]


class AgreementStage(LoginStage):
    """Nobody gets past the first step without an agreement to what is in force.

    Who has a second factor shows that before they are asked: a password alone neither agrees nor declines for them.
    """

    key = "agreement"
    urlname = "agree"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        """Go on when there is an agreement; else to the page that asks for it.

        Without a user (an address that is taken signs up again) the page is the same, so that nothing is told.
        """
        if self.login.user is None:
            if not self.request.path.endswith("/passkey"):  # nobody's password is hashed there
                make_password(self.key)  # as long as a new account's password takes: nobody learns it from a clock
            actions.rehearse()
        elif self._waits() or self._answered(queries.standing(self.login.user.subject)):
            return None, True
        return HttpResponseRedirect(reverse("agree")), True

    def _answered(self, standing: queries.Standing) -> bool:
        """Whether there is an agreement, or an earlier one and a no to this one, which lets nobody further."""
        declined = self.request.session.get(DECLINED) == published.current().version
        return standing.agreed or (bool(standing.version) and declined)

    def _waits(self) -> bool:
        return second_factor(self.login.user)


class LateAgreementStage(AgreementStage):
    """The same question, after everything else."""

    key = "agreement-late"

    def _waits(self) -> bool:
        return False


class SecondFactorStage(AuthenticateStage):
    """The second factor; a remembered browser is the first one at most, trusted or not."""

    def _should_handle(self, request: HttpRequest) -> bool:
        if self.login.user is not None and request.session.get("came_remembered"):
            return second_factor(self.login.user)
        return bool(super()._should_handle(request))


class TrustedStage(TrustStage):
    """Ask whether to trust the browser, where the policy declares the cookie for it."""

    def handle(self) -> tuple[HttpResponse | None, bool]:
        """Go on where it does not, or where the browser is remembered and would be asked again anyway."""
        declared = any(each.covers(app_settings.TRUST_COOKIE_NAME) for each in published.current().policy.stored)
        if not declared or self.request.session.get("came_remembered"):
            return None, True
        return cast("tuple[HttpResponse | None, bool]", super().handle())
