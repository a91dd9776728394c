"""The forms: sign-up is made of what the policy collects then."""

from typing import Any

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.forms import (
    AddEmailForm,
    ChangePasswordForm,
    ConfirmLoginCodeForm,
    ConfirmReauthenticationCodeForm,
    LoginForm,
    ReauthenticateForm,
    RequestLoginCodeForm,
    RequestReauthenticationCodeForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    SetPasswordForm,
    SignupForm,
)
from allauth.core import context, ratelimit
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as CodeReauthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm, SignupWebAuthnForm
from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext_lazy as _

from troth.database import published
from troth.people import profiles
from troth.people.actions import LONGEST_NAME, clean_name
from troth.people.devices import LONGEST_NAME as LONGEST_DEVICE_NAME
from troth.people.errors import NameRefusal
from troth.people.passwords import SHORTEST, shortest
from troth.people.queries import asked_on_sign_up
from troth.policy.explain import field_sentence
from troth.policy.meaning import Occasion
from troth.web.second import last_factor, unproven
from troth.web.sessions import COOKIE as REMEMBERED
from troth.web.sessions import WANTED, days_of
from troth.web.telling import Telling

LONG_BESIDE = _("At least 8 characters, beside your second step.")
LONG = _("At least 15 characters; a few words in a row are easy to remember.")
FIELDS = {"email": "person.email", "name": "person.name", "password1": "person.password"}


class NameField(forms.CharField):
    """One name, never split."""

    def clean(self, value: Any) -> str:  # noqa: ANN401 - Django's signature
        """Return the name as kept."""
        try:
            return clean_name(super().clean(value))
        except NameRefusal as refusal:
            raise forms.ValidationError(f"{refusal.sentence}; {refusal.advice}".capitalize(), code="name") from refusal


class SignUp(Telling, SignupForm):
    """What the policy collects on sign-up, each field with the policy's own sentence."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        """Keep the fields that the policy collects, and explain them."""
        super().__init__(*args, **kwargs)
        name = NameField(
            label=_("Name"), max_length=LONGEST_NAME, widget=forms.TextInput({"autocomplete": "name", "dir": "auto"})
        )
        known = self.fields | {"name": name}  # who comes with a passkey has no password
        asked, policy = asked_on_sign_up(), published.current().policy
        self.fields: dict[str, forms.Field] = {
            each: known[each] for each in FIELDS if each in known and FIELDS[each] in asked
        }
        for field in self.fields:
            category = FIELDS[field]
            self.fields[field].help_text = field_sentence(policy, category, Occasion.SIGN_UP, get_language() or "en")
            self.fields[field].widget.attrs.pop("placeholder", None)
        self.fields["email"].label = _("E-mail address")
        self.ask(profiles.asked_on_sign_up())
        if "password1" not in self.fields:
            return
        self.fields["password1"].label = _("Password")
        self.fields["password1"].help_text = f"{LONG} {self.fields['password1'].help_text}"
        self.fields["password1"].widget.attrs |= {"minlength": "15", "autocomplete": "new-password"}

    def save(self, request: HttpRequest) -> Any:  # noqa: ANN401 - the library's signature
        """Save account, subject, person and address together or not at all."""
        with transaction.atomic():
            return super().save(request)


LABELS = {
    "password": _("Password"),
    "code": _("Code"),
    "name": _("Name of the passkey"),
    "login": _("E-mail address"),
    "email": _("E-mail address"),
    "recipient": _("E-mail address"),
    "oldpassword": _("Your password"),
    "password1": _("A new password"),
    "password2": _("The new password again"),
}


class Plain:
    """A form of the sign-in library in our words: one name for each thing, and nothing written inside the fields."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        """Rename what is called otherwise elsewhere, and empty the fields."""
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = LABELS.get(name, field.label)
            field.help_text = self.rule() if name == "password1" else ""

    def rule(self) -> Any:  # noqa: ANN401 - words
        """Say what a new password needs."""
        return LONG if shortest(getattr(self, "user", None)) == SHORTEST else LONG_BESIDE


def remember_field() -> dict[str, forms.Field]:
    """Return the choice to be remembered, where the policy declares the cookie for it, with how long it lasts."""
    days = days_of(REMEMBERED)
    if not days:
        return {}
    words = ngettext("Remember me here for %(days)s day", "Remember me here for %(days)s days", days) % {"days": days}
    return {"remember": forms.BooleanField(label=words, required=False)}


class Remembering(Plain):
    """A form that somebody signs in with, who may want to be remembered."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        """Add the choice."""
        super().__init__(*args, **kwargs)
        self.fields.pop("remember", None)
        self.fields |= remember_field()


class Login(Remembering, LoginForm):
    """Sign in; the link for a forgotten password stands below the form."""

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> Any:  # noqa: ANN401 - the library's
        """Note the wish to be remembered for when every stage is passed."""
        request.session[WANTED] = bool(self.cleaned_data.get("remember"))
        return super().login(request, redirect_url=redirect_url)

    def clean(self) -> Any:  # noqa: ANN401 - the library's
        """Say what stands in the way of a right password: a code that was sent seconds ago."""
        try:
            return super().clean()
        except forms.ValidationError as error:
            if error.code != "too_many_login_attempts" or not getattr(self.request, "proven", False):
                raise
            words = _("The password is right, but a code was sent seconds ago. Wait ten seconds, then sign in.")
            raise forms.ValidationError(words, code="code_just_sent") from error


class Forgotten(Plain, ResetPasswordForm):
    """Ask for a code for a new password."""


class NewPassword(Plain, ResetPasswordKeyForm):
    """Choose the new password."""


class ChangePassword(Plain, ChangePasswordForm):
    """Change a password that is known."""


class Confirm(Plain, ReauthenticateForm):
    """Confirm with the password that it is still the same person."""


class AskToConfirm(Plain, RequestReauthenticationCodeForm):
    """Ask for a code to confirm with, where there is nothing else to confirm with."""


class ConfirmByMail(Plain, ConfirmReauthenticationCodeForm):
    """Confirm with that code that it is still the same person."""


class AskForCode(Remembering, RequestLoginCodeForm):
    """Ask for a code to sign in with."""


class EnterCode(Plain, ConfirmLoginCodeForm):
    """Sign in with the code."""


class AddAddress(Plain, AddEmailForm):
    """One more address, proven by a code."""


class SecondCode(Plain, AuthenticateForm):
    """The app's code, or a recovery code."""


