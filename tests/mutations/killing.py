"""Apply a mutant, see whether a probe or a behaviour notices, and take it back."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg

from tests.mutations.checks import CHECKS, Check
from tests.mutations.mutants import Mutant
from tests.mutations.world import Focus, World
from troth.database import probes
from troth.policy.facts import Kind

#: Not asked: these compare the catalog with what it should say, and would notice everything.
CATALOG_PROBES = {"drift"}
EVERYTHING = Focus()
TRAPPED = "search_path dropped"
REACHED = """SELECT funcname FROM pg_stat_user_functions WHERE schemaname = 'troth' UNION SELECT relname FROM pg_stat_user_tables
 WHERE schemaname = 'troth' AND coalesce(seq_scan, 0) + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del > 0"""


@dataclass(slots=True)
class Judge:
    """Knows what holds while nothing is taken away, what each behaviour reaches, and how long it takes."""

    world: World
    holding: frozenset[str] = field(default_factory=frozenset)
    reached: dict[Check, frozenset[str]] = field(default_factory=dict)
    seconds: dict[Check, float] = field(default_factory=dict)
    #: Which plays go on as ever while something lies in wait on the path.
    unmoved: dict[Check, bool] = field(default_factory=dict)

    def settle(self) -> list[str]:
        """Note which probes hold; return what of the behaviours does not, which must be nothing."""
        self.holding = frozenset(name for name, ok in self.probed().items() if ok)
        return [f"{check.name}: {said}" for check in CHECKS for said in self._watched(check)]

    def _watched(self, check: Check) -> list[str]:
        """Run a behaviour, and note by PostgreSQL's own counters which functions and tables it reaches."""
        assert self.world.stage is not None
        self.world.owner.execute("SELECT pg_stat_reset()")
        began = time.monotonic()
        said = list(tried(check, self.world, EVERYTHING))
        self.seconds[check] = time.monotonic() - began
        self.world.stage.execute("SELECT pg_stat_force_next_flush()")
        self.reached[check] = frozenset(name for (name,) in self.world.owner.execute(REACHED.encode()))
        return said

    def probed(self) -> dict[str, bool | None]:
        """Return what each probe says now."""
        found = probes.tried(self.world.where, self.world.owner)
        return {each.probe.name: each.ok for each in found if each.probe.name not in CATALOG_PROBES}

    def killer(self, mutant: Mutant, *, thorough: bool = True) -> str:
        """Return the probe or behaviour that notices a mutant first; empty when it survives."""
        near = self._near(mutant)
        if mutant.what == TRAPPED:
            near = [check for check in near if not check.played or self._unmoved(check)]
        try:
            self._do(mutant.change)
            return next(self._noticing(mutant, near, thorough=thorough), "")
        finally:
            self._do(mutant.undo)

    def speaks(self, probe: str, mutant: Mutant) -> bool:
        """Whether a probe that holds does so no more with a mutant."""
        try:
            self._do(mutant.change)
            return probe in self.holding and self.probed()[probe] is False
        finally:
            self._do(mutant.undo)

    def _near(self, mutant: Mutant) -> list[Check]:
        """Return what may notice, the likeliest and quickest first: what never calls a function cannot tell how it is."""
        near = [check for check in CHECKS if mutant.fact.kind in check.kinds]
        called = mutant.focus.function
        if called is not None:
            near = [check for check in near if called in self.reached[check] or check.name in OF_FUNCTIONS]
        return sorted(near, key=lambda check: (*_order(check, mutant, self.reached[check]), self.seconds[check]))

    def _noticing(self, mutant: Mutant, near: list[Check], *, thorough: bool) -> Iterator[str]:
        for check in near:
            if any(self._tried(check, mutant)):
                yield check.name
        if thorough:
            now = self.probed()
            yield from (f"probe {name}" for name in sorted(self.holding) if not now.get(name))
            yield from (check.name for check in CHECKS if any(tried(check, self.world, EVERYTHING)))

    def _tried(self, check: Check, mutant: Mutant) -> Iterator[str]:
        self.world.trapped = check.played and mutant.what == TRAPPED
        try:
            yield from tried(check, self.world, mutant.focus)
        finally:
            self.world.trapped = False

    def _unmoved(self, check: Check) -> bool:
        if check not in self.unmoved:
            self.world.trapped = True
            try:
                self.unmoved[check] = not any(tried(check, self.world, EVERYTHING))
            finally:
                self.world.trapped = False
        return self.unmoved[check]

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


OF_FUNCTIONS = ("calls", "passing on", "search path")
#: What is asked first, by the end of what is taken away, and then by the kind of fact.
BY_WHAT = {
    "EXECUTE to PUBLIC": ["calls"],
    "EXECUTE dropped": ["calls"],
    "with grant option": ["passing on"],
    TRAPPED: ["search path"],
}
BY_KIND = {
    Kind.RULE: ["rows", "own", "twins", "audiences", "looks", "outsiders", "support", "what comes in", "privileges"],
    Kind.GRANT: ["privileges", "calls", "passing on", "sessions", "views"],
    Kind.SCHEMA: ["mighty"],
    Kind.VIEW: ["views", "rows"],
    Kind.ROLE: ["sessions", "mighty", "tying"],
}


def _order(check: Check, mutant: Mutant, reached: frozenset[str]) -> tuple[int, bool, bool]:
    """Ask first what is known to notice; then what names the function itself, or reaches the table."""
    first = next((names for end, names in BY_WHAT.items() if mutant.what.endswith(end)), None)
    first = first or BY_KIND.get(mutant.fact.kind, [])
    return first.index(check.name) if check.name in first else len(first), *_apart(check, mutant, reached)


def _apart(check: Check, mutant: Mutant, reached: frozenset[str]) -> tuple[bool, bool]:
    called = f"troth.{mutant.focus.function}("
    return (
        called not in check.words,
        called not in check.around if mutant.focus.function else mutant.focus.table not in reached,
    )
