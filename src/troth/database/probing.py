"""One round of probes: a connection for each role, where everything is tried in a transaction that is rolled back."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg
from psycopg import Connection, errors, sql

from troth.database import connect
from troth.database.place import Place
from troth.database.published import Published
from troth.database.statements import load
from troth.policy import audiences
from troth.policy.catalog import Catalog, Table
from troth.policy.viewing import granted_to

#: How long one statement of a probe may take or wait, and after how many seconds a round tries nothing more.
LIMITS = "-c statement_timeout=3s -c lock_timeout=500ms"
LONGEST = 20.0
REFUSED, UNKNOWN_COLUMN = "42501", "42703"


class NotFoundOut(Exception):
    """What a probe asks could not be found out; the sentence says why."""


@dataclass(slots=True)
class Round:
    """The roles' connections of one round, and what is in force. `owner` is the keeper's connection."""

    where: Place
    owner: Connection[Any]
    now: Published
    deadline: float = field(default_factory=lambda: time.monotonic() + LONGEST)
    held: ExitStack = field(default_factory=ExitStack)
    connections: dict[str, Connection[Any]] = field(default_factory=dict)

    @property
    def bits(self) -> Mapping[str, int]:
        """The place of each purpose's bit in a stamp."""
        return self.now.bits

    @property
    def catalog(self) -> Catalog:
        """What the tables are."""
        return self.now.catalog

    @property
    def purposes(self) -> tuple[str, ...]:
        """The purposes in force, each a role."""
        return tuple(unit.purpose for unit in self.now.plan.units)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.held.close()

    @contextmanager
    def acting(self, role: str) -> Iterator[Connection[Any]]:
        """Yield the role's connection in a transaction that never commits. Raises NotFoundOut past the deadline."""
        if time.monotonic() > self.deadline:
            raise NotFoundOut("the round took too long")
        connection = self.connections.get(role) or self._open(role)
        try:
            yield connection
        finally:
            if not connection.closed:
                connection.rollback()

    @contextmanager
    def owning(self) -> Iterator[Connection[Any]]:
        """Yield the owner's connection, in a transaction with the same limits."""
        with limited(self.owner) as connection:
            yield connection

    def refusal(self, role: str, statement: sql.Composed, values: Mapping[str, Any] | None = None) -> str:
        """Return the SQLSTATE with which PostgreSQL refuses a role a statement; empty where it lets it through."""
        with self.acting(role) as connection:
            try:
                # A purpose begins read-only, but nothing keeps it so: what must hold are its grants.
                connection.execute("SET TRANSACTION READ WRITE")
                connection.execute(statement, values)
            except (errors.QueryCanceled, errors.LockNotAvailable):
                raise
            except psycopg.DatabaseError as error:
                if error.sqlstate is None:  # the connection is gone: that refuses nothing
                    raise
                return error.sqlstate
        return ""

    def rows(
        self, role: str, statement: sql.Composed, values: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return what a role is answered."""
        with self.acting(role) as connection:
            return connection.execute(statement, values).fetchall()

    def own_table(self, purpose: str) -> set[str]:
        """Return the tables of whose rows a purpose may read something."""
        return {rows.table for rows in self.now.plan.rows if rows.purpose == purpose}

    def readable(self, role: str, table: Table) -> set[str]:
        """Return the columns that a purpose or the viewer may read, as the plan says."""
        if role in ("self", *audiences.ROLES):
            return set(granted_to(role, self.now.plan, table))
        return {r.column for r in self.now.plan.readings if (r.purpose, r.table) == (role, table.name)}

    def _open(self, role: str) -> Connection[Any]:
        told = connect.parameters(role, self.where)
        told |= {"options": f"{told['options']} {LIMITS}", "connect_timeout": 3, "prepare_threshold": None}
        try:
            opened = self.held.enter_context(Connection.connect(**told))
        except psycopg.OperationalError as error:
            raise NotFoundOut(f"`{role}` could not connect") from error
        return self.connections.setdefault(role, opened)


@contextmanager
def limited(owner: Connection[Any]) -> Iterator[Connection[Any]]:
    """Yield the owner's autocommitting connection in a transaction whose statements neither last nor wait for long."""
    with owner.transaction():
        owner.execute(load("troth.database.sql")["probe_limits"].encode())
        yield owner


def statement(name: str, **names: str) -> sql.Composed:
    """Return a named statement with identifiers in its places."""
    places = {place: sql.Identifier(name) for place, name in names.items()}
    return composed(name, **places)


def composed(name: str, **parts: sql.Composable) -> sql.Composed:
    """Return a named statement with what its places are to hold."""
    return sql.SQL(load("troth.database.sql")[name]).format(**parts)
