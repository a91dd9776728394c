"""Announcing something to those who want to hear it, and the page without sign-in that ends it for one of them."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, get_language_info, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from troth.consent import announcing
from troth.consent.errors import NotAnAnnouncement
from troth.database import published
from troth.notices import queries, tokens
from troth.notices.queries import NOBODY, Send
from troth.policy.explain import purpose_sentence
from troth.policy.voice import LANGUAGES

NONE = Send(NOBODY, 0, 0, 0, 0, 0, 0)


class Write(forms.Form):
    """A subject and a text in each language of the service; one of them is enough."""

    def __init__(self, *told: Any, **more: Any) -> None:  # noqa: ANN401 - what Django hands on
        """Make the fields of each language."""
        super().__init__(*told, **more)
        for language in LANGUAGES:
            name = get_language_info(language)["name_local"]
            self.fields[f"{language}_subject"] = forms.CharField(
                label=f"{_('Subject')} ({name})",
                max_length=announcing.LONGEST_SUBJECT,
                required=False,
                widget=forms.TextInput({"lang": language, "dir": "auto", "autocomplete": "off"}),
            )
            self.fields[f"{language}_text"] = forms.CharField(
                label=f"{_('Text')} ({name})",
                max_length=announcing.LONGEST_TEXT,
                required=False,
                widget=forms.Textarea({"lang": language, "dir": "auto", "rows": "8"}),
            )

    def clean(self) -> dict[str, Any]:
        """Keep the texts as an announcement has them, by language."""
        told = super().clean() or {}
        pairs = {each: {part: told.get(f"{each}_{part}", "") for part in ("subject", "text")} for each in LANGUAGES}
        try:
            told["texts"] = announcing.checked({each: pair for each, pair in pairs.items() if any(pair.values())})
        except NotAnAnnouncement as refusal:
            said = gettext_lazy("Write a subject and a text, in one language at least, and both where you write one.")
            raise forms.ValidationError(said, code="unfit") from refusal
        return told


@require_http_methods(["GET", "HEAD", "POST"])
def announcements(request: HttpRequest) -> HttpResponse:
    """Show what was announced and how far it got; write something, read it once more, and send it."""
    asked = request.POST.get("do", "")
    if asked == "stop":
        return _stop_sending(request)
    form = Write(request.POST if request.method == "POST" else None)
    ready = request.method == "POST" and form.is_valid()
    listeners = announcing.listeners()
    if ready and asked == "send" and listeners is not None:
        announcing.announce(viewer=request.viewer, texts=form.cleaned_data["texts"])  # type: ignore[attr-defined]
        messages.success(request, _("It is on its way. You can leave this page and come back."))
        return redirect("announcements")
    sends = queries.sends()
    context = {
        "form": form,
        "shown": form.cleaned_data["texts"] if ready else None,
        "listeners": listeners,
        "sentence": _sentence() if listeners is not None else "",
        "clause": announcing.PURPOSE,
        "announcements": [(each, sends.get(each.announcement, NONE)) for each in announcing.announcements()],
    }
    return render(request, "operator/announcements.html", context, status=422 if form.errors else 200)


def _stop_sending(request: HttpRequest) -> HttpResponse:
    try:
        which = UUID(request.POST.get("announcement", ""))
    except ValueError as error:
        raise Http404 from error
    announcing.stop_sending(viewer=request.viewer, announcement=which)  # type: ignore[attr-defined]
    messages.success(request, _("It is stopped. Who has not got it by now does not get it."))
    return redirect("announcements")


@csrf_exempt  # what the address names was sent to one person alone, and all it can do is take a yes back (RFC 8058)
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """End announcements for whoever was sent this address, without a sign-in: looking changes nothing, a form does."""
    whose = tokens.meant(tokens.Kind.STOP, token)
    if whose is None:
        raise Http404
    if request.method == "POST":
        announcing.stop(whose)
    return render(request, "stop.html", {"done": request.method == "POST", "sentence": _sentence()})


def _sentence() -> str:
    """Return the policy's own sentence on announcements, where it has one."""
    policy = published.current().policy
    names = {each.name for each in policy.purposes}
    known = announcing.PURPOSE in names
    return purpose_sentence(policy, announcing.PURPOSE, get_language() or "en") if known else ""
