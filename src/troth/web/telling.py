"""Forms made of the fields that the operator declared: a part for each type, and words for what does not fit."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from troth.database import published
from troth.people.cleaning import Value, clean
from troth.people.correcting import LONGEST as LONGEST_REASON
from troth.people.errors import FieldRefusal, PeopleRefusal, Unfit
from troth.people.fields import Field
from troth.policy.declaring import Type, shape
from troth.policy.explain import field_sentence

#: How a form calls what a field holds, so that no field is taken for one of the form's own.
PREFIX = "told_"
UNFIT = {
    Unfit.LONG: _("This has %(many)d characters. Keep it to %(most)d."),
    Unfit.LARGE: _("This number is too large."),
    Unfit.CONTROL: _("This holds control characters. Remove the invisible signs."),
    Unfit.WEB: _("This is no address of a page. Write it as https://example.org/."),
    Unfit.PHONE: _("This is no telephone number. Write digits, as +34 600 000 000."),
    Unfit.OTHER: _("This does not fit here. Write it differently."),
    Unfit.NOBODY: _("The policy in force lets nobody write this."),
    Unfit.EMPTY: _("There is no value. Write one, or delete the field."),
}
YES_NO = (("yes", _("Yes")), ("no", _("No")))


def language() -> str:
    """Return the reader's language."""
    return get_language() or "en"


def words(refusal: FieldRefusal) -> str:
    """Say in the reader's language why a value was refused."""
    return str(UNFIT[refusal.why]) % dict(refusal.told)


def refused(refusal: PeopleRefusal) -> str:
    """Say in the reader's language what was refused, and what to do next."""
    return f"{gettext(refusal.sentence)}{'; ' + gettext(refusal.advice) if refusal.advice else ''}"


def clause_of(field: Field) -> str:
    """Return the clause that collects a field, or that would."""
    return next(
        (
            each.clause.name
            for each in published.current().policy.collections
            if field.category in each.categories and each.occasion is field.occasion
        ),
        "",
    )


def why(field: Field) -> str:
    """Say why a field is asked for and how long it is kept."""
    return field_sentence(published.current().policy, field.category, field.occasion, language())


def part(field: Field, *, required: bool) -> forms.Field:
    """Return the part of a form that asks for a field."""
    told: dict[str, Any] = {"label": field.said(language()), "help_text": why(field), "required": required}
    longest = shape(field.column).longest
    match field.type:
        case Type.NUMBER:
            return forms.IntegerField(widget=forms.TextInput({"inputmode": "numeric"}), **told)
        case Type.DATE:
            return forms.DateField(widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"), **told)
        case Type.CHOICE:
            choices = [(choice, field.word(choice, language())) for choice in field.words or ()]
            return forms.ChoiceField(choices=[("", "—"), *choices], **told)
        case Type.YES_NO:
            return forms.TypedChoiceField(
                choices=[("", "—"), *YES_NO], coerce=lambda chosen: chosen == "yes", empty_value=None, **told
            )
        case Type.LONG:
            # Who pastes more is told how much more, instead of losing the end of it.
            return forms.CharField(widget=forms.Textarea({"rows": "6", "dir": "auto"}), **told)
        case kind:
            return forms.CharField(widget=forms.TextInput({"maxlength": str(longest * 2)} | LIKE[kind]), **told)


LIKE = {
    Type.TEXT: {"dir": "auto"},
    Type.PHONE: {"type": "tel", "dir": "ltr", "autocomplete": "tel"},
    Type.WEB: {"inputmode": "url", "dir": "ltr", "autocomplete": "url"},
}


def shown(value: Value) -> str:
    """Return a value as a form begins with it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


class Telling(forms.Form):
    """A form that asks for declared fields."""

    #: By the names that the form has for them.
    asked: dict[str, Field]

    def ask(self, fields: Iterable[Field], *, required: bool = False) -> None:
        """Ask for fields; those that the operator requires must be told, or with `required` all of them."""
        self.asked = {PREFIX + field.name: field for field in fields}
        self.fields |= {name: part(each, required=required or each.required) for name, each in self.asked.items()}

    def clean(self) -> Any:  # noqa: ANN401 - Django's signature
        """Bring each value into the form in which it is kept, or say why it cannot be."""
        cleaned: Any = super().clean()
        for name, field in self.asked.items():
            if name in self.cleaned_data:
                try:
                    self.cleaned_data[name] = clean(field.column, self.cleaned_data[name])
                except FieldRefusal as refusal:
                    self.add_error(name, words(refusal))
        return cleaned

    def told(self) -> dict[str, Value]:
        """Return what was told, by field."""
        return {field.name: self.cleaned_data.get(name) for name, field in self.asked.items()}


class Correct(Telling):
    """Correct one field."""

    def __init__(self, field: Field, *args: Any, value: Value = None, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        """Begin with what is held."""
        super().__init__(*args, **kwargs)
        self.ask([field], required=True)
        self.initial = {PREFIX + field.name: shown(value)}
        self.field = field

    @property
    def value(self) -> Value:
        """What was told."""
        return self.told()[self.field.name]


class AskCorrection(Correct):
    """Ask whoever holds a field to correct it: with nothing in its place, to empty it."""

    def __init__(self, field: Field, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        """Begin with nothing: what is wanted is another value than what is held."""
        super().__init__(field, *args, **kwargs)
        wanted = self.fields[PREFIX + field.name]
        wanted.required, wanted.label = False, _("What it should say")
        wanted.help_text = _("Leave this empty if nothing should be held.")
        self.fields["reason"] = forms.CharField(
            label=_("Why"),
            help_text=_("Whoever answers reads this. They see it as long as you are a member."),
            max_length=LONGEST_REASON,
            widget=forms.Textarea({"rows": "4", "dir": "auto"}),
        )
