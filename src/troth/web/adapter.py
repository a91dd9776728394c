"""How the sign-in library does things here: stages, one name, mails, what it may not tell."""

from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import EmailValidator
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from troth.database import published
from troth.intake.steps import valid_address
from troth.people import actions, queries, staffing
from troth.people.actions import Account
from troth.web import arriving, sessions
from troth.web.stages import begin

SAID = frozenset(
    {
        "account/messages/password_changed.txt",
        "account/messages/password_set.txt",
        "account/messages/cannot_delete_primary_email.txt",
        "account/messages/unverified_primary_email.txt",
    }
)

#: How the library calls confirming by a code by mail.
BY_MAIL = "reauthenticate_by_code"
CONFIRMED = {
    "reauthenticate": _("Confirm with your password"),
    "mfa_reauthenticate": _("Confirm with a code"),
    "mfa_reauthenticate:webauthn": _("Confirm with a passkey"),
    BY_MAIL: _("Confirm with a code by mail"),
}


class Adapter(DefaultAccountAdapter):
    """Agreement comes before everything, the address's code before the rest."""

    #: In our words, which are all there in Spanish too.
    error_messages: ClassVar[dict[str, Any]] = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _("Address and password do not go together."),
        "incorrect_code": _("This is not the code. It stands in the newest mail."),
        "too_many_login_attempts": _("Too many tries. Wait a few minutes, then try again."),
        "email_taken": _("This address has an account already."),
        "duplicate_email": _("This is one of your addresses already."),
        "max_email_addresses": _("Five addresses are the most. Remove one first."),
        "rate_limited": _("Too many tries. Wait a few minutes, then try again."),
    }

    def get_login_stages(self) -> list[str]:
        """Put the agreement before all but a code that was asked for, so that not even a mail is sent without it."""
        return [
            "allauth.account.stages.LoginByCodeStage",
            "troth.web.stages.AgreementStage",
            "allauth.account.stages.EmailVerificationStage",
            "troth.web.stages.SecondFactorStage",
            "troth.web.stages.TrustedStage",
            "allauth.mfa.webauthn.stages.PasskeySignupStage",
            "troth.web.stages.LateAgreementStage",
        ]

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - an account
        """Return the ways to confirm, in our words.

        A code by mail is one only for who has neither password nor passkey, and could do nothing more: beside an app
        it is no second factor (NIST SP 800-63B-4, 3.1.3.1), and beside a password it would be the weaker way.
        """
        ways = [each | {"description": CONFIRMED[each["id"]]} for each in super().get_reauthentication_methods(user)]
        return [each for each in ways if each["id"] != BY_MAIL] or ways

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Refuse everybody where the policy does not collect what signing in cannot do without."""
        return queries.asked_on_sign_up() >= {"person.email", "person.password"} and super().is_open_for_signup(request)

    def pre_login(self, request: HttpRequest, user: Any, **told: Any) -> HttpResponse | None:  # noqa: ANN401
        """Note where the way in begins."""
        begin(request, user)
        sessions.start(request)
        return cast("HttpResponse | None", super().pre_login(request, user, **told))

    def post_login(self, request: HttpRequest, user: Any, **told: Any) -> HttpResponse:  # noqa: ANN401
        """Tell people of a browser that was not seen before; not of the one they sign up with."""
        response = cast("HttpResponse", super().post_login(request, user, **told))
        if not told.get("signup") and not getattr(request, "came_remembered", False):
            arriving.tell(request, user)
        return response

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:  # noqa: ANN401 - an account, or None
        """Note whether the password was right, for what is said when something else stands in the way."""
        account = super().authenticate(request, **credentials)
        request.proven = account is not None  # type: ignore[attr-defined]
        return account

    def clean_email(self, email: str) -> str:
        """Refuse what quotes let into an address and a terminal would obey."""
        if not email.isprintable():
            raise ValidationError(EmailValidator.message, code=EmailValidator.code)
        return str(super().clean_email(email))

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Account:  # noqa: ANN401, FBT001, FBT002
        """Save the account together with its subject and person."""
        account = cast("Account", super().save_user(request, user, form, commit=False))
        first = bool(request.session.pop("first_link", None))
        if not commit:
            return account
        account = actions.sign_up(account, name=form.cleaned_data.get("name"), told=form.told())
        if first:
            staffing.own(account.subject)
        return account

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return who is limited: the address that the front door took, which believes listed proxies only.

        Of IPv6 it is the /64: that many addresses are one household's, and each would have limits of its own.
        """
        address = valid_address(str(request.META.get("REMOTE_ADDR", ""))) or ""
        return str(ip_network(f"{address}/64", strict=False)) if ":" in address else address

    def get_from_email(self) -> str:
        """Return the sender of all mail."""
        return str(settings.DEFAULT_FROM_EMAIL)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send with the fixed address of the service, whatever Host the request named."""
        home = urlsplit(settings.BASE_URL)
        for key, value in context.items():
            if key.endswith("_url") and isinstance(value, str):
                parts = urlsplit(value)
                context = context | {key: parts._replace(scheme=home.scheme, netloc=home.netloc).geturl()}
        site = SimpleNamespace(name=published.current().policy.name, domain=settings.BASE_URL)
        super().send_mail(template_prefix, email, context | {"current_site": site, "base_url": settings.BASE_URL})

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> EmailMessage:
        """Make the message and note whose it is, so that it goes when they go."""
        message = cast("EmailMessage", super().render_mail(template_prefix, email, context, headers))
        account = Account.objects.filter(email__iexact=email).first() if isinstance(email, str) else None
        if account is not None:
            message.troth_subject = account.subject  # type: ignore[attr-defined]
        return message

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: object, **kwargs: object
    ) -> None:
        """Say only what the next page does not show anyway."""
        match = request.resolver_match
        # What went wrong with a passkey comes as it is.
        wrong = message_template is None and match is not None and (match.url_name or "").startswith("mfa_")
        if message_template in SAID or wrong:
            super().add_message(request, level, message_template, *args, **kwargs)

    def is_safe_url(self, url: str | None) -> bool:
        """Only paths of ours are safe to go to."""
        return (
            bool(url)
            and str(url).startswith("/")
            and not str(url).startswith(("//", "/\\"))
            and super().is_safe_url(url or "")
        )


def shown(account: Account) -> str:
    """Return how mails and messages call an account: by the address they go to."""
    return account.email
