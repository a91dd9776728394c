"""The form of a post: what is written, its files, and who may read it, of whom a person is told before they choose."""

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from troth.database import published
from troth.database.viewing import may_correct
from troth.policy.meaning import Audience
from troth.records import actions, files, queries
from troth.records.actions import LONGEST
from troth.records.errors import (
    AudienceChanged,
    EnoughForToday,
    FileRefusal,
    NoSuchPost,
    NotSignedIn,
    NotThisAudience,
    RecordsRefusal,
    TextRefusal,
)
from troth.records.files import File
from troth.records.queries import Post, Readers

#: Where a refusal is shown, and how it is said.
SAID: dict[type[RecordsRefusal], tuple[str | None, str | Promise]] = {
    AudienceChanged: (
        "readers",
        gettext_lazy("Who would read it has changed meanwhile. Read who it is now, and choose again."),
    ),
    NotThisAudience: ("readers", gettext_lazy("The policy lets nobody post this to them. Choose others.")),
    EnoughForToday: (None, gettext_lazy("That is enough for one day. Post more tomorrow.")),
    NoSuchPost: (None, gettext_lazy("This post is not there any more.")),
    NotSignedIn: (None, gettext_lazy("You are not signed in any more. Sign in again.")),
    FileRefusal: ("attached", gettext_lazy("A post has three files at most.")),
    TextRefusal: ("text", gettext_lazy("This cannot be kept. Write it differently.")),
}
NAMES = {
    Audience.CHOSEN: gettext_lazy("People whom you choose"),
    Audience.SIGNED_IN: gettext_lazy("Everyone signed in"),
    Audience.PUBLIC: gettext_lazy("The public"),
}


def key(readers: Readers) -> str:
    """Return what a form calls an audience by, with what its person is told of it."""
    return f"{readers.audience.name}~{readers.organization or ''}~{readers.members or ''}".lower()


def chosen(text: str) -> Readers | None:
    """Return the audience that a form says, as its person was told of it; None for none."""
    name, _mark, rest = text.partition("~")
    organization, _mark, members = rest.partition("~")
    if not members.isascii() or (members and not members.isdigit()) or len(members) > 9:  # noqa: PLR2004 - a number
        return None
    try:
        which = uuid.UUID(organization) if organization else None
        return Readers(Audience[name.upper()], which, int(members) if members else None)
    except (KeyError, ValueError):
        return None


def named(readers: Readers) -> str:
    """Return what an audience is called on the page."""
    if readers.audience is Audience.MEMBERS:
        return _("Members of %(name)s") % {"name": readers.name}
    return str(NAMES.get(readers.audience, readers.audience))


def told(readers: Readers) -> str:
    """Say plainly who will read what is posted to an audience."""
    match readers.audience:
        case Audience.MEMBERS:
            many = readers.members or 0
            return ngettext(
                "It has %(n)d member now: you. Whoever joins later reads it too; whoever leaves does not.",
                "It has %(n)d members now, you among them. Whoever joins later reads it too; whoever leaves does not.",
                many,
            ) % {"n": many}
        case Audience.SIGNED_IN:
            return _("Everyone with an account here, now and later. Anybody may make one.")
        case Audience.PUBLIC if agreement_needed():
            return _("Anybody who agreed to the policy here, now and later. Anybody may do so.")
        case Audience.PUBLIC:
            return _("Anybody in the world, without an account. Search engines may keep it.")
        case _:
            return _("Nobody at first: you choose each person next, and they see nothing before they accept.")


def agreement_needed() -> bool:
    """Return whether nobody may use anything here before they agreed (P2), reading what is public included."""
    return "agreement" in published.current().plan.duties


class Files(forms.FileInput):
    """Several files at once."""

    allow_multiple_selected = True

    def value_from_datadict(self, data: Any, files: Any, name: str) -> "Sequence[UploadedFile[Any]]":  # noqa: ANN401, ARG002
        """Return all of them."""
        return list(files.getlist(name)) if hasattr(files, "getlist") else []


