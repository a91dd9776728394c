"""What is done about fields that organizations hold: fill in, correct, empty; ask for it, answer, withdraw."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from troth.people.cleaning import CONTROL, Value, text_of
from troth.people.errors import CorrectionRefusal, NobodyThere, NoSuchOrganization, NotAllowed
from troth.people.fields import ORGANIZATION, Field
from troth.people.organizing import Refusals, done
from troth.people.profiles import fields

#: Characters of a reason and of an answer.
LONGEST = 1000
REFUSALS: Refusals = {
    "TR003": (NobodyThere, "nobody is signed in", "sign in again"),
    "TR040": (NoSuchOrganization, "there is no such organization", "ask whoever sent you here for another link"),
    "TR041": (NotAllowed, "your role in this organization does not let you do that", "ask an owner of it"),
    "TR045": (NoSuchOrganization, "there is nobody and no role like that in it", "load the page anew"),
    "TR047": (CorrectionRefusal, "you asked this organization five times today", "ask again tomorrow"),
    "TR061": (CorrectionRefusal, "the organization holds no such field", "load the page anew"),
    "TR062": (CorrectionRefusal, "you have asked that already", "wait for the answer, or withdraw it"),
    "TR063": (CorrectionRefusal, "this is not asked any more", "load the page anew"),
    "TR064": (CorrectionRefusal, "a refusal says why", "write the reason"),
    "23514": (CorrectionRefusal, "that is too long, or does not fit", "write it in other words"),
    "42501": (CorrectionRefusal, "the policy in force lets nobody do this", "see the policy"),
}


def hold(*, token: str, organization: uuid.UUID, subject: uuid.UUID, field: Field, value: Value) -> None:
    """Fill in or correct what an organization holds of a member; None empties it. Raises PeopleRefusal, as all here."""
    told = {"organization": organization, "subject": subject, "field": field.name, "value": text_of(value)}
    _do("administrator", token, "hold_field", told)


def ask(*, token: str, organization: uuid.UUID, field: Field, value: Value, reason: str) -> uuid.UUID:
    """Ask an organization for another value of what it holds of the viewer; None asks for none. Returns the request."""
    told = {"organization": organization, "field": field.name, "value": text_of(value), "reason": _words(reason)}
    asked: uuid.UUID = _do("self", token, "ask_correction", told)
    return asked


def answer(
    *, token: str, organization: uuid.UUID, subject: uuid.UUID, correction: uuid.UUID, accepted: bool, words: str
) -> None:
    """Make what a member wants so, or decline it, with words that a refusal needs."""
    told = {"organization": organization, "subject": subject, "correction": correction, "accepted": accepted}
    _do("administrator", token, "answer_correction", told | {"words": _words(words)})


def withdraw(*, token: str, correction: uuid.UUID) -> None:
    """Want it no longer."""
    _do("self", token, "withdraw_correction", {"correction": correction})


def asked_mail(facts: Mapping[str, Any]) -> Mapping[str, str]:
    """Write the mail to whoever may answer: it names organization and field, and neither the person nor any value."""
    with override(str(facts["language"])):
        told = _told(facts) | {"link": f"{settings.BASE_URL}/organizations/{facts['organization']}/corrections"}
        subject = _("Somebody in %(name)s asks for a correction") % told
        text = _(
            "A member of %(name)s says that “%(field)s”, which it holds of them, is to be corrected.\n\n%(link)s\n\nYou"
            " can make it so, or decline and say why. Until then nothing changes.\n"
        )
        return {"subject": subject, "text": text % told}


def answered_mail(facts: Mapping[str, Any]) -> Mapping[str, str]:
    """Write the mail to whoever asked, without the value and without the answer's words."""
    with override(str(facts["language"])):
        told = _told(facts) | {"link": f"{settings.BASE_URL}/me/profile"}
        if facts["made"]:
            subject = _("%(name)s corrected what it holds of you") % told
            text = _("You asked %(name)s to correct “%(field)s”. It did.\n\n%(link)s\n")
        else:
            subject = _("%(name)s answered what you asked") % told
            text = _(
                "You asked %(name)s to correct “%(field)s”. It declined; you see the reason here, and can ask"
                " again.\n\n%(link)s\n"
            )
        return {"subject": subject, "text": text % told}


#: Who writes the mails of this module, by the name of their template.
WRITERS = {"correction-asked": asked_mail, "correction-answered": answered_mail}


def _told(facts: Mapping[str, Any]) -> dict[str, str]:
    known = {field.name: field.said(str(facts["language"])) for field in fields(ORGANIZATION)}
    return {"name": str(facts["name"]), "field": known.get(str(facts["field"]), str(facts["field"]))}


def _words(told: str) -> str | None:
    """Return what somebody wrote, in lines; None for nothing."""
    lines = ("".join(CONTROL.split(line)).strip() for line in told.splitlines())
    return "\n".join(lines).strip() or None


def _do(role: str, viewer: str, statement: str, told: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what it returns
    return done(role, viewer, statement, told, REFUSALS)
