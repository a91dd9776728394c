"""The forms with which people let others see something, and the operator asks for a permission."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import get_language, gettext, ngettext, override
from django.utils.translation import gettext_lazy as _

from troth.consent import agreed, permissions
from troth.consent.agreed import Proposal
from troth.consent.applications import Grant
from troth.consent.permissions import Record
from troth.database import published
from troth.policy.explain import capital, clause_sentence
from troth.policy.voice import LANGUAGES, voice
from troth.web.templatetags.said import moment
from troth.web.words import say

LONGEST = 365
LASTING = 30
#: Characters of what a record says, where it is one among others.
LONGEST_CALLED = 120


def said(categories: Iterable[str], *, mine: bool = True) -> list[dict[str, str]]:
    """Return categories as a page names them, in the policy's words; not `mine`: they are somebody else's."""
    speaking = voice(published.current().policy, get_language() or "en")
    words = {each: speaking.category(each) for each in categories}
    return [{"name": each, "words": capital(what if mine else speaking.theirs(what))} for each, what in words.items()]


def choices(categories: Iterable[str], *, mine: bool = True) -> list[tuple[str, str]]:
    """Return categories as the choices of a form."""
    return [(each["name"], each["words"]) for each in said(categories, mine=mine)]


def shown_to_chosen() -> list[str]:
    """Return the categories that the policy in force shows to chosen people."""
    return list(dict.fromkeys(each.category for each in permissions.grantable()))


def sentence(clause: str) -> str:
    """Return the policy's own sentence for a clause."""
    return clause_sentence(published.current().policy, clause, get_language() or "en")


def sentences(categories: Iterable[str]) -> list[tuple[str, str]]:
    """Return the clauses that show categories to chosen people, each with the policy's own sentence."""
    categories = list(categories)
    clauses = dict.fromkeys(each.clause for each in permissions.grantable() if each.category in categories)
    return [(clause, sentence(clause)) for clause in clauses]


def value(category: str, found: object) -> str:
    """Return a value of a category as a page shows it to a person."""
    if isinstance(found, datetime):
        return gettext("%(moment)s UTC") % {"moment": moment(found)}
    return say(found, "device") if category == "device.kind" else str(found)


def called(record: Record) -> str:
    """Return what a record is called among others of its kind: what it says, and when."""
    when = [value("", record.at)] if record.at else []
    said = (Truncator(value(category, found)).chars(LONGEST_CALLED) for category, found in record.values.items())
    return " · ".join([*said, *when]) or record.record


def end_of(day: date) -> datetime:
    """Return the last moment of a day."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def last_day(until: datetime) -> date:
    """Return the last day of a window, today at the earliest."""
    return max(until.date() - timedelta(days=until.time() == time()), timezone.now().date())


class Categories(forms.MultipleChoiceField):
    """What may be seen: nothing is ticked beforehand."""

    def __init__(self, **told: Any) -> None:  # noqa: ANN401 - Django's signature
        """Show a box for each."""
        super().__init__(widget=forms.CheckboxSelectMultiple, label=_("What they may see of you"), **told)


class Records(forms.MultipleChoiceField):
    """Which records may be seen."""

    def __init__(self, **told: Any) -> None:  # noqa: ANN401 - Django's signature
        """Show a box for each."""
        super().__init__(widget=forms.CheckboxSelectMultiple, label=_("Which records of yours"), **told)


class Until(forms.Form):
    """A last day, within a year."""

    until = forms.DateField(label=_("Until the end of"), widget=forms.DateInput({"type": "date"}))

    def __init__(self, *args: Any, **told: Any) -> None:  # noqa: ANN401 - Django's signature
        """Propose a month."""
        super().__init__(*args, **told)
        self.fields["until"].initial = self.fields["until"].initial or timezone.now().date() + timedelta(days=LASTING)

    def clean_until(self) -> date:
        """Refuse a day that is over, or further away than a year."""
        day: date = self.cleaned_data["until"]
        if not timezone.now().date() <= day <= timezone.now().date() + timedelta(days=LONGEST):
            raise forms.ValidationError(_("Choose a day from today on, at most a year away."), code="window")
        return day


class Give(Until):
    """Let somebody see something."""

    categories = Categories()
    reason = forms.CharField(
        label=_("Why, and who you are to them"),
        help_text=_("They read this before they answer."),
        max_length=500,
        widget=forms.Textarea({"rows": 3, "dir": "auto"}),
    )
    address = forms.EmailField(
        label=_("Their e-mail address"),
        help_text=_(
            "Only who has proven it here can answer. Leave it empty to get a link that you hand over yourself."
        ),
        required=False,
        max_length=254,
    )
    field_order: tuple[str, ...] = ("categories", "reason", "address", "until")

    def __init__(self, *args: Any, **told: Any) -> None:  # noqa: ANN401 - Django's signature
        """Offer what the policy shows to chosen people."""
        super().__init__(*args, **told)
        self.fields["categories"].choices = choices(shown_to_chosen())  # type: ignore[attr-defined]


class GiveRecords(Give):
    """Let somebody see single records of one's own."""

    records = Records()
    field_order = ("records", *Give.field_order)

    def __init__(self, *args: Any, table: str, records: Iterable[Record], **told: Any) -> None:  # noqa: ANN401
        """Offer the records of a table, and the categories of it that the policy shows to chosen people."""
        super().__init__(*args, **told)
        self.fields["records"].choices = [(each.record, called(each)) for each in records]  # type: ignore[attr-defined]
        shown = dict.fromkeys(each.category for each in permissions.apart()[table])
        self.fields["categories"].choices = choices(shown)  # type: ignore[attr-defined]
        self.fields["categories"].label = _("What they may see of these records")


