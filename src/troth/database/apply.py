"""Bring the database to what a policy says: the difference of plan and catalog, carried out in one short switch."""

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any, NoReturn

from psycopg import Connection, errors

from troth.database import place, signatures
from troth.database.catalog import Declared, declared, load, of
from troth.database.errors import DatabaseRefusal
from troth.database.observe import STRAY, is_superuser, marked_objects, observe
from troth.database.statements import load as statements
from troth.policy import parse
from troth.policy.carrying import lock, password
from troth.policy.catalog import Catalog
from troth.policy.compare import Comparison, Verdict, compare
from troth.policy.declaring import drop, name_of
from troth.policy.errors import PolicyErrors
from troth.policy.facts import Difference, Fact, Kind, difference
from troth.policy.meaning import Basis, Policy
from troth.policy.plan import plan
from troth.policy.planned import Plan, Retention, Unit
from troth.policy.roles import LOGINS, TWINS, Target
from troth.policy.sql import desired
from troth.policy.unmake import mark
from troth.policy.widening import widened

#: How long the switch waits for a lock before it lets readers pass and tries again.
LOCK_TIMEOUT = "50ms"
#: An autovacuum gives way to whoever has waited so long. Who may not say so waits for PostgreSQL's own second, rarely.
GIVE_WAY, GIVE_WAY_AT_LAST = "25ms", "1500ms"
TRIES = 200
#: After so many tries, purposes' sessions that have held a lock for over a second are ended.
PATIENCE = 20
#: What is dropped to be made anew takes its grants along; the next round sees them missing. The last round verifies.
ROUNDS = 4
#: The fingerprint of these is kept in a comment.
MARKED = {Kind.CHECK, Kind.FUNCTION, Kind.TRIGGER, Kind.RULE, Kind.VIEW}


class ApplyRefusal(DatabaseRefusal):
    """A policy that cannot be applied over the one in force, or a database that does not follow."""

    code = "policy-apply"


class Locked(ApplyRefusal):
    """Somebody held the tables all the while: nothing is wrong with the policy."""


@dataclass(frozen=True, slots=True)
class Version:
    """A policy version as it was applied."""

    version: int
    name: str
    digest: str
    terms_digest: str
    source: str
    terms: str
    effective_on: Any


@dataclass(frozen=True, slots=True)
class Declaring:
    """What somebody declares instead of what they declared before, with the text that says so; None: nothing any more.

    `and_then` runs in the same transaction, when everything is made. What is declared no longer goes with its values.
    """

    declarer: str
    tables: Mapping[str, Any] | None
    source: str = ""
    and_then: Callable[[Connection[Any]], None] = lambda _: None

    def after(self, before: Declared) -> Declared:
        """Return everything that is declared afterwards."""
        told = {name: text for name, text in before if name != self.declarer}
        if self.tables is not None:
            told[self.declarer] = json.dumps(self.tables)
        return tuple(sorted(told.items()))


@dataclass(frozen=True, slots=True)
class Step:
    """What a switch carries out: the version, the purposes that open an edition, whether people must agree again.

    `catalog` is what the tables are then, and `before` what they were. `kept` is how long each version that somebody is
    bound to keeps rows.
    """

    policy: Policy
    source: str
    terms: str
    plan: Plan
    fresh: bool
    opened: frozenset[str]
    floor: bool
    verdict: Verdict
    catalog: Catalog
    before: Catalog
    kept: Mapping[int, tuple[Retention, ...]]
    declaring: Declaring | None = None
    and_then: Callable[[Connection[Any]], None] = lambda _: None
    raised: Verdict = Verdict.EDITORIAL

    def leaving(self) -> dict[str, str]:
        """Return what is declared no longer, by the name that facts give it, with how it is dropped."""
        gone: dict[str, str] = {}
        after = {table.name: {column.name for column in table.columns} for table in self.catalog}
        for table in self.before:
            if table.name not in after:
                gone[f"troth.{table.name}"] = drop(table, None)
                continue
            for column in table.columns:
                if column.name not in after[table.name]:
                    gone[name_of(table.name, column.name)] = drop(table, column)
        return gone


@dataclass(frozen=True, slots=True)
class Outcome:
    """What applying did: the version, whether it is new, the facts changed, the seconds it held locks, its tries.

    `verdict` is what the change asks; EDITORIAL for the first version, and for the same one again. `strays` are
    relations that no room declares, which a repair leaves where they are.
    """

    version: int
    fresh: bool
    changed: int
    widened: tuple[str, ...]
    held: float
    tries: int
    verdict: Verdict = Verdict.EDITORIAL
    strays: tuple[str, ...] = ()


