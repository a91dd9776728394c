"""From what is kept of a person and of a group to what SCIM says of them, and back."""

import json
import uuid
from datetime import date
from hashlib import sha256
from typing import Any, cast

from scim2_models import InvalidValueException, Meta, NotFoundException, Reference, Resource

from troth.api.scim.resources import (
    OURS,
    Described,
    Email,
    EnterpriseUser,
    Group,
    GroupMember,
    Membership,
    Name,
    User,
)
from troth.people.cleaning import text_of
from troth.people.directory import Entry, Grouping, Known, Supplied, written

PEOPLE = "User"


def as_user(entry: Entry, described: Described) -> Resource[Any]:
    """Return somebody as SCIM writes them. Whoever has joined has the name that they gave themselves."""
    told = entry.supplied
    names = (entry.name or told.full_name, told.given_name, told.family_name)
    user: Resource[Any] = described.user(
        id=str(entry.entry),
        external_id=told.external_id,
        user_name=told.user_name,
        display_name=entry.name or told.display_name,
        name=Name(formatted=names[0], given_name=names[1], family_name=names[2]) if any(names) else None,
        active=told.active,
        emails=[Email(value=told.email, type=told.email_kind, primary=told.email_first)] if told.email else None,
        groups=[
            Membership(value=str(which), ref=Reference(f"Groups/{which}"), display=name) for which, name in entry.groups
        ]
        or None,
        meta=_meta(PEOPLE, entry, _marked(entry)),
    )
    if told.employee_number is not None:
        user[EnterpriseUser] = EnterpriseUser(employee_number=told.employee_number)
    fields = {name: value for name, value in entry.fields.items() if value is not None}
    if fields:
        shown = {name: value.isoformat() if isinstance(value, date) else value for name, value in fields.items()}
        user[described.fields] = described.fields.model_validate(shown)
    return user


def as_group(grouping: Grouping) -> Resource[Any]:
    """Return a group as SCIM writes it."""
    inside = [GroupMember(value=str(each), ref=Reference(f"Users/{each}"), type=PEOPLE) for each in grouping.members]
    return Group(
        id=str(grouping.grouping),
        external_id=grouping.external_id,
        display_name=grouping.name,
        members=inside or None,
        meta=_meta("Group", grouping, str(grouping.version)),
    )


def supplied(resource: Resource[Any], described: Described, known: Known, before: Entry | None = None) -> Supplied:
    """Return what of a user is kept. Of several addresses that is the primary one, or the first.

    Of fields it is what differs from what was read before: a change of something else would otherwise empty those that
    the directory is not shown.
    """
    user = cast("User[Any]", resource)
    emails = [each for each in user.emails or [] if each.value]
    email = next((each for each in emails if each.primary), emails[0] if emails else None)
    name, work = user.name or Name(), resource[EnterpriseUser] or EnterpriseUser()
    return Supplied(
        user_name=_text(user.user_name),
        external_id=_text(user.external_id),
        email=_address(email.value) if email else None,
        email_kind=_text(email.type, 40) if email else None,
        email_first=email.primary if email else None,
        display_name=_text(user.display_name, 200),
        full_name=_text(name.formatted, 200),
        given_name=_text(name.given_name, 200),
        family_name=_text(name.family_name, 200),
        employee_number=_text(work.employee_number, 100),
        active=user.active,
        held=_held(resource, described, known, before),
    )


def _held(resource: Resource[Any], described: Described, known: Known, before: Entry | None) -> dict[str, str | None]:
    fields = resource[described.fields] if described.fields else None
    told = {each.name: written(each, getattr(fields, OURS + each.name, None)) for each in known.held}
    had = {name: text_of(value) for name, value in before.fields.items()} if before else {}
    return {name: value for name, value in told.items() if value != had.get(name)}


def members_of(resource: Resource[Any]) -> list[uuid.UUID]:
    """Return who is in a group that a directory writes."""
    return sorted({member(str(each.value)) for each in cast("Group", resource).members or [] if each.value})


def identifier(told: str) -> uuid.UUID:
    """Return an id. Raises NotFoundException for what can be none."""
    try:
        return uuid.UUID(told)
    except ValueError:
        raise NotFoundException(detail="there is nothing of this id") from None


def member(told: str) -> uuid.UUID:
    """Return a member's id. Raises InvalidValueException for what can be none."""
    try:
        return uuid.UUID(told)
    except ValueError:
        raise InvalidValueException(detail="a member is no user of this directory") from None


def called(resource: Resource[Any]) -> str:
    """Return a group's name. Raises InvalidValueException."""
    return str(_text(cast("Group", resource).display_name))


def _meta(kind: str, held: Entry | Grouping, version: str) -> Meta:
    return Meta(resource_type=kind, created=held.at, last_modified=held.changed_at, version=f'W/"{version}"')


def _marked(entry: Entry) -> str:
    """Return an entry's version, with a mark of what others write of it: their name, and the fields."""
    others = [entry.name, *(text_of(value) for _, value in sorted(entry.fields.items()))]
    if not any(others):
        return str(entry.version)
    return f"{entry.version}-{sha256(json.dumps(others).encode()).hexdigest()[:12]}"


def version_of(expected: str | None, known: int) -> int:
    """Return the number in an ETag, or what is known where none is expected; -1 for what is none of ours."""
    if expected is None:
        return known
    number = expected.removeprefix('W/"').removesuffix('"').partition("-")[0]
    return int(number) if number.isdigit() else -1


def _text(told: Any, longest: int = 254) -> Any:  # noqa: ANN401 - a text or nothing
    if told is None:
        return None
    if not told or len(told) > longest or "\0" in told:
        raise InvalidValueException(detail=f"a text of 1 to {longest} characters was expected")
    return str(told)


def _address(told: str | None) -> str | None:
    text = _text(told)
    name, _, domain = str(text).rpartition("@")
    if not name or not domain or any(sign.isspace() or not sign.isprintable() for sign in str(text)):
        raise InvalidValueException(detail="an e-mail address was expected")
    return str(text)
