"""What a version would do, before it is applied: who would see, keep and lose what, counted without looking at it."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Connection, errors
from psycopg.types.json import Jsonb

from troth.database import apply
from troth.database.catalog import of as catalog_of
from troth.database.errors import DatabaseRefusal
from troth.database.statements import load
from troth.policy import foreseeing, parse
from troth.policy.catalog import Catalog, Column, Table
from troth.policy.compare import Comparison, Delta, Verdict, compare
from troth.policy.foreseeing import COUNTED, HEAD, WIDTH, Ahead, Foresight
from troth.policy.meaning import Occasion, Policy, Whose
from troth.policy.orders import Kind
from troth.policy.plan import plan
from troth.policy.planned import Collected, Plan, Reading
from troth.policy.widening import widened

SQL = load("troth.database.sql")
#: Seconds that a whole simulation may take.
LONGEST = 120.0
#: And that of one person, for whom a page waits.
BRIEF = 5.0
#: Kinds of differences that say whose eyes or hands data comes to, though no purpose reads another row.
HELD = frozenset({Kind.CATEGORY, Kind.SIGHT, Kind.POSTING, Kind.RIGHT, Kind.RECIPIENT, Kind.CORRELATION})


class SimulationRefusal(DatabaseRefusal):
    """What cannot be simulated: nothing is in force, nobody is meant, or it takes too long."""

    code = "policy-simulate"


@dataclass(frozen=True, slots=True)
class Plans:
    """Two versions, and their plans. `waiting`: the purposes that nobody is in under the old one, until they agree."""

    before: Policy
    after: Policy
    old: Plan
    new: Plan
    waiting: frozenset[str]
    catalog: Catalog

    @property
    def opened(self) -> frozenset[str]:
        """The purposes that nobody is in when the new version is applied."""
        return widened(self.old, self.new) | self.waiting


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows, and the people whose they are; those of visits and of anonymous identifiers are no people's."""

    rows: int
    people: int


@dataclass(frozen=True, slots=True)
class Sight:
    """What a purpose sees of a table's rows: `before`; `at_once`, when applied; `agreed`, when everybody has agreed.

    `lost` are seen before and not at once, `gained` only after agreement; `either` before or after it; `changed` not
    alike in all three. `objected` and `consented` are the people with rows in the table who do.
    """

    purpose: str
    table: str
    whose: Whose
    before: Seen
    at_once: Seen
    agreed: Seen
    lost: Seen
    gained: Seen
    either: Seen
    changed: Seen
    objected: int
    consented: int


@dataclass(frozen=True, slots=True)
class Holding:
    """A table's rows: `held`; `due` at once and not before; `too_exact`, at most, for their age from now on.

    `in_force` of the people have agreed to the version in force.
    """

    table: str
    whose: Whose
    held: Seen
    due: Seen
    too_exact: int
    in_force: int


@dataclass(frozen=True, slots=True)
class Membership:
    """How many people with an open account are in a purpose, by when; who drops out, who objects, who consents."""

    purpose: str
    before: int
    at_once: int
    agreed: int
    dropping: int
    objected: int
    consented: int


@dataclass(frozen=True, slots=True)
class Touched:
    """What one difference concerns: tables with their columns, and the records and people in them that it touches.

    One about no data, as a duty, touches none. Several differences can touch the same records: what widens one use of a
    purpose asks anew for all of it.
    """

    delta: Delta
    columns: tuple[tuple[str, tuple[str, ...]], ...]
    records: int
    people: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """What applying a version would do, after the keeper's next round of retention.

    `agreed` people with an open account hold to some version, `in_force` to the one in force, `standing` to what is
    needed now; `again` of them must agree anew before they go on. `mails` are owed for a change that reduces rights.
    """

    before: Policy
    after: Policy
    comparison: Comparison
    opened: tuple[str, ...]
    agreed: int
    in_force: int
    standing: int
    again: int
    mails: int
    memberships: tuple[Membership, ...]
    sights: tuple[Sight, ...]
    holdings: tuple[Holding, ...]
    readable: tuple[Reading, ...]
    unreadable: tuple[Reading, ...]
    collected: tuple[Collected, ...]
    uncollected: tuple[Collected, ...]
    touched: tuple[Touched, ...]
    obstacle: str = ""