def newest(connection: Connection[Any]) -> Version | None:
    """Return the version in force, if any."""
    row = connection.execute(_sql("newest_version")).fetchone()
    return Version(*row) if row else None


def apply(
    connection: Connection[Any],
    source: str,
    terms: str,
    *,
    name: str = "policy",
    declaring: Declaring | None = None,
    raised: Verdict = Verdict.EDITORIAL,
    and_then: Callable[[Connection[Any]], None] = lambda _: None,
) -> Outcome:
    """Apply a policy's source over the database that the owner's autocommitting connection reaches.

    The same version again repairs drift, or takes in what is declared anew. `raised` asks of people what the comparison
    does not, never less; `and_then` runs last in the transaction of the switch. Raises PolicyErrors for a bad source or
    one the tables cannot hold to, AlteredVersion, ApplyRefusal for an older version, a changed text under an old
    number, or a day that has not come.
    """
    signatures.check(connection)
    policy = parse.read(source, name, settled=_stands(connection, source))
    held = declared(connection)
    catalog = load(declaring.after(held) if declaring else held)
    new = plan(policy, catalog)
    before = newest(connection)
    digest = sha256(terms.encode()).hexdigest()
    fresh = _is_fresh(before, policy, digest)
    opened, change = _change(before, policy, new, catalog)
    asks = max(change.verdict, raised) if change else Verdict.EDITORIAL
    # Who has not agreed to a significant change is nobody to the pages until they do (P38).
    floor = change is None or change.agree_again or raised >= Verdict.AGREE_AGAIN
    kept = {**_kept(connection, catalog), policy.version: new.retention}
    step = Step(
        policy, source, terms, new, fresh, opened, floor, asks, catalog, load(held), kept, declaring, and_then, raised
    )
    for tries in range(1, TRIES + 1):
        try:
            outcome = _switch(connection, step, tries=tries)
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            if tries >= PATIENCE:
                _end_blocking_readers(connection)
            time.sleep(min(0.02 * tries, 0.25))
        else:
            signatures.remember(connection)
            return outcome
    raise Locked("the tables stayed locked", advice="end long transactions (see pg_stat_activity) and apply again")


def _stands(connection: Connection[Any], source: str) -> bool:
    """Whether it is the source of the version in force, which is applied again."""
    before = newest(connection)
    return before is not None and before.source == source


def compared(connection: Connection[Any], source: str) -> Comparison:
    """Return how a source differs from the version in force; in nothing, where none is. Raises PolicyErrors."""
    before, policy = newest(connection), parse.read(source, "policy")
    catalog = of(connection)
    _, change = _change(before, policy, plan(policy, catalog), catalog)
    return change or Comparison((), Verdict.EDITORIAL, (), ())


def _change(
    before: Version | None, policy: Policy, new: Plan, catalog: Catalog
) -> tuple[frozenset[str], Comparison | None]:
    """Return the purposes that open an edition, and how a policy differs from the one in force, if any."""
    if before is None:
        return frozenset((*(unit.purpose for unit in new.units), *new.audiences)), None
    old = parse.read(before.source, "the policy in force", settled=True)
    opened = widened(plan(old, catalog), new)
    return opened, compare(old, policy, opened)


def _is_fresh(before: Version | None, policy: Policy, terms_digest: str) -> bool:
    if before is None:
        return True
    if policy.version < before.version:
        sentence = f"version {policy.version} is older than version {before.version}, which is in force"
        raise ApplyRefusal(sentence, advice="give the policy a higher version number")
    if policy.version == before.version and (policy.digest, terms_digest) != (before.digest, before.terms_digest):
        sentence = f"version {policy.version} is in force with another text"
        raise ApplyRefusal(sentence, advice="a changed policy or changed terms need a higher version number")
    # What is in force has its day, whatever the clock says; a first policy has nothing to wait behind.
    if not_yet(policy.effective) and policy.effective > before.effective_on:
        sentence = f"version {policy.version} is effective on {policy.effective}, and that day has not come"
        raise ApplyRefusal(sentence, advice="what is applied is in force at once: apply it on that day")
    return policy.version > before.version


def not_yet(day: date) -> bool:
    """Whether a day is still to come, by UTC."""
    return day > datetime.now(UTC).date()


