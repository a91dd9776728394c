"""Mails whose texts are made beforehand, for actions of the database that post them in their own transaction."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import override

from troth.database import published


def mail(template: str, told: Mapping[str, Any]) -> dict[str, str]:
    """Return subject and text of a mail in the language of whoever asks; `template` is a path below `mail/`."""
    policy = published.current().policy
    context = dict(told) | {"base_url": settings.BASE_URL, "service": policy.name, "contact": policy.contact}
    subject = " ".join(render_to_string(f"mail/{template}_subject.txt", context).split())
    text = render_to_string(f"mail/{template}_message.txt", context).strip()
    return {"subject": f"[{context['service']}] {subject}", "text": f"{text}\n"}


def spoken(template: str, told: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the same in every language, for somebody whose language only the database knows."""
    found = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            found[language] = mail(template, told)
    return found
