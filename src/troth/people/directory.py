"""What an organization's directory sees and does: as the role `directory`, for the organization whose token it carries.

The face holds one transaction for each request. Whatever a directory asks for, row rules answer with its organization
alone; whatever it writes goes through definer functions that look the token up again.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from psycopg import Connection, DatabaseError, sql
from psycopg.types.json import Jsonb

from troth.database import connect, published
from troth.database.statements import load
from troth.people.cleaning import Value, clean, text_of
from troth.people.errors import (
    DirectoryChanged,
    DirectoryClosed,
    DirectoryFull,
    DirectoryMember,
    DirectoryOwner,
    DirectoryTaken,
    DirectoryUnfit,
    DirectoryUnknown,
    FieldRefusal,
    PeopleRefusal,
    Unfit,
)
from troth.policy.catalog import Column
from troth.policy.declaring import Type, shape
from troth.policy.viewing import granted_to

SQL = load("troth.people")
ROLE = "directory"
REFUSALS: Mapping[str, type[PeopleRefusal]] = {
    "TR050": DirectoryClosed,
    "TR051": DirectoryTaken,
    "TR052": DirectoryUnknown,
    "TR053": DirectoryChanged,
    "TR054": DirectoryOwner,
    "TR056": DirectoryFull,
    "TR057": DirectoryMember,
    "TR061": DirectoryUnfit,
    # A value that is none of its column's type, or that its check refuses.
    "22003": DirectoryUnfit,
    "22007": DirectoryUnfit,
    "22008": DirectoryUnfit,
    "22P02": DirectoryUnfit,
    "22P05": DirectoryUnfit,
    "23514": DirectoryUnfit,
}


@dataclass(frozen=True, slots=True)
class Known:
    """The fields that the operator declared, as far as a directory has to do with them.

    `held` are those that the organization holds, which it writes; `told` are people's own, which it reads where the
    policy shows them to administrators.
    """

    held: tuple[Column, ...] = ()
    told: tuple[Column, ...] = ()

    @property
    def all(self) -> tuple[Column, ...]:
        """Those that are read, in the order in which statements do."""
        return (*self.held, *self.told)


def written(column: Column, told: Value) -> str | None:
    """Return what is told of a field as the database's functions take it, None for nothing. Raises FieldRefusal."""
    if isinstance(told, str) and shape(column).type is Type.DATE:
        try:
            told = date.fromisoformat(told)
        except ValueError as error:
            raise FieldRefusal(Unfit.OTHER, "this is no day", advice="write it as 2027-01-31") from error
    return text_of(clean(column, told))


def known() -> Known:
    """Return the fields under the policy in force."""
    now = published.current()
    held = {each.column for each in now.plan.held if each.supplied}
    shown = granted_to(ROLE, now.plan, now.catalog.table("profile"))
    return Known(
        held=tuple(each for each in now.catalog.table("membership").columns if each.type and each.name in held),
        told=tuple(each for each in now.catalog.table("profile").columns if each.type and each.name in shown),
    )


