"""A stage for plays: one transaction in which roles act in turn, and what was otherwise than it must be."""

import re
import uuid
from types import CodeType
from typing import Any, Protocol

import psycopg

from tests.mutations.world import World

UNCAUGHT = "SET LOCAL search_path = DEFAULT"
#: A statement that calls a function and does nothing else: no operator of its own that could be caught.
CALL = re.compile(r"SELECT (?:[\w, *]+ FROM )?troth\.\w+\([^=<>|&+*~]*\)")


class Play(Protocol):
    """Something that people do in a scene."""

    __name__: str
    __code__: CodeType

    def __call__(self, *told: Any, **named: Any) -> None:
        """Play it: the scene, and whoever takes part."""


class Scene:
    """One transaction in which roles act in turn."""

    def __init__(self, world: World) -> None:
        assert world.stage is not None
        self.world, self.stage = world, world.stage
        self.wrong: list[str] = []

    def __enter__(self) -> "Scene":
        self.stage.execute("ROLLBACK; BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self.stage.execute("ROLLBACK")

    def does(self, role: str, statement: str, *values: Any, token: str = "") -> list[tuple[Any, ...]]:
        """Let a role do something; what PostgreSQL refuses is wrong."""
        self._enter(role, token, statement)
        try:
            cursor = self.stage.execute(statement.encode(), _bound(values))
            found = cursor.fetchall() if cursor.description else []
            self.stage.execute(f"{UNCAUGHT}; RELEASE scene" if self.world.trapped else "RELEASE scene")
        except psycopg.Error as error:
            self.stage.execute("ROLLBACK TO scene")
            self.wrong.append(f"`{role}` is answered {error.sqlstate} by {statement[:70]}")
            return []
        return found

    def refused(self, code: str, role: str, statement: str, *values: Any, token: str = "") -> None:
        """Let a role try something that must be refused with a code."""
        self._enter(role, token, statement)
        try:
            self.stage.execute(statement.encode(), _bound(values))
            got = "nothing"
        except psycopg.Error as error:
            got = error.sqlstate or ""
        self.stage.execute("ROLLBACK TO scene")
        if got != code:
            self.wrong.append(f"`{role}` is refused with {got}, not {code}: {statement[:70]}")

    def must(self, what: str, found: Any, expected: Any) -> None:
        """Note what is otherwise than it must be."""
        if found != expected:
            self.wrong.append(f"{what}: {found}, not {expected}")

    def sees(self, purpose: str, table: str, whose: uuid.UUID) -> int:
        """Return how many rows of somebody a purpose sees."""
        row = self.does(purpose, f"SELECT count(*) FROM troth.{table} WHERE subject = %s", whose)
        return int(row[0][0]) if row else -1

    def locks(self, whose: uuid.UUID | None) -> list[str]:
        """Return the modes in which this transaction holds somebody's bucket, or the ledger."""
        found = self.does(
            "owner",
            "SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
            " AND CASE WHEN %s::uuid IS NULL THEN objid = 7277 ELSE classid = 7276 AND objid = uuid_hash(%s) & 1023 END ORDER BY 1",
            whose, whose,
        )  # fmt: skip
        return [mode for (mode,) in found]

    def _enter(self, role: str, token: str, statement: str) -> None:
        self.world.become(role)
        self.stage.execute("SELECT set_config('troth.token', %s, true)", (token,))
        self.stage.execute("SAVEPOINT scene")
        if self.world.trapped and CALL.fullmatch(statement):
            self.stage.execute("SET LOCAL search_path = trap, pg_catalog")


def _bound(values: tuple[Any, ...]) -> Any:
    """Return what a statement is given: by place, or, where it is one mapping, by name."""
    return values[0] if len(values) == 1 and isinstance(values[0], dict) else values or None
