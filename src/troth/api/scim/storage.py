"""Where the SCIM library reads and writes: the directory's door in the room `people`, in one transaction a request."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from scim2_models import (
    InvalidCursorException,
    InvalidValueException,
    Meta,
    NotFoundException,
    NotImplementedException,
    PatchOp,
    PreconditionFailedException,
    Reference,
    Resource,
    ResourceType,
    ResponseParameters,
    ScimFilter,
    SearchRequest,
    TooManyException,
    UniquenessException,
)
from scim2_server.conditions import Conditions
from scim2_server.handler import ScimHandler
from scim2_server.storage import ScimStorage, SearchPage

from troth.api.scim.filters import narrowed
from troth.api.scim.resources import PAGE, Email, EnterpriseUser, Group, GroupMember, Membership, Name, User
from troth.people.directory import Directory, Entry, Grouping, Slice, Sought, Supplied
from troth.people.errors import DirectoryChanged, DirectoryMember, DirectoryTaken, DirectoryUnknown

#: How many rows are looked at for one question that no index answers, and how many an index may find.
JUDGED, FOUND = 2000, 10_000
#: Members of a group in one answer; who wants a larger one leaves them out (`excludedAttributes=members`).
LARGEST_GROUP = 10_000
PEOPLE = "User"


class Storage(ScimStorage):
    """One directory's resources."""

    supports_cursors = True

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        """Return one. Raises NotFoundException, also for what is another organization's."""
        which = identifier(resource_id)
        if resource_type.name != PEOPLE:
            return as_group(self._group(which, members=_wants_members(response_parameters)))
        if response_parameters is not None:  # asked by the directory itself, not in the course of a change
            self.directory.tell_read(which)
        return as_user(self._entry(which))

    def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,  # noqa: ANN401 - the library's signature
    ) -> SearchPage:
        """Return a page; at the root people come before groups. Raises TooManyException for what takes too long."""
        wanted = search_request.count if search_request.count is not None else PAGE
        part = Slice(wanted, search_request.start_index_0 or 0, _after(position))
        if len(resource_types) == 1:
            return self._search(resource_types[0], search_request, part)
        if search_request.cursor is not None:
            raise NotImplementedException(
                detail="page through /Users or /Groups with a cursor, through both with startIndex"
            )
        total, found = 0, list[Resource[Any]]()
        for resource_type in resource_types:
            rest = Slice(wanted - len(found), max(part.offset - total, 0))
            page = self._search(resource_type, search_request, rest)
            found += page.resources
            total += page.total or 0
        return SearchPage(total, found)

    def _search(self, resource_type: ResourceType, search_request: SearchRequest[Any], part: Slice) -> SearchPage:
        persons = resource_type.name == PEOPLE
        asked = narrowed(search_request.filter, persons=persons)
        shown = self._people if persons else self._groups_with(_wants_members(search_request))
        if asked.judged:
            return self._judged(search_request.filter, shown, asked.sought, part)
        if asked.sought == Sought():
            total = self.directory.number() if persons else self.directory.number_of_groups()
            return _page(total, shown(Sought(), replace(part, limit=part.limit + 1)) if part.limit else [], part.limit)
        if persons and asked.sought.named:
            return self._named(asked.sought, part)
        return _cut(_bounded(shown(asked.sought, Slice(JUDGED + 1)), JUDGED), part)

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """Supply somebody, or make a group. Raises UniquenessException for a user name that is taken."""
        if resource_type.name == PEOPLE:
            return as_user(self._entry(_said(lambda: self.directory.provision(supplied(resource)))))
        made = self.directory.add_group(_called(resource), resource.external_id)
        added = members_of(resource)
        if added:
            told: dict[str, Any] = {"name": _called(resource), "external_id": resource.external_id, "added": added}
            _said(lambda: self.directory.change_group(made, **told))
        return as_group(self._group(made, members=True))

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """Keep the new state of one."""
        which = identifier(str(resource.id))
        if resource_type.name == PEOPLE:
            before = self._entry(which)
            version = _version(expected_version, before.version)
            _said(lambda: self.directory.change(which, supplied(resource), version=version))
            return as_user(self._entry(which))
        held = self._group(which, members=True)
        wanted, had = set(members_of(resource)), set(held.members)
        self.change_group(held, resource, sorted(wanted - had), sorted(had - wanted), expected_version)
        return as_group(self._group(which, members=True))

    def change_group(
        self,
        held: Grouping,
        resource: Resource[Any],
        added: Sequence[uuid.UUID],
        removed: Sequence[uuid.UUID],
        expected: str | None,
    ) -> None:
        """Rename a group, and change who is in it by the difference alone."""
        told: dict[str, Any] = {
            "name": _called(resource),
            "external_id": resource.external_id,
            "added": added,
            "removed": removed,
        }
        version = _version(expected, held.version)
        _said(lambda: self.directory.change_group(held.grouping, **told, version=version))

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        """Take one back."""
        which = identifier(resource_id)
        if resource_type.name == PEOPLE:
            version = _version(expected_version, self._entry(which).version)
            _said(lambda: self.directory.remove(which, version=version))
        else:
            version = _version(expected_version, self._group(which).version)
            _said(lambda: self.directory.remove_group(which, version=version))

    def group(self, resource_id: str, *, members: bool) -> Grouping:
        """Return a group as it is kept."""
        return self._group(identifier(resource_id), members=members)

    # How

    def _entry(self, which: uuid.UUID) -> Entry:
        found = self.directory.entries(Sought(entry=which), Slice(1))
        if not found:
            raise NotFoundException(detail=f"User {str(which)!r} not found")
        return found[0]

    def _group(self, which: uuid.UUID, *, members: bool = False) -> Grouping:
        found = self.directory.groups(Sought(entry=which), Slice(1), members=LARGEST_GROUP + 1 if members else 0)
        if not found:
            raise NotFoundException(detail=f"Group {str(which)!r} not found")
        if len(found[0].members) > LARGEST_GROUP:
            raise TooManyException(detail=f"more than {LARGEST_GROUP} members: ask with excludedAttributes=members")
        return found[0]

    def _people(self, sought: Sought, part: Slice) -> list[Resource[Any]]:
        if sought.named:
            found = self.directory.named(sought, part.limit)
            return [as_user(each) for each in self.directory.listed(found)]
        return [as_user(each) for each in self.directory.entries(sought, part)]

    def _groups_with(self, members: bool) -> Callable[[Sought, Slice], list[Resource[Any]]]:  # noqa: FBT001 - a choice
        def shown(sought: Sought, part: Slice) -> list[Resource[Any]]:
            found = self.directory.groups(sought, part, members=LARGEST_GROUP + 1 if members else 0)
            if sum(len(each.members) for each in found) > LARGEST_GROUP:
                raise TooManyException(detail="too many members: ask with excludedAttributes=members")
            return [as_group(each) for each in found]

        return shown

    def _named(self, sought: Sought, part: Slice) -> SearchPage:
        found = _bounded(self.directory.named(sought, FOUND + 1), FOUND)
        start = sum(1 for each in found if each <= part.after) if part.after else part.offset
        listed = self.directory.listed(found[start : start + part.limit])
        more = start + part.limit < len(found) and listed
        return SearchPage(len(found), [as_user(each) for each in listed], str(listed[-1].entry) if more else None)

    def _judged(
        self,
        scim_filter: ScimFilter[Any] | None,
        shown: Callable[[Sought, Slice], list[Resource[Any]]],
        sought: Sought,
        part: Slice,
    ) -> SearchPage:
        candidates = _bounded(shown(sought, Slice(JUDGED + 1)), JUDGED)
        return _cut([each for each in candidates if scim_filter is None or scim_filter.match(each)], part)