def simulate(
    connection: Connection[Any], source: str, *, name: str = "policy", old: str | None = None, person: str = ""
) -> Simulation:
    """Say what the source of a version would do, to everybody or to one `person` (a subject or an e-mail address).

    `connection` is the owner's, autocommitting. Nothing is changed, and no value read; about a person, an entry of the
    ledger is left first. `old` is the source that stands instead of the one in force. Raises PolicyErrors,
    SimulationRefusal.
    """
    now = apply.newest(connection)
    if now is None:
        raise SimulationRefusal("no policy is in force", advice="start `troth serve`, which applies one")
    standing, new = parse.read(now.source, "the policy in force", settled=True), parse.read(source, name)
    before = parse.read(old, "the old version", settled=True) if old is not None else standing
    catalog = catalog_of(connection)
    old_plan = plan(before, catalog)
    plans = Plans(before, new, old_plan, plan(new, catalog), widened(plan(standing, catalog), old_plan), catalog)
    comparison = compare(before, new, widened(old_plan, plans.new))
    whose = _named(connection, person, new) if person else None
    with counting(connection) as counted:
        found = _simulated(counted, comparison, plans, whose)
    return replace(found, obstacle=_obstacle(now, new))


def personal(connection: Connection[Any], comparison: Comparison, plans: Plans, subject: uuid.UUID) -> Simulation:
    """Say what a version would do to one person; the role `self` can ask so about its viewer, and finds nobody else."""
    return _simulated(connection, comparison, plans, subject, longest=BRIEF)


@contextmanager
def counting(connection: Connection[Any]) -> Iterator[Connection[Any]]:
    """Let the owner's connection count in one transaction that reads keys, times and stamps, and changes nothing."""
    told = {"left": _milliseconds(LONGEST), "role": f"{connection.info.dbname}_stamper"}
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute(SQL["count_only"].encode(), told)
            yield connection
    except errors.QueryCanceled:
        sentence = f"counting took longer than {LONGEST:.0f} seconds"
        raise SimulationRefusal(sentence, advice="simulate when the database is less busy") from None


def _named(connection: Connection[Any], person: str, new: Policy) -> uuid.UUID:
    found = connection.execute(SQL["person_named"].encode(), {"named": person}).fetchall()
    if len(found) != 1:
        sentence = f"`{person}` names {'nobody' if not found else 'several people'} here"
        raise SimulationRefusal(sentence, advice="give the subject, or the e-mail address of an account")
    told = {"subject": found[0][0], "facts": Jsonb({"version": new.version, "policy": new.digest})}
    connection.execute(SQL["record_simulation"].encode(), told)
    return uuid.UUID(str(found[0][0]))


def _obstacle(now: apply.Version, new: Policy) -> str:
    if new.version <= now.version and new.digest != now.digest:
        return f"it could not be applied: version {now.version} is in force; give it a higher number"
    if apply.not_yet(new.effective) and new.effective > now.effective_on:
        return f"it could not be applied yet: it is effective on {new.effective}"
    return ""


