"""Memberships of organizations that are over: what their person's own entries of the ledger tell. No more is kept."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from troth.database import connect
from troth.ledger import queries as ledger

BEGUN = ("organization-founded", "organization-joined", "admitted")
ENDED = ("organization-left", "member-removed", "organization-deleted")


@dataclass(frozen=True, slots=True)
class Over:
    """A membership that is over, from when to when, as far as that is known.

    `name` is the organization's where the viewer is in it again; `by` is the action that ended it, if one is kept.
    """

    name: str | None
    since: datetime | None
    until: datetime | None
    by: str


def over(token: str, subject: uuid.UUID, standing: Mapping[uuid.UUID, str]) -> list[Over]:
    """Return the viewer's memberships that are over; `standing`: what they are in, by organization its name."""
    with connect.acting("self", token=token) as connection:
        entries = ledger.concerning(connection, subject, [*BEGUN, *ENDED])
    names = {sha256(organization.bytes).hexdigest(): name for organization, name in standing.items()}
    begun: dict[str, datetime] = {}
    found: list[Over] = []
    for entry in entries:
        which = str(entry.facts.get("organization"))
        if entry.action in BEGUN:
            begun[which] = entry.at
        else:
            found.append(Over(names.get(which), begun.pop(which, None), entry.at, entry.action))
    return found + [Over(None, at, None, "") for which, at in begun.items() if which not in names]
