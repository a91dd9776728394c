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
#: A purpose begins read-only, but nothing keeps it so: what must hold are its grants.
LIMITS = "-c statement_timeout=3s -c lock_timeout=500ms -c default_transaction_read_only=off"
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
        connection = self._connection(role)
        try:
            connection.execute("BEGIN")
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
            return _refused(connection, statement, values)

    def refuses(self, role: str, statement: sql.Composed) -> bool:
        """Return whether a role has no right to a statement that would leave nothing behind, let through or not."""
        return _refused(self._connection(role), statement) == REFUSED

    def read(self, role: str, table: Table) -> Iterator[str]:
        """Yield the columns of a table that a role may read, each tried, but where it has no right to any."""
        if not self.refuses(role, statement("probe_any", schema="troth", table=table.name)):
            for column in table.columns:
                asked = statement("probe_read", column=column.name, schema="troth", table=table.name)
                if not self.refuses(role, asked):
                    yield column.name

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

    def _connection(self, role: str) -> Connection[Any]:
        if time.monotonic() > self.deadline:
            raise NotFoundOut("the round took too long")
        return self.connections.get(role) or self._open(role)

    def _open(self, role: str) -> Connection[Any]:
        told = connect.parameters(role, self.where)
        told |= {
            "options": f"{told['options']} {LIMITS}",
            "connect_timeout": 3,
            "prepare_threshold": None,
            "autocommit": True,
        }
        try:
            opened = self.held.enter_context(Connection.connect(**told))
        except psycopg.OperationalError as error:
            raise NotFoundOut(f"`{role}` could not connect") from error
        return self.connections.setdefault(role, opened)


def _refused(connection: Connection[Any], statement: sql.Composed, values: Mapping[str, Any] | None = None) -> str:
    try:
        connection.execute(statement, values)
    except (errors.QueryCanceled, errors.LockNotAvailable):
        raise
    except psycopg.DatabaseError as error:
        if error.sqlstate is None:  # the connection is gone: that refuses nothing
            raise
        return error.sqlstate
    return ""


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
