"""The operator's staff: people with roles, whom an owner invites. No role opens a column of anybody's data."""

import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from itertools import groupby
from typing import Any

from django.db import connection as door
from django.utils import timezone
from psycopg import Error
from psycopg.types.json import Jsonb

from troth.database import connect
from troth.database.statements import load
from troth.people.errors import LastOwner, NothingThere, NotOnStaff, PeopleRefusal, Unsecured

SQL = load("troth.people")
#: How long an invitation waits.
INVITED = timedelta(days=7)
REFUSALS: Mapping[str, type[PeopleRefusal]] = {
    "TR040": NothingThere,
    "TR041": NothingThere,
    "TR042": NotOnStaff,
    "TR043": NotOnStaff,
    "TR044": LastOwner,
    "TR065": Unsecured,
}
ADVICE = {"TR044": "give somebody else the role first", "TR065": "confirm with a passkey or an app"}


class Role(StrEnum):
    """What somebody on the staff may do; one person may hold several."""

    OWNER = "owner"  # who is on the staff; publishes; registers applications
    SUPPORT = "support"  # asks people for access to their data
    PUBLISHER = "publisher"  # proposes and approves policy versions
    ANALYST = "analyst"  # queries through a login bound to one purpose
    AUDITOR = "auditor"  # the ledger, the probes, counts


@dataclass(frozen=True, slots=True)
class Held:
    """A role that somebody holds, or held until some moment."""

    subject: uuid.UUID
    name: str | None
    role: str
    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody on the staff: the roles they hold, and what they held before."""

    subject: uuid.UUID
    name: str | None
    roles: tuple[Held, ...]
    before: tuple[Held, ...]

    @property
    def missing(self) -> tuple[Role, ...]:
        """The roles that they could be given."""
        held = {each.role for each in self.roles}
        return tuple(role for role in Role if role not in held)


@dataclass(frozen=True, slots=True)
class Invitation:
    """An address that was invited and has not accepted."""

    invitation: uuid.UUID
    email: str
    roles: Sequence[str]
    expires_at: datetime


def roles_of(subject: uuid.UUID) -> frozenset[str]:
    """Return the roles that somebody holds now."""
    with door.cursor() as cursor:
        cursor.execute(SQL["staff_roles"], {"subject": subject})
        return frozenset(cursor.fetchone()[0])


def has_owner() -> bool:
    """Whether the service has an owner."""
    with door.cursor() as cursor:
        cursor.execute(SQL["operator_exists"])
        return cursor.fetchone() is not None


def own(subject: uuid.UUID) -> None:
    """Make somebody the first owner, in the transaction of their sign-up. Nothing happens where there is one."""
    if not has_owner():
        with door.cursor() as cursor:
            cursor.execute(SQL["first_owner"], {"subject": subject})


def token() -> str:
    """Make the token of an invitation's link."""
    return secrets.token_urlsafe(32)


def invite(*, viewer: str, email: str, roles: Iterable[str], token: str, mail: Mapping[str, str]) -> None:
    """Invite an address, as an owner; the mail holds the link. Raises a PeopleRefusal."""
    told = {"email": email, "roles": list(roles), "digest": sha256(token.encode()).digest(), "mail": Jsonb(dict(mail))}
    _act("staff", viewer, "invite_staff", told | {"until": timezone.now() + INVITED})


def withdraw(*, viewer: str, invitation: uuid.UUID) -> None:
    """Take an invitation back, as an owner."""
    _act("staff", viewer, "withdraw_invitation", {"invitation": invitation})


def give(*, viewer: str, whom: uuid.UUID, role: str) -> None:
    """Give somebody on the staff one more role, as an owner. Raises a PeopleRefusal."""
    _act("staff", viewer, "give_staff_role", {"whom": whom, "role": role})


def end(*, viewer: str, whom: uuid.UUID, role: str) -> None:
    """End a role, as an owner. Raises LastOwner, NotOnStaff, NothingThere."""
    _act("staff", viewer, "end_staff_role", {"whom": whom, "role": role})


def accept(*, viewer: str, token: str) -> None:
    """Join the staff by the link that came to an address of the viewer's. Raises NothingThere."""
    _act("self", viewer, "accept_invitation", {"token": token})


def invited_to(*, viewer: str, token: str) -> tuple[str, ...]:
    """Return the roles that the viewer is invited to by a link's token; none when it is not for them."""
    row = _act("self", viewer, "invitation_roles", {"token": token})[0]
    return tuple(row[0] or ())


def members(viewer: str) -> list[Member]:
    """Return the staff, as an owner sees it."""
    held = [Held(*row) for row in _act("staff", viewer, "staff_members", {})]
    found = []
    for subject, group in groupby(held, key=lambda each: each.subject):
        every = tuple(group)
        live = tuple(each for each in every if each.until is None)
        found.append(Member(subject, every[0].name, live, tuple(each for each in every if each.until)))
    return sorted((each for each in found if each.roles), key=lambda each: (each.name or "", each.subject))


def invitations(viewer: str) -> list[Invitation]:
    """Return whom an owner waits for."""
    return [Invitation(*row) for row in _act("staff", viewer, "staff_invitations", {})]


def _act(role: str, viewer: str, statement: str, told: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    try:
        with connect.acting(role, token=viewer) as connection:
            return connection.execute(SQL[statement].encode(), told).fetchall()
    except Error as error:
        refusal = REFUSALS.get(error.sqlstate or "")
        if refusal is None:
            raise
        raise refusal(error.diag.message_primary or "", advice=ADVICE.get(error.sqlstate or "", "")) from error
