"""The stages of signing in that are ours."""

from allauth.account.stages import LoginStage
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from troth.consent import queries


class AgreementStage(LoginStage):
    """Nobody gets past the first step without an agreement to what is in force."""

    key = "agreement"
    urlname = "agree"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        """Go on when there is an agreement; else to the page that asks for it.

        Without a user (an address that is taken signs up again) the page is the same, so that nothing is told.
        """
        if self.login.user is not None and queries.standing(self.login.user.subject).agreed:
            return None, True
        return HttpResponseRedirect(reverse("agree")), True
