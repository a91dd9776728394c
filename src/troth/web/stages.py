"""The stages of signing in that are ours."""

from typing import Any

from allauth.account.internal.stagekit import clear_login
from allauth.account.stages import LoginStage
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from troth.consent import queries

BEGUN = "begun_with"


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
    """Nobody gets past the first step without an agreement to what is in force."""

    key = "agreement"
    urlname = "agree"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        """Go on when there is an agreement; else to the page that asks for it.

        Without a user (an address that is taken signs up again) the page is the same, so that nothing is told.
        """
        if self.login.user is None:
            make_password(self.key)  # as long as a new account's password takes: nobody learns it from a clock
        elif queries.standing(self.login.user.subject).agreed:
            return None, True
        return HttpResponseRedirect(reverse("agree")), True