@dataclass(frozen=True, slots=True)
class Supplied:
    """What a directory says of somebody. `email_kind` is what it calls the address: work, home, other.

    `held` is what of the fields that the organization holds is to change: field -> value as text, None for none.
    """

    user_name: str
    external_id: str | None = None
    email: str | None = None
    email_kind: str | None = None
    email_first: bool | None = None
    display_name: str | None = None
    full_name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    employee_number: str | None = None
    active: bool | None = None
    held: Mapping[str, str | None] = field(default_factory=dict)

    def told(self) -> Jsonb:
        """Return it as the database's functions take it."""
        return Jsonb({name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody of the organization; `name` is their own, once they have joined and where the policy shows it.

    `fields`: what the organization holds and what they tell, by the name of the field.
    """

    entry: uuid.UUID
    supplied: Supplied
    version: int
    at: datetime
    changed_at: datetime
    name: str | None
    groups: tuple[tuple[uuid.UUID, str], ...] = ()
    fields: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grouping:
    """A group of the organization; `members` is empty where nobody asked for them."""

    grouping: uuid.UUID
    name: str
    external_id: str | None
    version: int
    at: datetime
    changed_at: datetime
    members: tuple[uuid.UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Sought:
    """What entries or groups are narrowed by, each by an index of its own; a name is a person's or a group's."""

    entry: uuid.UUID | None = None
    user: str | None = None
    user_begins: str | None = None
    external: str | None = None
    email: str | None = None
    name: str | None = None
    name_begins: str | None = None
    member: uuid.UUID | None = None

    @property
    def named(self) -> bool:
        """Whether a name is sought."""
        return self.name is not None or self.name_begins is not None


@dataclass(frozen=True, slots=True)
class Slice:
    """Which of them: so many, from an offset, or behind one of them."""

    limit: int
    offset: int = 0
    after: uuid.UUID | None = None


class Directory:
    """What the holder of a directory's token may do, in one transaction."""

    def __init__(self, connection: Connection[Any], fields: Known | None = None) -> None:
        self.connection, self.known = connection, fields or Known()

    # People

    def entries(self, sought: Sought, part: Slice) -> list[Entry]:
        """Return entries in the order in which they came to be."""
        told = _narrowing(
            sought, part, entry=sought.entry, user=sought.user, user_begins=sought.user_begins, email=sought.email
        )
        return self._entries("directory_entries", told)

    def named(self, sought: Sought, limit: int) -> list[uuid.UUID]:
        """Return whom a name finds, in the order in which they came to be."""
        told = {"name": sought.name, "name_begins": sought.name_begins, "limit": limit}
        return [entry for (entry,) in self._ask("directory_entries_named", told)]

    def listed(self, entries: Sequence[uuid.UUID]) -> list[Entry]:
        """Return those of them that there are."""
        return self._entries("directory_entries_listed", {"entries": list(entries)})

    def number(self) -> int:
        """Return how many entries there are."""
        return int(self._ask("directory_entries_counted", {})[0][0])

    def provision(self, supplied: Supplied) -> uuid.UUID:
        """Supply somebody, who is thereby in nothing. Raises DirectoryTaken, DirectoryUnfit."""
        return uuid.UUID(str(self._do("provision", told=supplied.told())))

    def change(self, entry: uuid.UUID, supplied: Supplied, *, version: int) -> None:
        """Supply something else of somebody.

        Raises DirectoryTaken, DirectoryUnknown, DirectoryChanged, DirectoryOwner, DirectoryUnfit.
        """
        self._do("change_entry", entry=entry, told=supplied.told(), version=version)

    def remove(self, entry: uuid.UUID, *, version: int) -> None:
        """Take an entry back. Raises DirectoryUnknown, DirectoryChanged, DirectoryOwner."""
        self._do("remove_entry", entry=entry, version=version)

    def tell_read(self, entry: uuid.UUID) -> None:
        """Let a member know that their directory looked at them alone."""
        self._do("read_entry", entry=entry)

    # Groups

    def groups(self, sought: Sought, part: Slice, *, members: int = 0) -> list[Grouping]:
        """Return groups in the order in which they came to be, with so many of their members."""
        told = _narrowing(
            sought, part, grouping=sought.entry, name=sought.name, name_begins=sought.name_begins, member=sought.member
        )
        found = [Grouping(*row) for row in self._ask("directory_groups", told)]
        inside: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
        if members and found:
            asked = {"groupings": [each.grouping for each in found], "limit": members}
            for grouping, entry in self._ask("members_of_groups", asked):
                inside[grouping].append(entry)
        return [replace(each, members=tuple(inside[each.grouping])) for each in found]

    def number_of_groups(self) -> int:
        """Return how many groups there are."""
        return int(self._ask("directory_groups_counted", {})[0][0])

    def add_group(self, name: str, external_id: str | None) -> uuid.UUID:
        """Make a group without anybody in it."""
        return uuid.UUID(str(self._do("add_grouping", name=name, external=external_id)))

    def change_group(
        self,
        grouping: uuid.UUID,
        *,
        name: str,
        external_id: str | None,
        added: Iterable[uuid.UUID] = (),
        removed: Iterable[uuid.UUID] = (),
        version: int | None = None,
    ) -> None:
        """Rename a group and change who is in it. Raises DirectoryUnknown, DirectoryChanged, DirectoryMember."""
        members = {"added": list(added), "removed": list(removed)}
        self._do("change_grouping", grouping=grouping, name=name, external=external_id, version=version, **members)

    def remove_group(self, grouping: uuid.UUID, *, version: int) -> None:
        """Remove a group; whoever was in it stays. Raises DirectoryUnknown, DirectoryChanged."""
        self._do("remove_grouping", grouping=grouping, version=version)

    # How

    def _ask(self, statement: str, told: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self.connection.execute(SQL[statement].encode(), told).fetchall()

    def _do(self, statement: str, **told: Any) -> Any:  # noqa: ANN401 - the function's parameters and its answer
        with refusing(), self.connection.transaction():
            row = self.connection.execute(SQL[statement].encode(), told).fetchone()
        return row[0] if row else None

    def _entries(self, statement: str, told: Mapping[str, Any]) -> list[Entry]:
        held, own = ([sql.Identifier(each.name) for each in part] for part in (self.known.held, self.known.told))
        fields = [sql.SQL(SQL["directory_held"]).format(field=each) for each in held]
        fields += [sql.SQL(SQL["directory_told"]).format(field=each) for each in own]
        waiting = sql.SQL(SQL["directory_waiting"] if held else "")
        told_by = sql.SQL(SQL["directory_profile"] if own else "").format(columns=sql.SQL(", ").join(own))
        asked = sql.SQL(SQL[statement]).format(
            fields=sql.SQL(" ").join(fields), told=sql.SQL(" ").join((waiting, told_by))
        )
        rows = self.connection.execute(asked, told).fetchall()
        inside: dict[uuid.UUID, list[tuple[uuid.UUID, str]]] = defaultdict(list)
        if rows:
            for entry, grouping, name in self._ask("groups_of_entries", {"entries": [row[0] for row in rows]}):
                inside[entry].append((grouping, name))
        return [self._entry(row, tuple(inside[row[0]])) for row in rows]

    def _entry(self, row: tuple[Any, ...], groups: tuple[tuple[uuid.UUID, str], ...]) -> Entry:
        version, at, changed_at, name, *values = row[12:]
        fields = {each.name: value for each, value in zip(self.known.all, values, strict=True)}
        return Entry(row[0], Supplied(*row[1:12]), version, at, changed_at, name, groups, fields)


@contextmanager
def speaking(token: str, *, listing: bool = False, fields: Known | None = None) -> Iterator[Directory]:
    """Yield what the holder of a directory's token may do, in one transaction. Raises DirectoryClosed.

    `listing`: more than one person is read, which the members of the organization are told of.
    """
    with connect.acting(ROLE, token=token) as connection:
        with refusing():
            connection.execute(SQL["speak_for_directory"].encode(), {"listing": listing})
        yield Directory(connection, fields)


@contextmanager
def refusing() -> Iterator[None]:
    """Say in this room's words what a function refused."""
    try:
        yield
    except DatabaseError as error:
        refusal = REFUSALS.get(error.sqlstate or "")
        if refusal is None:
            raise
        unfit = "a value does not fit its field" if refusal is DirectoryUnfit else error.diag.message_primary
        raise refusal(str(unfit)) from error


def _narrowing(sought: Sought, part: Slice, **by: Any) -> dict[str, Any]:  # noqa: ANN401 - parameters of a statement
    return by | {"external": sought.external, "after": part.after, "limit": part.limit, "offset": part.offset}