def _switch(connection: Connection[Any], step: Step, *, tries: int) -> Outcome:
    with connection.transaction():
        connection.execute(_sql("lock_appliers"))
        connection.execute("SET LOCAL check_function_bodies = off")
        if step.fresh:
            _add_version(connection, step)
        _say_retention(connection, step)
        _open_editions(connection, step.plan, step.opened if step.fresh else frozenset())
        leaving = step.leaving()
        if step.declaring:
            _declare(connection, step.declaring)
        started, changed, strays = _make(connection, step, tries, leaving)
        if leaving:
            _leave(connection, step, leaving)
        connection.execute(_sql("set_nobody"))
        if step.declaring:
            step.declaring.and_then(connection)
        step.and_then(connection)
    held, opened = time.monotonic() - started, tuple(sorted(step.opened))
    return Outcome(step.policy.version, step.fresh, changed, opened, held, tries, step.verdict, strays)


def _make(
    connection: Connection[Any], step: Step, tries: int, leaving: Mapping[str, str]
) -> tuple[float, int, tuple[str, ...]]:
    """Carry the difference out until there is none; return when locks were first held, how many facts changed, strays.

    A repair goes on beside a relation that no room declares, as no role is let near it: nobody could remove it where
    nothing starts. Drift tells of it as long as it is there.
    """
    target, repairs = target_of(connection), not step.fresh and step.declaring is None
    started, changed = time.monotonic(), 0
    for _ in range(ROUNDS):
        change = _difference(connection, step, target, leaving)
        strays = tuple(fact.name for fact in change.surplus if repairs and fact.value == STRAY)
        ours = tuple(fact for fact in change.surplus if not (repairs and fact.value == STRAY))
        change = Difference(change.missing, ours)
        if not change:
            return started, changed, strays
        started = started if changed else _lock(connection, change, tries)
        changed += len(change.missing) + len(change.surplus)
        _carry_out(connection, change)
        if any(fact.kind is Kind.ROLE for fact in change.missing):
            _set_passwords(connection, target, step.plan)
    return _refuse(change)


def _difference(
    connection: Connection[Any], step: Step, target: Target, leaving: Collection[str] = frozenset()
) -> Difference:
    found = (
        fact
        for fact in observe(connection, step.catalog)
        if not (fact.kind is Kind.UNDECLARED and fact.name in leaving)
    )
    return difference(desired(step.plan, step.catalog, target), found)


def _declare(connection: Connection[Any], declaring: Declaring) -> None:
    told = {"declarer": declaring.declarer, "tables": json.dumps(declaring.tables), "source": declaring.source}
    connection.execute(_sql("undeclare" if declaring.tables is None else "declare"), told)


def _leave(connection: Connection[Any], step: Step, leaving: Mapping[str, str]) -> None:
    """Drop what nothing refers to any more, and look again."""
    for statement in leaving.values():
        connection.execute(statement.encode())
    left = _difference(connection, step, target_of(connection))
    if left:
        _refuse(left)


def _add_version(connection: Connection[Any], step: Step) -> None:
    policy = step.policy
    told = {
        "version": policy.version,
        "name": policy.name,
        "digest": policy.digest,
        "terms_digest": sha256(step.terms.encode()).hexdigest(),
        "source": step.source,
        "terms": step.terms,
        "effective_on": policy.effective,
        "floor": step.floor,
        "raised": step.raised,
    }
    connection.execute(_sql("add_version"), told)
    signatures.sign(connection)


def _kept(connection: Connection[Any], catalog: Catalog) -> dict[int, tuple[Retention, ...]]:
    """Return how long each version that somebody may be bound to keeps rows of these tables.

    One that these tables cannot hold to any more binds as it was last written down.
    """
    found = {}
    for version, source in connection.execute(_sql("binding_versions")).fetchall():
        with suppress(PolicyErrors):
            found[version] = plan(parse.read(source, f"version {version}", settled=True), catalog).retention
    return found


def _say_retention(connection: Connection[Any], step: Step) -> None:
    said = [(version, kept) for version, every in step.kept.items() for kept in every]
    told = {
        "version": [version for version, _ in said],
        "relation": [kept.table for _, kept in said],
        "days": [kept.days for _, kept in said],
        "after_end": [kept.after_end for _, kept in said],
        "consented": [" ".join(kept.consented) for _, kept in said],
    }
    connection.execute(_sql("say_retention"), told)


