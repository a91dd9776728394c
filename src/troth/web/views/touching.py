"""What a version touches of the reader's own, for the pages that ask whether they agree to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from troth.consent import touching
from troth.consent.touching import Mine
from troth.people import actions as people
from troth.policy.differences import Differing
from troth.policy.meaning import Policy
from troth.policy.voice import voice
from troth.web.telling import language

#: How long a token lives with which a page counts for somebody on the way in; it is closed when they were counted.
BRIEF = timedelta(minutes=1)


def touched_ahead(token: str, policy: Policy) -> dict[str, Any]:
    """Return it of a version that waits for its day, for `policy/mine.html`."""
    return {"ahead": True} | _said(touching.ahead(token, policy))


def touched_since(request: HttpRequest, account: Any, version: int) -> dict[str, Any] | None:  # noqa: ANN401 - an account
    """Return it of the version in force, for whoever agreed to an earlier one, also before they are signed in."""
    with _counting(request, account) as token:
        mine = touching.since(token, version)
    return {"ahead": False} | _said(mine) if mine is not None else None


@contextmanager
def _counting(request: HttpRequest, account: Any) -> Iterator[str]:  # noqa: ANN401 - an account
    held = request.viewer  # type: ignore[attr-defined]
    token = held or people.open_viewer(account, until=timezone.now() + BRIEF)
    try:
        yield token
    finally:
        if not held:
            people.close_viewer(token)


def _said(mine: Mine) -> dict[str, Any]:
    """Return the records by what concerns them, the settings by purpose, and whether they could be counted."""
    speaking = {each.version: voice(each, language()) for each in (mine.before, mine.after)}
    purposes = {p.name: speaking[each.version].purpose(p) for each in (mine.before, mine.after) for p in each.purposes}
    settings = [
        {"sentence": purposes[each.purpose], "name": each.purpose, "change": each.change, "stands": each.stands}
        for each in mine.settings
    ]
    return {"counted": mine.simulation is not None, "records": list(_records(mine)), "settings": settings}


def _records(mine: Mine) -> Iterator[dict[str, Any]]:
    found = mine.simulation.touched if mine.simulation is not None else ()
    many = {each.delta: each.records for each in found if each.records}
    for text, alike in Differing(mine.before, mine.after, language()).together(many):
        yield {"text": text, "records": max(many[each] for each in alike)}
