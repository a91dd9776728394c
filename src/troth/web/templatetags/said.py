"""Filters that speak: identifiers in human words, days in the order in which the language says them."""

import json
from datetime import date, datetime, time, timedelta
from typing import Any

from django import template
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from troth.people.places import named
from troth.web.words import say

register = template.Library()
register.filter("say", say)


@register.filter
def day(value: date) -> str:
    """Say a day in full."""
    return date_format(value, _("j F Y"))


@register.filter
def moment(value: datetime) -> str:
    """Say a day and the time, to the minute."""
    return f"{day(value)}, {date_format(value, 'H:i')}"


@register.filter
def till(value: datetime) -> str:
    """Say until when something lasts, to the minute: where that is a midnight, the end of its last day."""
    if value.time() == time():
        return f"{day(value - timedelta(days=1))}, 24:00"
    return moment(value)


@register.filter
def place(value: str) -> str:
    """Say a stored place (`ES`, `ES/Seville`) in the reader's language."""
    country, _stroke, city = value.partition("/")
    return ", ".join(filter(None, (city, named(country, get_language() or "en"))))


@register.filter
def passkey(told: dict[str, Any]) -> str:
    """Return what a browser is asked to do with passkeys, as JSON for the script."""
    return json.dumps(dict(told.get("creation_options") or told["request_options"]))


@register.filter
def fields(told: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - whatever JSON holds
    """Return each value of an object with its path: `shop.city`."""
    if isinstance(told, dict):
        inside = [(name, each) for name, value in told.items() for each in fields(value)]
        return [(f"{name}.{rest}".rstrip("."), value) for name, (rest, value) in inside]
    if isinstance(told, list):
        return [each for value in told for each in fields(value)]
    return [("", told)]
