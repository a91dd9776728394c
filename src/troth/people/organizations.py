"""Organizations as their members and administrators see them: each through the role that the policy shows it to."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from troth.database import connect, published
from troth.database.statements import load
from troth.database.viewing import shown
from troth.people import looking
from troth.people.looking import ADMINISTRATOR
from troth.policy.audiences import MIRROR
from troth.policy.meaning import Occasion
from troth.policy.viewing import granted_to

SQL = load("troth.people")
#: As whom members are looked at by the others in their organization; by those who administer it, as ADMINISTRATOR.
FELLOW = "member"
#: Members on one page.
MOST = 50
FIRST = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Organization:
    """One that the viewer is in."""

    organization: uuid.UUID
    name: str
    asking: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Mine:
    """The viewer's own row: their role in an organization, and since when."""

    organization: uuid.UUID
    role: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Role:
    """A role of an organization, and what it lets its members do."""

    role: str
    may: list[str]

    @property
    def fixed(self) -> bool:
        """Whether every organization has it."""
        return self.role in ("owner", "administrator", "member")


@dataclass(frozen=True, slots=True)
class Member:
    """A member as another sees them: what the policy shows, and to administrators the role that they were given."""

    subject: uuid.UUID
    role: str | None
    name: str | None
    sought: str | None


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that is open: by mail, to an address at `domain`, or a link for `joins` more."""

    invitation: uuid.UUID
    domain: str | None
    role: str
    joins: int
    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Asking:
    """Somebody who asks to be let in."""

    subject: uuid.UUID
    name: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """What the holder of an invitation is invited to."""

    organization: uuid.UUID
    name: str
    role: str
    may: list[str]
    until: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the viewer's own that nobody has answered."""

    organization: uuid.UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an organization of somebody's should their account end now: `left`, `handed on` or `ends`.

    `heir` becomes its owner; `others` are in what ends.
    """

    organization: uuid.UUID
    name: str
    fate: str
    heir: uuid.UUID | None
    others: int


def are_kept() -> bool:
    """Return whether the policy in force lets anybody be tied to an organization at all."""
    return "organization" in published.current().plan.kept_on(Occasion.SIGN_UP, "membership")


def mine(token: str) -> list[tuple[Organization, Mine]]:
    """Return the viewer's organizations by name, each with their own row in it."""
    rows = {each.organization: each for each in _ask("self", token, SQL["my_memberships"], Mine)}
    found = _ask("member", token, SQL["my_organizations"], Organization)
    return [(each, rows[each.organization]) for each in found if each.organization in rows]


def fates(token: str) -> list[Fate]:
    """Return what closing the account of the viewer, agreed or not, now would do to their organizations, by name."""
    with connect.looking(token) as connection:
        return _read(connection, SQL["organization_fates"], Fate, {})


def fates_of(connection: Connection[Any], subject: uuid.UUID) -> list[Fate]:
    """Return the same of anybody, by name; the connection must be the owner's."""
    return _read(connection, SQL["organization_fates_of"], Fate, {"subject": subject})


def requests(token: str) -> list[Asked]:
    """Return what the viewer, agreed or not, asks of organizations."""
    with connect.looking(token) as connection:
        return _read(connection, SQL["my_requests"], Asked, {})


def roles(token: str, organization: uuid.UUID) -> list[Role]:
    """Return the roles of an organization that the viewer is in, the fixed ones first."""
    return _ask("member", token, SQL["roles_of"], Role, organization=organization)


def fellows_are_shown() -> bool:
    """Return whether the policy in force shows members anything that tells who else is in their organization."""
    now = published.current()
    return "organization" in granted_to(FELLOW, now.plan, now.catalog.table("membership"))


def members(
    token: str,
    organization: uuid.UUID,
    *,
    sought: str = "",
    after: str = "",
    subject: uuid.UUID = FIRST,
    role: str = ADMINISTRATOR,
) -> list[Member]:
    """Return up to MOST + 1 members, as a role sees them: whose name begins so, behind one of them.

    For who administers the organization this is one look at it, whatever it finds.
    """
    named = "person.name" in published.current().plan.shown_to(role)
    told = {"organization": organization, "after": after, "subject": subject, "most": MOST + 1}
    statement = shown(SQL["members_of" if named else "members_unnamed"], role).decode()
    kind = looking.SEARCH if sought else looking.LIST
    with looking.looking(role, token, organization, kind) as connection:
        return _read(connection, statement, Member, told | {"sought": sought.lower()})


def member(token: str, organization: uuid.UUID, subject: uuid.UUID, *, role: str = ADMINISTRATOR) -> Member | None:
    """Return one member as a role sees them, or None for whoever is none, or none of theirs."""
    with looking.looking(role, token, organization, looking.MEMBER, subject) as connection:
        return member_by(connection, organization, subject, role=role)


def member_by(connection: Connection[Any], organization: uuid.UUID, subject: uuid.UUID, *, role: str) -> Member | None:
    """Return the same by a connection of that role which is looking already."""
    told = {"organization": organization, "subject": subject}
    return next(iter(_read(connection, shown(SQL["member_of"], role).decode(), Member, told)), None)


def mirrored(token: str, organization: uuid.UUID) -> Member | None:
    """Return exactly what an administrator sees of the viewer, with what an administrator may read."""
    statement = shown(SQL["mirrored"], MIRROR).decode()
    return next(iter(_ask(MIRROR, token, statement, Member, organization=organization)), None)


def invitations(token: str, organization: uuid.UUID) -> list[Invitation]:
    """Return the open invitations, the newest first."""
    return _ask(ADMINISTRATOR, token, SQL["invitations_of"], Invitation, organization=organization)


def asking(token: str, organization: uuid.UUID) -> list[Asking]:
    """Return who asks to be let in, who asked first first."""
    statement = shown(SQL["requests_of"], ADMINISTRATOR).decode()
    with looking.looking(ADMINISTRATOR, token, organization, looking.REQUESTS) as connection:
        return _read(connection, statement, Asking, {"organization": organization})


def offer(token: str, word: str) -> Offer | None:
    """Return what the viewer is invited to by whoever gave them the word, or None."""
    return next(iter(_ask("self", token, SQL["invitation_of"], Offer, token=word)), None)


def joined_by(token: str, word: str) -> Organization | None:
    """Return the organization that the viewer is in by an invitation that they used, or None for every other word."""
    with connect.acting("self", token=token) as connection:
        row = connection.execute(SQL["joined_by"].encode(), {"token": word}).fetchone()
    return next((each for each, _mine in mine(token) if row and each.organization == row[0]), None)


def asked(token: str, organization: uuid.UUID) -> str | None:
    """Return the name of an organization that lets people ask, or None for every other."""
    with connect.acting("self", token=token) as connection:
        row = connection.execute(SQL["asked_organization"].encode(), {"organization": organization}).fetchone()
    return row[0] if row else None


def _ask[Row](acting: str, viewer: str, statement: str, kind: type[Row], /, **told: Any) -> list[Row]:  # noqa: ANN401
    with connect.acting(acting, token=viewer) as connection:
        return _read(connection, statement, kind, told)


def _read[Row](connection: Connection[Any], statement: str, kind: type[Row], told: Mapping[str, Any]) -> list[Row]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement.encode(), told).fetchall()