class ManyFiles(forms.Field):
    """Files that are no longer, and no more, than are kept; what they are is seen in their bytes."""

    widget = Files

    def clean(self, value: Any) -> list[File]:  # noqa: ANN401 - Django's signature
        """Return them as kept."""
        if len(value) > files.MOST:
            raise forms.ValidationError(_("A post has three files at most."), code="many")
        return [self._kept(each) for each in value]

    def _kept(self, file: "UploadedFile[Any]") -> File:
        name = file.name or ""
        if (file.size or 0) > files.LARGEST:
            raise forms.ValidationError(_("“%(name)s” is larger than 1 MB.") % {"name": name}, code="large")
        try:
            return files.clean_file(name, file.read())
        except FileRefusal as refusal:
            sentence = _("“%(name)s” is empty, or no picture, PDF, text or ZIP.") % {"name": name}
            raise forms.ValidationError(sentence, code="kind") from refusal


class Write(forms.Form):
    """A post. With `post`, one that stands already."""

    text = forms.CharField(
        label=gettext_lazy("Your text"),
        strip=False,
        widget=forms.Textarea({"rows": 6, "dir": "auto", "class": "prose"}),
    )
    attached = ManyFiles(label=gettext_lazy("Files"), required=False)
    readers = forms.CharField(
        label=gettext_lazy("Who may read it"),
        error_messages={"required": gettext_lazy("Choose who may read it. Nobody is chosen for you.")},
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, token: str, post: Post | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        """Offer the audiences that the policy in force lets people post to."""
        super().__init__(*args, **kwargs)
        self.offered, self.post = queries.offered(token), post
        if post is not None:
            self.initial["text"] = post.text
            self.fields["text"].disabled = not may_correct("post", "text")
        if not any(queries.takes_files(each.audience) for each in self.offered):
            del self.fields["attached"]
        else:
            sentence = _("At most three, of 1 MB each: pictures, PDF, text or ZIP. They go to the same readers.")
            self.fields["attached"].help_text = sentence

    @property
    def files_field(self) -> forms.BoundField | None:
        """The part that asks for files, where the policy lets people post any."""
        return self["attached"] if "attached" in self.fields else None

    @property
    def is_named(self) -> bool:
        """Whether the policy shows some of those who may be chosen the name of whoever posts."""
        return any(queries.names_author(each.audience) for each in self.offered)

    @property
    def version_told(self) -> int:
        """The version of the policy under which the page says who reads a post."""
        return published.current().version

    @property
    def choices(self) -> list[dict[str, Any]]:
        """What may be chosen, each with what is said of it; after a refusal nothing is chosen."""
        held = self.data.get("readers") if self.is_bound else _standing(self.post, self.offered)
        wrong = "readers" in self.errors if self.is_bound else False
        return [
            {
                "key": key(each),
                "name": named(each),
                "told": told(each),
                "named": queries.names_author(each.audience),
                "chosen": not wrong and key(each) == held,
            }
            for each in self.offered
        ]

    def clean_text(self) -> str:
        """Refuse what cannot be a post."""
        text = self.cleaned_data["text"] or ""
        try:
            return actions.clean_text(text)
        except TextRefusal as refusal:
            if len(text) > LONGEST:
                sentence = _("This has %(many)d characters. Keep it to %(most)d.") % {
                    "many": len(text),
                    "most": LONGEST,
                }
            elif not text.strip():
                sentence = _("There is nothing in it. Write something.")
            else:
                sentence = _("This holds control characters. Remove the invisible signs.")
            raise forms.ValidationError(sentence, code=refusal.code) from refusal

    def clean_readers(self) -> Readers:
        """Return who was chosen, as its person was told of them."""
        found = chosen(self.cleaned_data["readers"])
        if found is None:
            raise forms.ValidationError(self.fields["readers"].error_messages["required"], code="required")
        return found

    def refused(self, refusal: RecordsRefusal) -> None:
        """Say a refusal at the field that it is about."""
        field, sentence = SAID.get(type(refusal), (None, refusal.sentence))
        self.add_error(field if field in self.fields else None, str(sentence))


def _standing(post: Post | None, offered: Sequence[Readers]) -> str:
    """Return the key of who may read a post now; empty where nobody was chosen, or they cannot be any more."""
    if post is None:
        return ""
    found = (e for e in offered if (e.audience, e.organization) == (post.audience, post.organization))
    return next((key(each) for each in found), "")