class Handler(ScimHandler):
    """The library's, which would read all members of a group to add one."""

    storage: Storage

    def patch_resource(
        self, resource_type: ResourceType, resource_id: str, patch_op: "PatchOp[Any]", conditions: Conditions
    ) -> Resource[Any]:
        """Add and remove members one by one, without the others; everything else as the library does."""
        told = None if resource_type.name == PEOPLE else members_patched(patch_op)
        if told is None:
            return super().patch_resource(resource_type, resource_id, patch_op, conditions)
        held = self.storage.group(resource_id, members=False)
        before = as_group(held)
        self.service.check_preconditions(before, "PATCH", conditions)
        self.storage.change_group(held, before, *told, None)
        return as_group(self.storage.group(resource_id, members=False))


def members_patched(patch_op: "PatchOp[Any]") -> tuple[list[uuid.UUID], list[uuid.UUID]] | None:
    """Return who is added and who is removed, where a PATCH says nothing else, and None where it does."""
    added: list[uuid.UUID] = []
    removed: list[uuid.UUID] = []
    for operation in patch_op.operations or ():
        path, verb = str(operation.path or ""), str(operation.op.value)
        named = _members_named(path, operation.value)
        if (
            named is None
            or verb not in {"add", "remove"}
            or (added and verb == "remove")
            or (removed and verb == "add")
        ):
            return None  # an order among them matters
        (added if verb == "add" else removed).extend(named)
    return added, removed


