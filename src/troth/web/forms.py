"""The forms: sign-up is made of what the policy collects then."""

from typing import Any

from allauth.account.forms import ChangePasswordForm, LoginForm, ResetPasswordForm, ResetPasswordKeyForm, SignupForm
from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from troth.database import published
from troth.people.actions import LONGEST_NAME, clean_name
from troth.people.errors import NameRefusal
from troth.people.queries import asked_on_sign_up
from troth.policy.explain import field_sentence
from troth.policy.meaning import Occasion

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


class SignUp(SignupForm):
    """What the policy collects on sign-up, each field with the policy's own sentence."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        """Keep the fields that the policy collects, and explain them."""
        super().__init__(*args, **kwargs)
        name = NameField(
            label=_("Name"), max_length=LONGEST_NAME, widget=forms.TextInput({"autocomplete": "name", "dir": "auto"})
        )
        known = {"email": self.fields["email"], "name": name, "password1": self.fields["password1"]}
        asked, policy = asked_on_sign_up(), published.current().policy
        self.fields: dict[str, forms.Field] = {each: known[each] for each in FIELDS if FIELDS[each] in asked}
        for field in self.fields:
            category = FIELDS[field]
            self.fields[field].help_text = field_sentence(policy, category, Occasion.SIGN_UP, get_language() or "en")
            self.fields[field].widget.attrs.pop("placeholder", None)
        self.fields["email"].label = _("E-mail address")
        self.fields["password1"].label = _("Password")
        self.fields["password1"].help_text = f"{LONG} {self.fields['password1'].help_text}"
        self.fields["password1"].widget.attrs |= {"minlength": "15", "autocomplete": "new-password"}

    def save(self, request: HttpRequest) -> Any:  # noqa: ANN401 - the library's signature
        """Save account, subject, person and address together or not at all."""
        with transaction.atomic():
            return super().save(request)


LABELS = {
    "login": _("E-mail address"),
    "email": _("E-mail address"),
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
            field.help_text = LONG if name == "password1" else ""


class Login(Plain, LoginForm):
    """Sign in; the link for a forgotten password stands below the form."""

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


class Name(forms.Form):
    """Correct one's name."""

    name = NameField(
        label=_("Name"), max_length=LONGEST_NAME, widget=forms.TextInput({"autocomplete": "name", "dir": "auto"})
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
