"""Where the SCIM library reads and writes: the directory's door in the room `people`, in one transaction a request."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from scim2_models import (
    InvalidCursorException,
    InvalidValueException,
    NotFoundException,
    NotImplementedException,
    PatchOp,
    PreconditionFailedException,
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
from troth.api.scim.resources import (
    PAGE,
    Described,
)
from troth.api.scim.translating import (
    PEOPLE,
    as_group,
    as_user,
    called,
    identifier,
    member,
    members_of,
    supplied,
    version_of,
)
from troth.people.directory import Directory, Entry, Grouping, Slice, Sought, Supplied
from troth.people.errors import (
    DirectoryChanged,
    DirectoryMember,
    DirectoryTaken,
    DirectoryUnfit,
    DirectoryUnknown,
    FieldRefusal,
)

#: How many rows are looked at for one question that no index answers, and how many an index may find.
JUDGED, FOUND = 2000, 10_000
#: Members of a group in one answer; who wants a larger one leaves them out (`excludedAttributes=members`).
LARGEST_GROUP = 10_000


class Storage(ScimStorage):
    """One directory's resources."""

    supports_cursors = True

    def __init__(self, directory: Directory, described: Described) -> None:
        self.directory, self.described = directory, described

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
        return self._user(self._entry(which))

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
            return self._user(self._entry(_said(lambda: self.directory.provision(self._supplied(resource)))))
        made = self.directory.add_group(called(resource), resource.external_id)
        added = members_of(resource)
        if added:
            told: dict[str, Any] = {"name": called(resource), "external_id": resource.external_id, "added": added}
            _said(lambda: self.directory.change_group(made, **told))
        return as_group(self._group(made, members=True))

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """Keep the new state of one."""
        which = identifier(str(resource.id))
        if resource_type.name == PEOPLE:
            before = self._entry(which)
            version = version_of(expected_version, before.version)
            _said(lambda: self.directory.change(which, self._supplied(resource, before), version=version))
            return self._user(self._entry(which))
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
            "name": called(resource),
            "external_id": resource.external_id,
            "added": added,
            "removed": removed,
        }
        version = version_of(expected, held.version)
        _said(lambda: self.directory.change_group(held.grouping, **told, version=version))

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        """Take one back."""
        which = identifier(resource_id)
        if resource_type.name == PEOPLE:
            version = version_of(expected_version, self._entry(which).version)
            _said(lambda: self.directory.remove(which, version=version))
        else:
            version = version_of(expected_version, self._group(which).version)
            _said(lambda: self.directory.remove_group(which, version=version))

    def group(self, resource_id: str, *, members: bool) -> Grouping:
        """Return a group as it is kept."""
        return self._group(identifier(resource_id), members=members)

    # How

    def _user(self, entry: Entry) -> Resource[Any]:
        return as_user(entry, self.described)

    def _supplied(self, resource: Resource[Any], before: Entry | None = None) -> Supplied:
        return supplied(resource, self.described, self.directory.known, before)

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
            return [self._user(each) for each in self.directory.listed(found)]
        return [self._user(each) for each in self.directory.entries(sought, part)]

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
        return SearchPage(len(found), [self._user(each) for each in listed], str(listed[-1].entry) if more else None)

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
    return [member(each) for each in values] if len(values) == len(told) else None


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
    except FieldRefusal as refusal:
        raise InvalidValueException(detail=f"{refusal.sentence}; {refusal.advice}") from refusal
    except (DirectoryMember, DirectoryUnfit) as refusal:
        raise InvalidValueException(detail=refusal.sentence) from refusal
