"""What people do in organizations: each one call of a function that knows who may, with its entry in the ledger."""

import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override
from psycopg import Error

from troth.database import connect
from troth.database.statements import load
from troth.people.cleaning import clean_name
from troth.people.errors import (
    NobodyThere,
    NoSuchOrganization,
    NotAllowed,
    OrganizationRefusal,
    OwnerNeeded,
    PeopleRefusal,
)

SQL = load("troth.people")
#: How long an invitation by mail lasts, and a link at most; in days.
BY_MAIL, LONGEST_LINK = 14, 30
MOST_JOINS = 1000
#: What a role of the organization's own may let its members do; `own` is the owner's alone.
POWERS = ("see", "invite", "members", "roles")
#: SQLSTATE -> the refusal, its sentence, the way out
type Refusals = Mapping[str, tuple[type[PeopleRefusal], str, str]]
REFUSALS: Refusals = {
    "TR003": (NobodyThere, "nobody is signed in", "sign in again"),
    "TR040": (NoSuchOrganization, "there is no such organization", "ask whoever sent you here for another link"),
    "TR041": (NotAllowed, "your role in this organization does not let you do that", "ask an owner of it"),
    "TR042": (OwnerNeeded, "an organization keeps an owner", "hand it over first, or delete it"),
    "TR043": (NoSuchOrganization, "there is no such invitation", "ask whoever invited you for another"),
    "TR044": (OrganizationRefusal, "they are a member already, or have asked", "there is nothing more to do"),
    "TR045": (NoSuchOrganization, "there is nobody and no role like that in it", "load the page anew"),
    "TR046": (OrganizationRefusal, "somebody has this role", "give them another first"),
    "TR047": (OrganizationRefusal, "that would be too many", "remove some first"),
    "23514": (OrganizationRefusal, "that is too long, or empty", "write it in other words"),
    "42501": (OrganizationRefusal, "the policy collects nobody's organization", "read the policy"),
}


def found(*, token: str, name: str) -> uuid.UUID:
    """Make an organization, whose owner the viewer is. Raises PeopleRefusal, as every action here does."""
    made: uuid.UUID = _do("self", token, "found_organization", name=clean_name(name))
    return made


def change(*, token: str, organization: uuid.UUID, name: str, asking: bool) -> None:
    """Change what it calls itself, and whether people may ask to join."""
    _do("administrator", token, "set_organization", organization=organization, name=clean_name(name), asking=asking)


def set_role(*, token: str, organization: uuid.UUID, role: str, may: list[str]) -> None:
    """Make a role of the organization's own, or change what it may do."""
    _do("administrator", token, "set_role", organization=organization, role=clean_name(role), may=may)


def drop_role(*, token: str, organization: uuid.UUID, role: str) -> None:
    """Remove a role that nobody has."""
    _do("administrator", token, "drop_role", organization=organization, role=role)


def invite(*, token: str, organization: uuid.UUID, role: str, address: str, language: str) -> None:
    """Invite an address by mail, for a fortnight. Nothing says whether it is anybody's."""
    told = {"role": role, "address": address, "language": language, "joins": 1, "days": BY_MAIL}
    _do("administrator", token, "invite", organization=organization, token=secrets.token_urlsafe(32), **told)


def make_link(*, token: str, organization: uuid.UUID, role: str, joins: int, days: int) -> str:
    """Make a link with which so many may join for so many days; only now can it be read."""
    word = secrets.token_urlsafe(32)
    told = {"role": role, "address": None, "language": "", "joins": min(max(joins, 1), MOST_JOINS)}
    told |= {"days": min(max(days, 1), LONGEST_LINK)}
    _do("administrator", token, "invite", organization=organization, token=word, **told)
    return link(word)


def link(word: str) -> str:
    """Return where an invitation is looked at and accepted."""
    return f"{settings.BASE_URL}/join/{word}"


def invitation(facts: Mapping[str, Any]) -> Mapping[str, str]:
    """Write the mail of an invitation, in the language of whoever sent it: opening its link accepts nothing."""
    with override(str(facts["language"]) or "en"):
        told = {"organization": facts["organization"], "link": link(str(facts["token"])), "days": facts["days"]}
        subject = _("You are invited to join %(organization)s") % told
        text = _(
            "Somebody who administers %(organization)s invites you to join it.\n\n%(link)s\n\nOpen the link to see what"
            " its administrators would see of you; you are a member only if you choose to join there. It works once,"
            " for %(days)s days. If you do nothing, nothing happens, and your address is forgotten then.\n"
        )
    return {"subject": subject, "text": text % told}


def withdraw_invitation(*, token: str, organization: uuid.UUID, invitation: uuid.UUID) -> None:
    """Take an invitation back, and forget its address."""
    _do("administrator", token, "uninvite", organization=organization, invitation=invitation)


def accept(*, token: str, word: str) -> uuid.UUID:
    """Join as invited; returns which organization."""
    joined: uuid.UUID = _do("self", token, "join_by_invitation", token=word)
    return joined


def ask(*, token: str, organization: uuid.UUID) -> None:
    """Ask to be let in, where an organization lets people ask."""
    _do("self", token, "ask_to_join", organization=organization)


def withdraw_request(*, token: str, organization: uuid.UUID) -> None:
    """Ask no longer."""
    _do("self", token, "withdraw_request", organization=organization)


def answer(*, token: str, organization: uuid.UUID, subject: uuid.UUID, role: str | None) -> None:
    """Admit somebody who asked, in a role, or refuse them."""
    _do("administrator", token, "answer_request", organization=organization, subject=subject, role=role)


def give_role(*, token: str, organization: uuid.UUID, subject: uuid.UUID, role: str) -> None:
    """Give a member another role, which may do no more than the viewer's."""
    _do("administrator", token, "give_role", organization=organization, subject=subject, role=role)


def remove(*, token: str, organization: uuid.UUID, subject: uuid.UUID) -> None:
    """Remove a member."""
    _do("administrator", token, "remove_member", organization=organization, subject=subject)


def hand_over(*, token: str, organization: uuid.UUID, subject: uuid.UUID) -> None:
    """Make another member an owner in the viewer's place."""
    _do("administrator", token, "hand_over", organization=organization, subject=subject)


def leave(*, token: str, organization: uuid.UUID) -> None:
    """Be a member no longer, agreed or not; the last owner cannot."""
    _do("self", token, "leave_organization", organization=organization)


def delete(*, token: str, organization: uuid.UUID) -> None:
    """End an organization, with everybody's membership of it."""
    _do("administrator", token, "delete_organization", organization=organization)


def _do(acting: str, viewer: str, statement: str, /, **told: Any) -> Any:  # noqa: ANN401 - what the function returns
    return done(acting, viewer, statement, told, REFUSALS)


def done(acting: str, viewer: str, statement: str, told: Mapping[str, Any], refusals: Refusals) -> Any:  # noqa: ANN401
    """Return what a function answers a viewer. Raises what stands for the SQLSTATE with which it refuses."""
    try:
        with connect.acting(acting, token=viewer) as connection:
            row = connection.execute(SQL[statement].encode(), told).fetchone()
    except Error as error:
        if error.sqlstate is None or error.sqlstate not in refusals:
            raise
        refusal, sentence, advice = refusals[error.sqlstate]
        raise refusal(sentence, advice=advice) from error
    return row[0] if row else None
