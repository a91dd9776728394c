"""A small world in a database of its own: people in every standing, rows of every age, and who may see what of them.

The policy is the default one, to which a purpose that only counts is added, so that every kind of fact is there.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection

from tests.conftest import POLICY
from troth.database import place
from troth.database.catalog import load
from troth.policy import parse
from troth.policy.catalog import Table
from troth.policy.facts import Fact, Kind
from troth.policy.meaning import Window, WindowKind
from troth.policy.plan import plan
from troth.policy.planned import Plan
from troth.policy.roles import LOGINS, TWINS, Target, analysts
from troth.policy.sql import desired

CATALOG = load()
NOBODY = uuid.UUID(int=0)
DAY = 24
COUNTING = """
purpose improve "improve what many people use" by legitimate interest [P20]
collect access.kind on access [P8]
    for improve 30 days as counted
"""


def source() -> str:
    """Return the default policy with a purpose that counts, as a version of its own."""
    text = POLICY.read_text(encoding="utf-8").replace(" version 1 ", " version 2 ")
    return text + COUNTING


@dataclass(frozen=True, slots=True)
class Row:
    """A planted row: whose, in which table, how many hours old, and how many hours ago its account ended.

    `hidden`: purposes that may not know what it still holds of an earlier version.
    """

    table: str
    whose: uuid.UUID
    age: float = 1
    ended: float | None = None
    hidden: frozenset[str] = frozenset()

    def within(self, window: Window) -> bool:
        """Whether a use of this window still lasts."""
        match window.kind:
            case WindowKind.DAYS:
                return self.age < window.days * DAY
            case WindowKind.ACCOUNT:
                return self.ended is None or self.ended < window.days * DAY
            case _:
                return self.ended is None


@dataclass(slots=True)
class World:
    """The database, a connection of each role, what was planted, and what each person is in."""

    where: place.Place
    owner: Connection[Any]
    plan: Plan
    facts: tuple[Fact, ...]
    target: Target
    people: dict[str, uuid.UUID] = field(default_factory=dict)
    uses: dict[uuid.UUID, frozenset[str]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    clubs: dict[str, uuid.UUID] = field(default_factory=dict)
    accesses: tuple[uuid.UUID, ...] = ()
    stage: Connection[Any] | None = None
    #: Whether what plays call is called with a path on which something lies in wait.
    trapped: bool = False
    known: dict[tuple[str, str, str], frozenset[str]] = field(default_factory=dict)
    #: How functions end that are called with an empty path.
    answered: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @property
    def purposes(self) -> tuple[str, ...]:
        """The purposes, each a role."""
        return tuple(unit.purpose for unit in self.plan.units)

    @property
    def everybody(self) -> tuple[str, ...]:
        """Every role but the analyst."""
        return (*LOGINS, *TWINS, *self.purposes)

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role that the policy makes, without what its name begins with."""
        return tuple(fact.name.removeprefix(self.role("")) for fact in self.facts if fact.kind is Kind.ROLE)

    @property
    def analysts(self) -> dict[str, str]:
        """What the analysts of a purpose have in common, a role and a schema, and the purpose."""
        return {analysts(purpose): purpose for purpose in self.target.analysts.values()}

    @property
    def schemas(self) -> tuple[str, ...]:
        """Every schema that the policy makes."""
        return tuple(fact.name for fact in self.facts if fact.kind is Kind.SCHEMA)

    def role(self, part: str) -> str:
        """Return a role's whole name."""
        return self.target.role(part)

    def expected(self, purpose: str, table: str, window: Window) -> dict[uuid.UUID, int]:
        """Say, by hand, how many rows of whom a purpose sees."""
        seen: dict[uuid.UUID, int] = {}
        for row in self.rows:
            inside = purpose in self.uses[row.whose] - row.hidden
            if row.table == table and inside and row.within(window):
                seen[row.whose] = seen.get(row.whose, 0) + 1
        return seen

    def ask(self, role: str, *statements: str, token: str = "", before: str = "") -> list[tuple[Any, ...]]:
        """Return what the last statement answers a role with, on a stage where nothing stays; `before` is the owner's."""
        assert self.stage is not None
        self.stage.execute(f"ROLLBACK; BEGIN; {before}".encode())
        self.become(role)
        if token:
            self.stage.execute("SELECT set_config('troth.token', %s, true)", (token,))
        for statement in statements[:-1]:
            self.stage.execute(statement.encode())
        cursor = self.stage.execute(statements[-1].encode())
        found = cursor.fetchall() if cursor.description else []
        self.stage.execute("ROLLBACK")
        return found

    def become(self, role: str) -> None:
        """Let what follows on the stage be done as a role: its rights, its rows, its `session_user`."""
        assert self.stage is not None
        self.stage.execute("RESET SESSION AUTHORIZATION")
        if role != "owner":
            self.stage.execute(f'SET LOCAL SESSION AUTHORIZATION "{self.role(role)}"'.encode())

    def code(self, role: str, statement: str, *, before: str = "") -> str:
        """Return the SQLSTATE with which a role is refused, empty where it is not; `before` is what the owner does."""
        assert self.stage is not None
        as_role = f'SET LOCAL SESSION AUTHORIZATION "{self.role(role)}"'
        try:
            self.stage.execute(
                f"ROLLBACK; BEGIN; {before}; {as_role}; SET TRANSACTION READ WRITE; {statement}".encode()
            )
        except psycopg.Error as error:
            return error.sqlstate or "?"
        finally:
            self.stage.execute("ROLLBACK")
        return ""

    def codes(self, role: str, statements: list[str]) -> list[str]:
        """Return the SQLSTATE with which each of a role's statements is refused, empty where it is not, all at one go."""
        assert self.stage is not None
        self.stage.execute("ROLLBACK; BEGIN; SET TRANSACTION READ WRITE")
        self.become(role)
        found = self.stage.execute("SELECT trial.codes(%s::text[])", (statements,)).fetchone()
        self.stage.execute("ROLLBACK")
        return list(found[0]) if found else []


@dataclass(frozen=True, slots=True)
class Focus:
    """What a mutation is about: its kind of fact, the table, function or role it names; None is everything."""

    kind: Kind | None = None
    table: str | None = None
    function: str | None = None
    role: str | None = None

    def tables(self) -> list[Table]:
        """Return the tables to look at."""
        return [t for t in CATALOG if self.table in (None, t.name)]

    def first(self, roles: Iterable[str]) -> list[str]:
        """Return the roles, that which the mutation names at their head: it is where something is noticed."""
        return sorted(roles, key=lambda role: role != self.role)


def imagined() -> World:
    """Return the world's facts without a database: enough to name its mutants."""
    made = plan(parse.read(source(), "mutants"), CATALOG)
    # The purpose that counts came with the second version, when audiences had their bits.
    *first, last = (unit.purpose for unit in made.units)
    units = (*first, *made.audiences, last)
    target = Target("troth", {unit: bit for bit, unit in enumerate(units)}, {"ann": "understand"})
    return World(None, None, made, desired(made, CATALOG, target), target)  # type: ignore[arg-type] # nothing is asked
