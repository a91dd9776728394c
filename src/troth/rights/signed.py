"""What the sign-in library wrote into its signed texts, read with the secret and without the library's settings."""

from collections.abc import Iterator
from typing import Any

from django.core import signing

from troth.database import place

#: How Django's sessions salt their signature (django.contrib.sessions.backends.base).
SALT = "django.contrib.sessions.SessionStore"


def values_at(text: str, field: str, base: int = 10) -> set[str]:
    """Return, in small letters, what a signed text holds at a field: a path of names, or `*` for every value.

    A number in another base comes back in base 10. Nothing is found in a text that was not signed here.
    """
    try:
        told = signing.loads(text, key=place.secrets_of(place.current()).django, salt=SALT, fallback_keys=[])
    except (signing.BadSignature, ValueError):
        return set()
    found = {str(value).lower() for value in (_leaves(told) if field == "*" else _at(told, field.split(".")))}
    return {_decimal(value, base) for value in found} if base != 10 else found  # noqa: PLR2004 - as it is written


def _leaves(told: Any) -> Iterator[Any]:  # noqa: ANN401 - any JSON
    if isinstance(told, dict | list):
        for inner in told.values() if isinstance(told, dict) else told:
            yield from _leaves(inner)
    else:
        yield told


def _at(told: Any, path: list[str]) -> Iterator[Any]:  # noqa: ANN401 - any JSON
    for name in path:
        told = told.get(name) if isinstance(told, dict) else None
    if told is not None:
        yield told


def _decimal(value: str, base: int) -> str:
    try:
        return str(int(value, base))
    except ValueError:
        return value
