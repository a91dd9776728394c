"""The export as a document: what its JSON holds, described in `docs/export.md`."""

from typing import Any, Literal

import msgspec

FORMAT: Literal["troth-export-1"] = "troth-export-1"
#: What stands in place of a credential.
NOT_HANDED_OUT = "a credential: it is held and not handed out"

#: And of what no page shows to whoever takes their own copy.
NOT_SHOWN = "no page of yours shows it: the operator hands it out when you ask"


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the document; a field that is not described is no part of it."""


class Version(Told, frozen=True):
    """The policy in force when the export was made."""

    name: str
    version: int
    digest: str


class Purpose(Told, frozen=True):
    """What a purpose is for and on what it rests."""

    sentence: str
    basis: str


class Column(Told, frozen=True):
    """A column: its category, or why it has none; whether its values are withheld as credentials."""

    name: str
    category: str | None
    precision: str
    not_personal: str | None
    withheld: str | None


class Window(Told, frozen=True):
    """How long a purpose may use a table's rows, by which clauses of the policy."""

    purpose: str
    kind: str
    days: int
    clauses: tuple[str, ...]


class Row(Told, frozen=True):
    """A row: its values, the purposes it is stamped for, those of them that the policy gives a use of such rows.

    Then when each purpose's window over it ends, and when the row goes; null while an account or a consent lasts.
    """

    values: dict[str, Any]
    stamped_for: tuple[str, ...]
    purposes: tuple[str, ...]
    ends: dict[str, str | None]
    goes: str | None


class About(Told, frozen=True):
    """A table: what its columns hold, and which windows the policy gives."""

    table: str
    room: str
    columns: tuple[Column, ...]
    windows: tuple[Window, ...]


class Table(About, frozen=True):
    """The same with the person's rows."""

    rows: tuple[Row, ...]


class Head(Told, frozen=True):
    """Whose data, made when, under which policy."""

    format: Literal["troth-export-1"]
    made_at: str
    subject: str
    account_ended_at: str | None
    policy: Version
    purposes: dict[str, Purpose]


class Export(Head, frozen=True):
    """All of it."""

    tables: tuple[Table, ...]


def read(content: bytes) -> Export:
    """Return the document. Raises msgspec.ValidationError where it is none."""
    return msgspec.json.decode(content, type=Export)
