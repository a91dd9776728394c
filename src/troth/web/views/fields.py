"""The operator's page of profile fields: what stands, and another text in its place."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db import connection as door
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from troth.database import published, requests
from troth.database.errors import DatabaseRefusal
from troth.database.statements import load
from troth.people import profiles
from troth.people.fielding import LONGEST
from troth.people.fields import DECLARER, TABLES
from troth.web.views.profile import declared_row


class FieldsForm(forms.Form):
    """The fields, as text; `removing` repeats what goes, once it was looked at."""

    text = forms.CharField(
        label=gettext_lazy("Fields"),
        max_length=LONGEST,
        strip=False,
        required=False,
        widget=forms.Textarea({"rows": "18", "spellcheck": "false", "autocomplete": "off", "dir": "ltr"}),
    )
    removing = forms.CharField(required=False, widget=forms.HiddenInput)

    @property
    def told(self) -> dict[str, Any]:
        """What the keeper is asked."""
        told = self.cleaned_data
        return {"text": told["text"].replace("\r\n", "\n"), "removing": sorted(told["removing"].split())}


@require_http_methods(["GET", "HEAD", "POST"])
def fields(request: HttpRequest) -> HttpResponse:
    """Show the fields, and ask the keeper to declare others; what would go is shown first."""
    form = FieldsForm(request.POST or None, initial={"text": _source()})
    going: dict[str, int] = {}
    if request.method == "POST" and form.is_valid():
        try:
            going = requests.ask("profile.preview", form.told)["removed"]
            if sorted(going) == form.told["removing"]:
                requests.ask("profile.declare", form.told)
                published.forget()
                messages.success(request, _("Declared. Each field is asked, shown and kept as the policy says."))
                return redirect("fields")
        except DatabaseRefusal as refusal:
            form.add_error("text", refusal.sentence)
    standing = [declared_row(field) for holder in TABLES for field in profiles.fields(holder)]
    told = {"form": form, "fields": standing, "going": sorted(going.items()), "removing": " ".join(sorted(going))}
    return render(request, "operator/fields.html", told, status=422 if form.errors else 200)


def _source() -> str:
    with door.cursor() as cursor:
        cursor.execute(load("troth.database.sql")["declared_source"], {"declarer": DECLARER})
        row = cursor.fetchone()
    return str(row[0]) if row else ""