def _simulated(
    connection: Connection[Any],
    comparison: Comparison,
    plans: Plans,
    subject: uuid.UUID | None,
    *,
    longest: float = LONGEST,
) -> Simulation:
    opened = plans.opened
    foresight = Foresight(plans.old, plans.new, _ahead(connection, plans, opened), personal=subject is not None)
    now, floor = _one(connection, SQL["agreed_floor"], {})
    told = dict(foresight.told) | {"subject": subject, "now": now, "floor": floor}
    asking = _Asking(connection, foresight, told, time.monotonic() + longest, plans.catalog)
    counts, memberships = asking.standings()
    sights, holdings = asking.rows()
    agreed, in_force, standing = counts
    old, new = ({(r.purpose, r.table, r.column): r for r in p.readings} for p in (plans.old, plans.new))
    return Simulation(
        before=plans.before,
        after=plans.after,
        comparison=comparison,
        opened=tuple(sorted(opened & {unit.purpose for unit in plans.new.units})),
        agreed=agreed,
        in_force=in_force,
        standing=standing,
        again=standing if opened or comparison.agree_again else 0,
        mails=agreed if comparison.verdict >= Verdict.NOTIFY else 0,
        memberships=memberships,
        sights=sights,
        holdings=holdings,
        readable=tuple(new[key] for key in sorted(new.keys() - old.keys())),
        unreadable=tuple(old[key] for key in sorted(old.keys() - new.keys())),
        collected=_only(plans.new, plans.old),
        uncollected=_only(plans.old, plans.new),
        touched=tuple(_touched(each, plans, sights, holdings, memberships) for each in comparison.deltas),
    )


def _ahead(connection: Connection[Any], plans: Plans, opened: frozenset[str]) -> tuple[Ahead, ...]:
    live = {name: (bit, since) for name, bit, since in connection.execute(SQL["simulated_units"].encode())}
    coming = {unit.purpose: unit for unit in plans.new.units}
    names = dict.fromkeys([*coming, *(unit.purpose for unit in plans.old.units)])
    return tuple(
        Ahead(
            purpose=name,
            place=number,
            bit=live[name][0] if name in live and name not in plans.waiting else None,
            kept=name in coming and name not in opened and name in live,
            basis=coming[name].basis if name in coming else None,
            since=live[name][1] if name in live and name not in opened else plans.new.version,
        )
        for number, name in enumerate(names)
    )


def _only(these: Plan, those: Plan) -> tuple[Collected, ...]:
    """Return what only the first of two plans stores, or stores so exactly."""
    known = {(c.occasion, c.table, c.column, c.precision) for c in those.collected}
    return tuple(c for c in these.collected if (c.occasion, c.table, c.column, c.precision) not in known)


def _one(connection: Connection[Any], statement: str, told: Mapping[str, Any]) -> tuple[Any, ...]:
    row = connection.execute(statement.encode(), told).fetchone()
    return tuple(row) if row else ()


def _milliseconds(seconds: float) -> str:
    return str(max(1, int(seconds * 1000)))


@dataclass(slots=True)
class _Asking:
    """The questions of one simulation, all of them together within its time."""

    connection: Connection[Any]
    foresight: Foresight
    told: Mapping[str, Any]
    deadline: float
    catalog: Catalog

    def _ask(self, question: str) -> list[tuple[Any, ...]]:
        left = _milliseconds(self.deadline - time.monotonic())
        self.connection.execute(SQL["time_left"].encode(), {"left": left})
        return self.connection.execute(question.encode(), self.told).fetchall()

    def standings(self) -> tuple[tuple[int, int, int], tuple[Membership, ...]]:
        """Return how many agreed to what, and how many are in each purpose."""
        (row,) = self._ask(foreseeing.standings(self.foresight))
        each = iter(row)
        agreed, in_force, standing = next(each), next(each), next(each)
        members = (Membership(a.purpose, *(next(each) for _ in range(6))) for a in self.foresight.purposes)
        return (agreed, in_force, standing), tuple(members)

    def rows(self) -> tuple[tuple[Sight, ...], tuple[Holding, ...]]:
        """Return what each purpose sees of each table, and what of the table is kept."""
        sights: list[Sight] = []
        holdings: list[Holding] = []
        for table in filter(self._may_be_read, self.catalog.stamped):
            for row in self._ask(foreseeing.rows(self.foresight, table)):
                holdings.append(self._holding(table.name, row))
                for number, ahead in enumerate(self.foresight.purposes):
                    counts = row[HEAD + number * WIDTH : HEAD + (number + 1) * WIDTH]
                    sights.append(_sight(ahead.purpose, table.name, counts, Whose(row[0])))
        return tuple(each for each in sights if each.either.rows), tuple(holdings)

    def _may_be_read(self, table: Table) -> bool:
        """Whether whoever asks may: a person reads their rows where the version in force shows them any."""
        plan = self.foresight.old
        return not self.foresight.personal or not self._viewing() or any(o.table == table.name for o in plan.own)

    def _viewing(self) -> bool:
        row = self.connection.execute(SQL["viewing"].encode()).fetchone()
        return bool(row and row[0])

    def _holding(self, table: str, row: Sequence[Any]) -> Holding:
        kind, rows, people, due, due_of, fine, in_force = row[:HEAD]
        whose = Whose(kind)
        return Holding(
            table=table,
            whose=whose,
            held=_seen(rows, people, whose),
            due=_seen(due, due_of, whose),
            too_exact=fine,
            in_force=in_force,
        )