class Change(Until):
    """Narrow a permission, or give it another end."""

    records = Records()
    categories = Categories()
    field_order = ("records", "categories", "until")

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - Django's signature
        held: Iterable[str],
        until: datetime,
        records: Iterable[Record] = (),
        **told: Any,  # noqa: ANN401 - the same
    ) -> None:
        """Offer what stands, ticked; of records those that are still there."""
        super().__init__(*args, **told)
        if known := [(each.record, called(each)) for each in records]:
            self.fields["records"].choices = known  # type: ignore[attr-defined]
            self.fields["records"].initial = [record for record, _name in known]
        else:
            del self.fields["records"]
        self.fields["categories"].choices = choices(held)  # type: ignore[attr-defined]
        self.fields["categories"].initial = list(held)
        self.fields["until"].initial = last_day(until)


class Propose(forms.Form):
    """What the operator asks a person to permit."""

    address = forms.EmailField(label=_("The person's e-mail address"), max_length=254)
    what = forms.ChoiceField(label=_("What you ask for"), widget=forms.RadioSelect)
    categories = Categories(required=False)
    reason = forms.CharField(label=_("Why"), max_length=500, widget=forms.Textarea({"rows": 3, "dir": "auto"}))
    terms = forms.CharField(
        label=_("On which terms"), max_length=2000, required=False, widget=forms.Textarea({"rows": 3, "dir": "auto"})
    )
    days = forms.IntegerField(label=_("For how many days"), min_value=1, max_value=LONGEST, initial=LASTING)
    ends = forms.ChoiceField(label=_("How it can be ended sooner"))
    notice = forms.IntegerField(label=_("Days of notice"), min_value=0, max_value=90, initial=0, required=False)

    def __init__(self, *args: Any, **told: Any) -> None:  # noqa: ANN401 - Django's signature
        """Offer what the policy permits with a person's yes, and nothing else."""
        super().__init__(*args, **told)
        policy, language = published.current().policy, get_language() or "en"
        purposes = [(p, capital(policy.purpose(p).said(language))) for p in agreed.by_consent()]
        seen = [("", _("To see of them, yourself, what you tick below"))] if shown_to_chosen() else []
        self.fields["what"].choices = [*purposes, *seen]  # type: ignore[attr-defined]
        self.fields["what"].required = False
        self.fields["categories"].choices = choices(shown_to_chosen(), mine=False)  # type: ignore[attr-defined]
        self.fields["categories"].label = _("What you would see of them")
        self.fields["ends"].choices = [  # type: ignore[attr-defined]
            ("at once", _("By either of you, at once")),
            ("with notice", _("By either of you, with notice")),
            ("at its end", _("By neither: it ends by itself")),
        ]

    def clean(self) -> dict[str, Any]:
        """Refuse what says nothing, and a purpose that could not be taken back at once."""
        told = super().clean() or {}
        if not told.get("what") and not told.get("categories"):
            self.add_error("categories", _("Tick what you would see."))
        if told.get("what") and told.get("ends") != "at once":
            self.add_error("ends", _("A yes to a purpose can be taken back at any time."))
        return told

    def proposal(self) -> Proposal:
        """Return what is proposed."""
        told = self.cleaned_data
        purpose = told.get("what") or None
        notice = told["notice"] or 0 if told["ends"] == "with notice" else 0
        return Proposal(
            told.get("address", ""), purpose, None if purpose else told["categories"], told["reason"], told["terms"],
            told["days"], told["ends"], notice,
        )  # fmt: skip


