"""Apply a mutant, see whether a probe or a behaviour notices, and take it back."""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import psycopg

from tests.mutations.behaviour import CHECKS, Check, Focus
from tests.mutations.mutants import Mutant
from tests.mutations.world import World
from troth.database import probes
from troth.policy.facts import Kind

#: Not asked: these compare the catalog with what it should say, and would notice everything.
CATALOG_PROBES = {"drift"}
EVERYTHING = Focus()


@dataclass(slots=True)
class Judge:
    """Knows what holds while nothing is taken away."""

    world: World
    holding: frozenset[str] = field(default_factory=frozenset)

    def settle(self) -> list[str]:
        """Note which probes hold; return what of the behaviours does not, which must be nothing."""
        self.holding = frozenset(name for name, ok in self.probed().items() if ok)
        return [f"{check.name}: {said}" for check in CHECKS for said in tried(check, self.world, EVERYTHING)]

    def probed(self) -> dict[str, bool | None]:
        """Return what each probe says now."""
        found = probes.tried(self.world.where, self.world.owner)
        return {each.probe.name: each.ok for each in found if each.probe.name not in CATALOG_PROBES}

    def killer(self, mutant: Mutant, *, thorough: bool = True) -> str:
        """Return the probe or behaviour that notices a mutant first; empty when it survives."""
        try:
            self._do(mutant.change)
            return next(self._noticing(mutant, thorough=thorough), "")
        finally:
            self._do(mutant.undo)

    def speaks(self, probe: str, mutant: Mutant) -> bool:
        """Whether a probe that holds does so no more with a mutant."""
        try:
            self._do(mutant.change)
            return probe in self.holding and self.probed()[probe] is False
        finally:
            self._do(mutant.undo)

    def _noticing(self, mutant: Mutant, *, thorough: bool) -> Iterator[str]:
        near = [check for check in CHECKS if mutant.fact.kind in check.kinds]
        for check in sorted(near, key=lambda check: _order(check, mutant)):
            if any(tried(check, self.world, mutant.focus)):
                yield check.name
        if thorough:
            now = self.probed()
            yield from (f"probe {name}" for name in sorted(self.holding) if not now.get(name))
            yield from (check.name for check in CHECKS if any(tried(check, self.world, EVERYTHING)))

    def _do(self, statements: tuple[str, ...]) -> None:
        for statement in statements:
            self.world.owner.execute(statement.encode())


def tried(check: Check, world: World, focus: Focus) -> Iterator[str]:
    """Yield what a check says; what cannot even be asked any more is something, too."""
    try:
        yield from check.run(world, focus)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        yield f"answered with {error.sqlstate}"
    finally:
        if world.stage is not None:
            world.stage.execute("ROLLBACK; RESET SESSION AUTHORIZATION")


@cache
def _source(check: Check) -> str:
    return inspect.getsource(sys.modules[check.run.__module__])


def _order(check: Check, mutant: Mutant) -> int:
    """Ask first what is likely to notice: of a function's body, what calls it by its name."""
    whole = mutant.fact.kind is Kind.FUNCTION and mutant.what not in ("search_path dropped", "EXECUTE to PUBLIC")
    if whole and f"troth.{mutant.focus.function}(" in _source(check):
        return -1
    first = {
        Kind.RULE: ["rows", "own", "twins", "what comes in", "privileges"],
        Kind.GRANT: ["privileges", "calls", "passing on", "views"]
        if mutant.focus.table
        else ["calls", "views", "sessions"],
        Kind.FUNCTION: {"search_path dropped": ["search path"], "EXECUTE to PUBLIC": ["calls"]}.get(
            mutant.what, ["comings and goings", "applications", "permissions", "retention", "numbers", "what comes in"]
        ),
        Kind.VIEW: ["views" if "withheld" in mutant.name else "rows"],
    }.get(mutant.fact.kind, [])
    return first.index(check.name) if check.name in first else len(first)