def _members_named(path: str, value: Any) -> list[uuid.UUID] | None:  # noqa: ANN401 - JSON
    if path.startswith('members[value eq "') and path.endswith('"]') and value is None:
        return [identifier(path.removeprefix('members[value eq "').removesuffix('"]'))]
    if path != "members" or not value:
        return None
    listed = value if isinstance(value, list) else [value]
    told = [each.get("value") if isinstance(each, dict) else getattr(each, "value", None) for each in listed]
    values = [each for each in told if isinstance(each, str)]
    return [_member(each) for each in values] if len(values) == len(told) else None


# From and to what is kept


def as_user(entry: Entry) -> Resource[Any]:
    """Return somebody as SCIM writes them. Whoever has joined has the name that they gave themselves."""
    told = entry.supplied
    names = (entry.name or told.full_name, told.given_name, told.family_name)
    user: Resource[Any] = User[EnterpriseUser](
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
        meta=_meta(PEOPLE, entry),
    )
    if told.employee_number is not None:
        user[EnterpriseUser] = EnterpriseUser(employee_number=told.employee_number)
    return user


def as_group(grouping: Grouping) -> Resource[Any]:
    """Return a group as SCIM writes it."""
    inside = [GroupMember(value=str(each), ref=Reference(f"Users/{each}"), type=PEOPLE) for each in grouping.members]
    return Group(
        id=str(grouping.grouping),
        external_id=grouping.external_id,
        display_name=grouping.name,
        members=inside or None,
        meta=_meta("Group", grouping),
    )


def supplied(resource: Resource[Any]) -> Supplied:
    """Return what of a user is kept. Of several addresses that is the primary one, or the first."""
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
    )


def members_of(resource: Resource[Any]) -> list[uuid.UUID]:
    """Return who is in a group that a directory writes."""
    return sorted({_member(str(each.value)) for each in cast("Group", resource).members or [] if each.value})


def identifier(told: str) -> uuid.UUID:
    """Return an id. Raises NotFoundException for what can be none."""
    try:
        return uuid.UUID(told)
    except ValueError:
        raise NotFoundException(detail="there is nothing of this id") from None


def _member(told: str) -> uuid.UUID:
    try:
        return uuid.UUID(told)
    except ValueError:
        raise InvalidValueException(detail="a member is no user of this directory") from None


def _called(resource: Resource[Any]) -> str:
    return str(_text(cast("Group", resource).display_name))


def _meta(kind: str, held: Entry | Grouping) -> Meta:
    return Meta(resource_type=kind, created=held.at, last_modified=held.changed_at, version=f'W/"{held.version}"')


def _version(expected: str | None, known: int) -> int:
    if expected is None:
        return known
    number = expected.removeprefix('W/"').removesuffix('"')
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


def _wants_members(asked: ResponseParameters[Any] | SearchRequest[Any] | None) -> bool:
    if asked is None:
        return True
    left_out = {str(path).rpartition(":")[2].lower() for path in asked.excluded_attributes or ()}
    wanted = {str(path).rpartition(":")[2].partition(".")[0].lower() for path in asked.attributes or ()}
    return "members" in wanted if wanted else "members" not in left_out


def _after(position: Any) -> uuid.UUID | None:  # noqa: ANN401 - what a cursor held
    if position is None:
        return None
    try:
        return uuid.UUID(position)
    except (TypeError, ValueError, AttributeError):
        raise InvalidCursorException from None


def _bounded[T](found: list[T], most: int) -> list[T]:
    if len(found) > most:
        raise TooManyException(
            detail=f"more than {most} to look at: ask for a userName, an externalId or a displayName"
        )
    return found


def _page(total: int, found: list[Resource[Any]], wanted: int) -> SearchPage:
    more = len(found) > wanted
    return SearchPage(total, found[:wanted], found[wanted - 1].id if more and wanted else None)


def _cut(found: list[Resource[Any]], part: Slice) -> SearchPage:
    start = sum(1 for each in found if uuid.UUID(str(each.id)) <= part.after) if part.after else part.offset
    return _page(len(found), found[start : start + part.limit + 1], part.limit)


def _said[T](act: Callable[[], T]) -> T:
    """Say in SCIM's words what the directory's door refused."""
    try:
        return act()
    except DirectoryTaken as refusal:
        raise UniquenessException(detail=refusal.sentence) from refusal
    except DirectoryUnknown as refusal:
        raise NotFoundException(detail=refusal.sentence) from refusal
    except DirectoryChanged as refusal:
        raise PreconditionFailedException(detail=refusal.sentence) from refusal
    except DirectoryMember as refusal:
        raise InvalidValueException(detail=refusal.sentence) from refusal