class ProposeToMember(Propose):
    """What somebody who administers an organization asks a member to let them see."""

    def __init__(self, *args: Any, **told: Any) -> None:  # noqa: ANN401 - Django's signature
        """Offer what the policy shows to chosen people: no purpose is an organization's, and no address is needed."""
        super().__init__(*args, **told)
        del self.fields["address"], self.fields["what"]


def frames(proposal: Proposal, organization: str = "") -> Mapping[str, str]:
    """Return, by language, the words around a proposal that its person is shown; `organization`: in whose name."""
    name = organization.replace("{", "{{").replace("}", "}}")
    found = {}
    for language in LANGUAGES:
        with override(language):
            if proposal.purpose:
                asked = gettext("You are asked to permit this: {what}")
            elif organization:
                asked = gettext(
                    "You are asked to let one person who administers %(organization)s, who proposes this, see of you:"
                    " {what}."
                ) % {"organization": name}
            else:
                asked = gettext(
                    "You are asked to let one person of the operator's, who proposes this, see of you: {what}."
                )
            lasting = gettext("It lasts {days} from your yes, and then ends by itself.")
            parts = [
                asked,
                gettext("Why: {why}"),
                f"{lasting} {_of_organization(proposal) if organization else _ending(proposal)}",
            ]
            parts += [gettext("Terms: {terms}")] if proposal.terms else []
            found[language] = "\n\n".join(parts)
    return found


def _ending(proposal: Proposal) -> str:
    if proposal.ends == "at once":
        return gettext("You or the operator can end it at any time, at once.")
    if proposal.ends == "with notice":
        words = ngettext(
            "You or the operator can end it with a notice of %(n)d day.",
            "You or the operator can end it with a notice of %(n)d days.",
            proposal.notice,
        )
        return words % {"n": proposal.notice}
    return gettext("Neither you nor the operator can end it sooner.")


def _of_organization(proposal: Proposal) -> str:
    over = gettext("It also ends when you leave the organization, or they administer it no longer.")
    if proposal.ends == "at once":
        return f"{gettext('You or they can end it at any time, at once.')} {over}"
    if proposal.ends == "with notice":
        words = ngettext(
            "You or they can end it with a notice of %(n)d day.",
            "You or they can end it with a notice of %(n)d days.",
            proposal.notice,
        )
        return f"{words % {'n': proposal.notice}} {over}"
    return f"{gettext('Neither you nor they can end it sooner.')} {over}"


class ApplicationAnswer(Until):
    """What of an answer to an application stays, and until when; without a day, until its person ends it."""

    claims = forms.MultipleChoiceField(
        label=_("What it may see of you"), widget=forms.CheckboxSelectMultiple, required=False
    )
    field_order = ("claims", "until")

    def __init__(self, *args: Any, held: Grant, words: Mapping[str, str], **told: Any) -> None:  # noqa: ANN401
        """Offer what was permitted, in these words, ticked where it still stands."""
        super().__init__(*args, auto_id=f"{held.application}-%s", **told)
        self.fields["claims"].choices = list(words.items())  # type: ignore[attr-defined]
        self.fields["claims"].initial = [] if held.until else list(held.claims)
        if not held.permitted:
            del self.fields["claims"]
        self.fields["until"].required = False
        self.fields["until"].help_text = _("Leave it empty, and it holds until you end it.")
        self.fields["until"].initial = None if held.until or held.expires_at is None else last_day(held.expires_at)

    def clean_until(self) -> date | None:  # type: ignore[override]
        """Let it be empty."""
        return super().clean_until() if self.cleaned_data["until"] else None