def _open_editions(connection: Connection[Any], new: Plan, opened: frozenset[str]) -> None:
    live = {purpose for purpose, _, _ in connection.execute(_sql("live_units"))}
    # Who has agreed to be shown to an audience is in it, as in a purpose by agreement.
    shown = (Unit(role, Basis.AGREEMENT, frozenset()) for role in new.audiences)
    wanted = {unit.purpose: unit for unit in (*new.units, *shown)}
    for purpose in live & (opened | (live - set(wanted))):
        connection.execute(_sql("retire_unit"), {"purpose": purpose})
    for unit in wanted.values():
        told = {"purpose": unit.purpose, "basis": unit.basis, "version": new.version, "visits": unit.visits}
        if unit.purpose in live - opened:
            connection.execute(_sql("keep_unit"), told)
        else:
            _open(connection, told)


def _open(connection: Connection[Any], told: dict[str, Any]) -> None:
    row = connection.execute(_sql("retired_unswept"), told).fetchone()
    if row and row[0] > 1:
        sentence = f"two earlier editions of `{told['purpose']}` still stand in rows"
        raise ApplyRefusal(
            sentence, advice="let `troth.sweep()` finish (the keeper runs it every minute) and apply again"
        )
    try:
        connection.execute(_sql("open_unit"), told)
    except errors.NotNullViolation:
        raise ApplyRefusal("all 63 bits are taken", advice="let the sweep free retired ones and apply again") from None


def bits_of(connection: Connection[Any]) -> dict[str, int]:
    """Return the place of each live purpose's bit in a stamp."""
    return {purpose: bit for purpose, _, bit in connection.execute(_sql("live_units"))}


def target_of(connection: Connection[Any]) -> Target:
    """Return where the plan goes: the connected database with its bits and analysts."""
    analysts = dict(connection.execute(_sql("analysts")).fetchall())
    return Target(connection.info.dbname, bits_of(connection), analysts, superuser=is_superuser(connection))


def _lock(connection: Connection[Any], change: Difference, tries: int) -> float:
    """Lock everything that will change, all views before all tables, each sorted: two switches cannot deadlock."""
    started = time.monotonic()
    at_last = LOCK_TIMEOUT if tries % PATIENCE else GIVE_WAY_AT_LAST
    connection.execute(_sql("wait_briefly"), {"longest": LOCK_TIMEOUT, "sooner": GIVE_WAY, "at_last": at_last})
    existing = {f.name for f in change.surplus if f.kind is Kind.VIEW}
    for name in change.locked:
        if name.startswith("troth.") or name in existing:
            connection.execute(lock(name).encode())
    return started


def _carry_out(connection: Connection[Any], change: Difference) -> None:
    remade = {(f.kind, f.name) for f in change.missing if f.remake}
    standing = {(f.kind, f.name) for f in change.surplus}
    for fact in change.surplus:
        if fact.unmake and (fact.kind, fact.name) not in remade:
            connection.execute(fact.unmake.encode())
    for fact in change.missing:
        statement = fact.remake if (fact.kind, fact.name) in standing and fact.remake else fact.make
        connection.execute(statement.encode())
    made = {(f.kind, f.name): f.value.split()[-1] for f in change.missing if f.kind in MARKED}
    for marked in marked_objects(connection) if made else ():
        fingerprint = made.get((marked.fact.kind, marked.fact.name))
        if fingerprint:
            connection.execute(mark(marked.thing, fingerprint, marked.digest).encode())


def _set_passwords(connection: Connection[Any], target: Target, new: Plan) -> None:
    secrets = place.secrets_of(place.current())
    for part in (*LOGINS, *(unit.purpose for unit in new.units)):
        role = target.role(part)
        connection.execute(password(role, secrets.verifier(role)).encode())


def _refuse(left: Difference) -> NoReturn:
    raise ApplyRefusal(
        f"the database does not follow: {_listed(left)}",
        advice="remove what no room declares (see `troth policy drift`), then apply again",
    )


def _listed(left: Difference) -> str:
    lines: Iterable[Fact] = (*left.missing, *left.surplus)
    return "; ".join(str(fact) for fact in list(lines)[:5])


def _end_blocking_readers(connection: Connection[Any]) -> None:
    machine = [place.current().role(part) for part in (*LOGINS, *TWINS)]
    relations = [f"troth.{table.name}" for table in of(connection) if table.bound]
    connection.execute(_sql("end_blocking_readers"), {"machine": machine, "relations": relations})


def _sql(name: str) -> bytes:
    return statements("troth.database.sql")[name].encode()