def _seen(rows: int, people: int, whose: Whose) -> Seen:
    return Seen(rows, people if whose is Whose.PERSON else 0)


def _sight(purpose: str, table: str, counts: Sequence[int], whose: Whose) -> Sight:
    pairs = [_seen(counts[2 * place], counts[2 * place + 1], whose) for place in range(len(COUNTED))]
    before, at_once, agreed, lost, gained, either, changed = pairs
    objected, consented = counts[2 * len(COUNTED) :]
    return Sight(purpose, table, whose, before, at_once, agreed, lost, gained, either, changed, objected, consented)


# What a difference touches


def _touched(
    delta: Delta,
    plans: Plans,
    sights: Sequence[Sight],
    holdings: Sequence[Holding],
    memberships: Sequence[Membership],
) -> Touched:
    match delta.kind:
        case Kind.PURPOSE:
            mine = [each for each in sights if each.purpose == delta.about[0]]
            in_it = [max(m.before, m.agreed) for m in memberships if m.purpose == delta.about[0]]
            read = [r for r in (*plans.old.readings, *plans.new.readings) if r.purpose == delta.about[0]]
            found = {
                name: tuple(sorted({r.column for r in read if r.table == name})) for name in {r.table for r in read}
            }
            return Touched(delta, tuple(sorted(found.items())), sum(s.either.rows for s in mine), max(in_it, default=0))
        case Kind.USE:
            return _of_use(delta, plans, sights)
        case Kind.COARSENING:
            places = _places(plans.catalog, delta.about)
            names = {name for name, _ in places}
            exact = [h for h in holdings if h.table in names]
            return Touched(
                delta, places, sum(h.too_exact for h in exact), max((h.held.people for h in exact), default=0)
            )
        case kind if kind not in HELD:
            return Touched(delta, (), 0, 0)
        case _:
            places = _places(plans.catalog, delta.about)
            names = {name for name, _ in places}
            held = [h for h in holdings if h.table in names and h.whose is Whose.PERSON]
            return Touched(delta, places, sum(h.held.rows for h in held), max((h.held.people for h in held), default=0))


def _of_use(delta: Delta, plans: Plans, sights: Sequence[Sight]) -> Touched:
    category, occasion, purpose = delta.about
    places = _places(plans.catalog, (category,), Occasion(occasion))
    read = [{(r.table, r.column) for r in p.readings if r.purpose == purpose} for p in (plans.old, plans.new)]
    records = people = 0
    for name, columns in places:
        other = any(((name, column) in read[0]) is not ((name, column) in read[1]) for column in columns)
        for each in sights:
            if (each.purpose, each.table, each.whose) == (purpose, name, Occasion(occasion).whose):
                seen = each.either if other else each.changed
                records, people = records + seen.rows, max(people, seen.people)
    return Touched(delta, places, records, people)


def _places(
    catalog: Catalog, categories: Sequence[str], occasion: Occasion | None = None
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the stamped tables and their columns that hold one of the categories, where an occasion fills them."""
    found = []
    for table in catalog.stamped:
        columns = tuple(c.name for c in _holding_any(table, categories))
        if columns and (occasion is None or occasion in table.occasions):
            found.append((table.name, columns))
    return tuple(found)


def _holding_any(table: Table, categories: Sequence[str]) -> Iterator[Column]:
    return (column for column in table.columns if column.category in categories)