class ConfirmByCode(Plain, CodeReauthenticateForm):
    """Confirm with such a code that it is still the same person."""


class ActivateApp(Plain, ActivateTOTPForm):
    """Prove that the app shows the right code of a key that stays the same for a while, however often it is shown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        """Go on with the key that was shown, held where the library holds its own: it goes once it is proven."""
        session = context.request.session
        held = str(session.pop(SECRET_SESSION_KEY, ""))
        key = unproven(held)
        super().__init__(*args, **kwargs)  # which makes a new one, and would hold that in the clear
        self.replaced = self.is_bound and key is None
        self.secret: str = key or self.secret
        session[SECRET_SESSION_KEY] = held if key else get_adapter().encrypt(self.secret)

    def clean_code(self) -> str:
        """Say so where the code is of a key that is shown no more."""
        if self.replaced:
            raise get_adapter().validation_error("key_replaced")
        return str(super().clean_code())


class AddPasskey(Plain, AddWebAuthnForm):
    """One more passkey: always one that signs in by itself, so the person must have been verified."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        """Take the choice away."""
        super().__init__(*args, **kwargs)
        self.fields["passwordless"] = forms.BooleanField(required=False, widget=forms.HiddenInput, initial=True)

    def clean_passwordless(self) -> bool:
        """Whatever was sent."""
        return True


class SignUpPasskey(Plain, SignupWebAuthnForm):
    """The passkey that somebody signs up with."""


class NamePasskey(Plain, EditWebAuthnForm):
    """Call a passkey something else."""


class Removal(forms.Form):
    """Remove a passkey or an app; what remains must be enough to sign in with."""

    password = forms.CharField(
        label=_("Your password"), strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )

    def __init__(self, *args: Any, authenticator: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        """Ask for the password only where it will stand alone."""
        super().__init__(*args, **kwargs)
        self.authenticator = authenticator
        self.fields["password"].help_text = _("From now on it stands alone, so it must have 15 characters or more.")
        if not last_factor(authenticator) or not authenticator.user.has_usable_password():
            del self.fields["password"]

    def clean_password(self) -> str:
        """Refuse a wrong password, and one that is too short to stand alone."""
        password = str(self.cleaned_data["password"])
        if not ratelimit.consume(context.request, action="reauthenticate", user=self.authenticator.user):
            raise get_account_adapter().validation_error("rate_limited")
        if not self.authenticator.user.check_password(password):
            raise forms.ValidationError(_("This is not your password."), code="password")
        if len(password) < SHORTEST:
            words = _("It has fewer than 15 characters. Change your password to a longer one first.")
            raise forms.ValidationError(words, code="password_too_short")
        return password

    def clean(self) -> Any:  # noqa: ANN401 - the library's
        """Refuse to take the only way in."""
        adapter = get_adapter()
        if not adapter.can_delete_authenticator(self.authenticator):
            raise adapter.validation_error("cannot_delete_authenticator")
        return super().clean()


class RemoveApp(Removal):
    """The same, for the app."""


class SetPassword(Plain, SetPasswordForm):
    """The first password of somebody who came with a passkey."""


class Name(forms.Form):
    """Correct one's name."""

    name = NameField(
        label=_("Name"), max_length=LONGEST_NAME, widget=forms.TextInput({"autocomplete": "name", "dir": "auto"})
    )


class DeviceName(forms.Form):
    """Name a device; an empty name takes the name away."""

    name = forms.CharField(
        label=_("Name of the device"),
        required=False,
        max_length=LONGEST_DEVICE_NAME,
        widget=forms.TextInput({"autocomplete": "off", "dir": "auto"}),
    )


class LinkCode(forms.Form):
    """The code that was made in another account."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )


class Close(forms.Form):
    """Close the account, knowing the password."""

    password = forms.CharField(
        label=_("Your password"), strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )

    def __init__(self, account: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        """Remember whose it is."""
        super().__init__(*args, **kwargs)
        self.account = account
        if not account.has_usable_password():  # they have just confirmed in another way
            del self.fields["password"]

    def clean_password(self) -> str:
        """Refuse a wrong password."""
        password = str(self.cleaned_data["password"])
        if not self.account.check_password(password):
            raise forms.ValidationError(_("This is not your password."), code="password")
        return password


class Accesses(forms.Form):
    """Which accesses to show."""

    day = forms.DateField(label=_("Day"), required=False, widget=forms.DateInput({"type": "date"}))
    path = forms.CharField(label=_("Page begins with"), required=False, max_length=200)
    before = forms.DateTimeField(required=False, widget=forms.HiddenInput)
