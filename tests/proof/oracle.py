"""An independent reading of policies: small, slow, over rows in memory, written from their meaning alone.

Nothing here looks at plan, emitter or database. What a clause says is taken as `docs/policy-language.md` says it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any
from uuid import UUID

from troth.policy.catalog import Catalog, Column, Table
from troth.policy.compare import compare
from troth.policy.meaning import Audience, Basis, Occasion, Policy, Precision, Verb, Whose, Window, WindowKind

#: Fewer people than this are not counted out.
FEWEST = 5
NOBODY = UUID(int=0)
#: The least anonymous identifier: a browser that is known is no person.
LEAST = UUID("ffffffff-ffff-8000-8000-000000000000")
CHOICES = {
    Basis.CONSENT: ("consent", "withdrawal"),
    Basis.LEGITIMATE_INTEREST: ("objection", "permission"),
}
NOES = frozenset({"withdrawal", "refusal", "objection"})
#: The roles of the audiences that look at others.
ROLES = {
    Audience.ADMINISTRATORS: "administrator",
    Audience.MEMBERS: "member",
    Audience.SIGNED_IN: "reader",
    Audience.PUBLIC: "passer",
}
type Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Used:
    """One thing a purpose may do with what a table holds."""

    category: str
    occasion: Occasion
    precision: Precision
    window: Window


@dataclass(slots=True)
class Row:
    """A row as it came: whose, when, on which occasion, under which version, what it holds, whether its browser objected."""

    table: str
    subject: UUID
    at: datetime
    occasion: Occasion
    version: int
    values: Values
    objecting: bool = False


@dataclass(slots=True)
class Person:
    """What somebody did, in order: agreements (versions), choices (purpose, kind, version), the account's end."""

    subject: UUID
    agreed: list[int] = field(default_factory=list)
    choices: list[tuple[str, str, int]] = field(default_factory=list)
    ended: datetime | None = None


@dataclass(slots=True)
class Oracle:
    """A history of versions, people and rows; what it answers holds at `now`."""

    catalog: Catalog
    now: datetime
    versions: list[Policy] = field(default_factory=list)
    people: dict[str, Person] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    _known: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def policy(self) -> Policy:
        """The version in force."""
        return self.versions[-1]

    # What is said

    def uses(self, policy: Policy, purpose: str, table: Table | None = None) -> Iterator[Used]:
        """Yield what a purpose may do with what tables hold."""
        for held in (table,) if table else self.catalog.stamped:
            known = {column.category for column in held.columns if column.copies is None}
            for collection in policy.collections:
                for category in known.intersection(collection.categories):
                    for use in collection.uses:
                        if use.purpose == purpose and collection.occasion in held.occasions:
                            exactly = use.precision if use.precision.fits(str(category)) else Precision.AS_IS
                            yield Used(str(category), collection.occasion, exactly, use.window)

    def reads(self, purpose: str, table: Table) -> list[Used]:
        """Return the uses that see rows of a table."""
        return [use for use in self.uses(self.policy, purpose, table) if use.precision is not Precision.COUNTED]

    def counts(self, purpose: str, table: Table) -> list[Used]:
        """Return the uses that see only numbers; visitors are nobody, and are not counted."""
        uses = self.uses(self.policy, purpose, table)
        return [use for use in uses if use.precision is Precision.COUNTED and use.occasion.whose is Whose.PERSON]

    def columns(self, purpose: str, table: Table) -> list[str]:
        """Return what a purpose may read of a table; whose a row is, it knows with each."""
        reads = self.reads(purpose, table)
        found = [c.name for c in table.columns if any(_shows(c, use) for use in reads)]
        return ["subject", *found] if reads else []

    def own(self, table: Table) -> list[str]:
        """Return what people may read of their own rows."""
        policy = self.policy
        shown = {c for sight in policy.sights if sight.audience is Audience.PERSON for c in sight.categories}
        shown |= {
            c
            for right in policy.rights
            if {Verb.REVIEW, Verb.CORRECT, Verb.EXPORT}.intersection(right.verbs)
            for c in right.categories
        }
        found = [column.name for column in table.columns if column.category in shown]
        told = {
            c for a in table.accesses if a.role == "self" for verb, cs in a.privileges if verb == "select" for c in cs
        }
        return sorted({"subject", "at", "ended_at", *table.key, *found, *told}) if found else sorted(told)

    def shown(self, policy: Policy, audience: Audience, table: Table) -> list[str]:
        """Return what an audience may read of a table: what is shown it there, and whose each row is.

        Organizations look at what says which organization it is about. What tells rows apart may say no more.
        """
        categories = {c for sight in policy.sights if sight.audience is audience for c in sight.categories}
        found = [column.name for column in table.columns if column.category in categories]
        within = {"organization"} if audience in (Audience.ADMINISTRATORS, Audience.MEMBERS) else set()
        apart = [table.column(name).category for name in table.key if name not in {"subject", *within}]
        carried = within <= {column.name for column in table.columns}
        if not found or not carried or not all(c is None or c in categories for c in apart):
            return []
        return sorted({"subject", *within, *table.key, *found})

    def _watched(self, policy: Policy, audience: Audience) -> set[str]:
        """Return the categories that an audience is shown of anything."""
        tables = [(table, self.shown(policy, audience, table)) for table in self.catalog.stamped]
        categories = {c for sight in policy.sights if sight.audience is audience for c in sight.categories}
        return {str(t.column(n).category) for t, names in tables for n in names} & categories

    def shown_since(self, audience: Audience) -> int:
        """Return the version that somebody must have agreed to, to be shown to an audience: none since shows it more."""
        since, before = 0, None
        for policy in self.versions:
            if before is None or self._shows_more(before, policy, audience):
                since = policy.version
            before = policy
        return since

    def _shows_more(self, old: Policy, new: Policy, audience: Audience) -> bool:
        """Whether an audience is shown a category more, or what it was shown more exactly or for longer."""
        watched = self._watched(new, audience)
        if not watched <= self._watched(old, audience):
            return True
        for table in self.catalog.stamped:
            shown = {table.column(name) for name in self.shown(new, audience, table)}
            shown = {column for column in shown if column.category in watched}
            if any(self._exacter(old, new, table, column) for column in shown if not column.derived):
                return True
            if shown and self._stays_longer(old, new, table):
                return True
        return False

    def _exacter(self, old: Policy, new: Policy, table: Table, column: Column) -> bool:
        people = [occasion for occasion in table.occasions if occasion.whose is Whose.PERSON]
        before, now = (
            {self.stored(policy, table, occasion).get(column.name) for occasion in people} - {None}
            for policy in (old, new)
        )
        later = (
            each
            for each in old.coarsenings
            if column.category in each.categories
            and not all(precision and precision.within(each.precision) for precision in now)
            and not any(
                column.category in other.categories
                and other.days <= each.days
                and other.precision.within(each.precision)
                for other in new.coarsenings
            )
        )
        finer = any(not any(one and other and one.within(other) for other in before) for one in now)
        return finer or next(later, None) is not None

    def _stays_longer(self, old: Policy, new: Policy, table: Table) -> bool:
        """Whether some row of somebody who is here, consenting to one thing or to nothing, stays that would have gone."""

        def stays(policy: Policy, age: int, purpose: str) -> bool:
            found = [(each.name, use.window) for each in policy.purposes for use in self.uses(policy, each.name, table)]
            return table.inserter is not None or any(
                (window.kind is WindowKind.ACCOUNT)
                or (window.kind is WindowKind.DAYS and age < window.days)
                or (window.kind is WindowKind.CONSENTED and purpose == name)
                for name, window in found
            )

        windows = [use.window for each in new.purposes for use in self.uses(new, each.name, table)]
        ages = [10**6, *(window.days - 1 for window in windows if window.kind is WindowKind.DAYS)]
        consents = ["", *(each.name for each in new.purposes)]
        return any(stays(new, age, yes) and not stays(old, age, yes) for age in ages for yes in consents)

    def looked_at(self, audience: Audience, table: Table) -> list[Values]:
        """Return the rows that everyone signed in, or the public, is shown: of open accounts that agreed to be."""
        names, there = self.shown(self.policy, audience, table), {p.subject: p for p in self.people.values()}
        found = []
        for row in self.rows if names else []:
            person = there.get(row.subject)
            if row.table != table.name or person is None or person.ended is not None or row.subject >= LEAST:
                continue
            agreed = any(version >= self.shown_since(audience) for version in person.agreed)
            if agreed and not any(self._holds_more(row, table, column) for column in map(table.column, names)):
                found.append(self._cells(row, names))
        return found

    def _holds_more(self, row: Row, table: Table, column: Column) -> bool:
        """Whether a row still holds more of what others are shown than this version stores, or than its age lets it."""
        value = None if column.derived or column.category is None else self.cell(row, column.name)
        if value is None:
            return False
        people = [occasion for occasion in table.occasions if occasion.whose is Whose.PERSON]
        stored = [self.stored(self.policy, table, occasion).get(column.name) for occasion in people]
        exactly = {precision for precision in stored if precision is not None}
        if exactly and not any(plainly(value) == plainly(coarse(value, precision)) for precision in exactly):
            return True
        if not exactly and column.name not in table.key:
            return True
        return any(
            column.category in each.categories
            and row.at <= self.now - timedelta(days=each.days)
            and plainly(value) != plainly(coarse(value, each.precision))
            for each in self.policy.coarsenings
        )

    def stored(self, policy: Policy, table: Table, occasion: Occasion) -> dict[str, Precision]:
        """Return how exactly columns are stored on an occasion; what no use needs is not stored."""
        found: dict[str, set[Precision]] = {}
        for purpose in policy.purposes:
            for use in self.uses(policy, purpose.name, table):
                if use.occasion is occasion:
                    counted = use.precision is Precision.COUNTED
                    found.setdefault(use.category, set()).add(Precision.AS_IS if counted else use.precision)
        return {
            column.name: next(
                (p for p in found[column.category] if all(o.within(p) for o in found[column.category])), Precision.AS_IS
            )
            for column in table.columns
            if column.category in found and not column.generated and column.copies is None
        }

    # Who is in

    def opened(self, purpose: str) -> int:
        """Return the version since which a purpose may do no more than now: who agreed before did not agree to it."""
        key = (purpose, len(self.versions))
        if key not in self._known:
            self._known[key] = self._opened(purpose)
        return self._known[key]

    def _opened(self, purpose: str) -> int:
        since, before = 0, None
        for policy in self.versions:
            if purpose not in {each.name for each in policy.purposes}:
                before = None
                continue
            if before is None or self._wider(before, policy, purpose):
                since = policy.version
            before = policy
        return since

    def _wider(self, old: Policy, new: Policy, purpose: str) -> bool:
        if old.purpose(purpose).basis is not new.purpose(purpose).basis:
            return True
        if purpose in _objected(old) and purpose not in _objected(new):
            return True
        before = list(self.uses(old, purpose))
        return any(
            not any(_within(use, other) for other in before) or _finer_for_longer(old, new, use)
            for use in self.uses(new, purpose)
        )

    def floor(self) -> int:
        """Return the newest version that people must have agreed to before they are somebody to the pages."""
        key = ("", len(self.versions))
        if key not in self._known:
            self._known[key] = self._floor()
        return self._known[key]

    def _floor(self) -> int:
        newest = 0
        for index, policy in enumerate(self.versions):
            earlier = Oracle(self.catalog, self.now, self.versions[: index + 1])
            if earlier.opening() or (index and compare(self.versions[index - 1], policy).agree_again):
                newest = policy.version
        return newest

    def opening(self) -> list[str]:
        """Return, by their roles, the purposes and audiences of which nobody is part until they agree to this version."""
        now = self.policy
        found = [purpose.name for purpose in now.purposes if self.opened(purpose.name) == now.version]
        looking = (audience for audience in ROLES if self._watched(now, audience))
        return sorted([*found, *(ROLES[each] for each in looking if self.shown_since(each) == now.version)])

    def viewing(self, person: Person) -> bool:
        """Whether somebody is a viewer: they have agreed to what is needed now, and are still here."""
        return person.ended is None and max(person.agreed, default=-1) >= self.floor()

    def takes(self, person: Person, purpose: str, kind: str) -> bool:
        """Whether a choice is one that this person can make now; a no needs no agreement to what is needed now."""
        known = {each.name: each.basis for each in self.policy.purposes}
        here = person.ended is None and bool(person.agreed) if kind in NOES else self.viewing(person)
        return here and kind in CHOICES.get(known.get(purpose, Basis.AGREEMENT), ())

    def refuses(self, row: Row) -> bool:
        """Whether a row of what the intake stores cannot come in: nothing may use it, or not all of what it holds."""
        table = self.catalog.table(row.table)
        if not any(access.role == "intake" for access in table.accesses):
            return False
        person = next((each for each in self.people.values() if each.subject == row.subject), None)
        objected = _objected(self.policy) if row.objecting else set()
        used = {
            use.category
            for purpose in self.policy.purposes
            if purpose.name not in objected and (person is None or self.takes_part(purpose.name, person))
            for use in self.uses(self.policy, purpose.name, table)
            if use.occasion.whose is row.occasion.whose
        }
        told = (column for column in table.columns if column.category and column.name not in table.key)
        return not used or not {column.category for column in told if row.values.get(column.name) is not None} <= used

    def takes_part(self, purpose: str, person: Person) -> bool:
        """Whether what is held about somebody may be used for a purpose at all."""
        since = self.opened(purpose)
        if not any(version >= since for version in person.agreed):
            return False
        last = next((each for each in reversed(person.choices) if each[0] == purpose), None)
        match self.policy.purpose(purpose).basis:
            case Basis.LEGITIMATE_INTEREST:
                return last is None or last[1] != "objection"
            case Basis.CONSENT:
                return person.ended is None and last is not None and last[1] == "consent" and last[2] >= since
            case _:
                return True

    # What is answered

    def visible(self, purpose: str, table: Table) -> list[Values]:
        """Return the rows that a purpose reads, with exactly what it may know of each."""
        names, reads = self.columns(purpose, table), self.reads(purpose, table)
        seen = self._seen(purpose, table, reads)
        return [self._cells(row, names) for row in seen if not self._too_much(row, table, reads)]

    def counted(self, purpose: str, table: Table) -> list[tuple[Any, ...]]:
        """Return (day, column, value, people, rows) of what a purpose only counts."""
        counts = self.counts(purpose, table)
        names = [column.name for column in table.columns if any(_told(column, use, table) for use in counts)]
        groups: dict[tuple[Any, ...], list[UUID]] = {}
        for row in self._seen(purpose, table, counts):
            if NOBODY < row.subject < LEAST:
                told = [("", ""), *((name, written(self.cell(row, name))) for name in names)]
                for name, value in told:
                    groups.setdefault((row.at.astimezone(UTC).date(), name, value), []).append(row.subject)
        return [(*key, len(set(who)), len(who)) for key, who in groups.items() if len(set(who)) >= FEWEST]

    def held(self, person: Person, table: Table) -> list[Values]:
        """Return a person's own rows of a table, as they see them; none when they are nobody to the pages."""
        if not self.viewing(person):
            return []
        mine = [row for row in self.rows if (row.table, row.subject) == (table.name, person.subject)]
        return [self._cells(row, self.own(table)) for row in mine] if self.own(table) else []

    def spilt(self, purpose: str, table: Table) -> list[str]:
        """Return what a purpose would read of this version's rows for which no clause lets it, cell by cell.

        When a row came, is in its key, and known with it.
        """
        reads, keys = (
            self.reads(purpose, table),
            {table.column(name).category for name in table.key if name != "subject"},
        )
        names = [c for c in table.columns if c.name in self.columns(purpose, table) and c.category not in {None, *keys}]
        found = []
        for row in self._seen(purpose, table, reads):
            mine = [use for use in reads if use.occasion is row.occasion]
            known = {(c.category, str(self.cell(row, c.name))) for c in table.columns for use in mine if _shows(c, use)}
            found += [
                f"{column.name} of {row}"
                for column in names
                if row.version == self.policy.version
                and self.cell(row, column.name) is not None
                and (column.category, str(self.cell(row, column.name))) not in known
            ]
        return found

    def _seen(self, purpose: str, table: Table, uses: list[Used]) -> Iterator[Row]:
        there = {person.subject: person for person in self.people.values()}
        for row in self.rows:
            mine = [use for use in uses if use.occasion is row.occasion]
            if row.table != table.name or not mine or (row.objecting and purpose in _objected(self.policy)):
                continue
            person = there.get(row.subject)
            inside = self.takes_part(purpose, person) if person else row.version >= self.opened(purpose)
            lasting = any(lasts(use.window, row.at, person.ended if person else None, self.now) for use in mine)
            if inside and lasting and not self._too_fine(row, table, uses):
                yield row

    def _too_fine(self, row: Row, table: Table, uses: list[Used]) -> bool:
        """Whether a row still holds what should be coarser by now, and would show it."""
        for coarsening in self.policy.coarsenings:
            for column in table.columns:
                if column.category in coarsening.categories and not column.generated:
                    finer = any(
                        _told(other, use, table) and not other.precision.within(coarsening.precision)
                        for use in uses
                        for other in table.columns
                        if other.category == column.category
                    )
                    value = self.cell(row, column.name)
                    old = row.at <= self.now - timedelta(days=coarsening.days)
                    if finer and old and value != coarse(value, coarsening.precision):
                        return True
        return False

    def _too_much(self, row: Row, table: Table, reads: list[Used]) -> bool:
        """Whether a row of an earlier version still holds what may be known only of rows of another occasion.

        When a row came, is in its key, and known with it.
        """
        for column in table.columns:
            same = [use for use in reads if use.category == column.category]
            mine = [use for use in same if use.occasion is row.occasion]
            shown = [c for c in table.columns if c.category == column.category and any(_shows(c, use) for use in same)]
            value = self.cell(row, column.name) if column.category and not column.generated else None
            if value is None or all(any(_shows(c, use) for use in mine) for c in shown):
                continue
            if mine and all(plainly(value) != plainly(coarse(value, use.precision)) for use in mine):
                return True
            if not mine and column.name not in table.key:
                return True
        return False

    def _cells(self, row: Row, names: list[str]) -> Values:
        return {name: self.cell(row, name) for name in names}

    def cell(self, row: Row, name: str) -> Any:
        """Return what a column of a row holds."""
        if name in ("subject", "at"):
            return getattr(row, name)
        if name == "ended_at":
            return next((p.ended for p in self.people.values() if p.subject == row.subject), None)
        column = self.catalog.table(row.table).column(name)
        if not column.generated:
            return row.values.get(name)
        base = next(
            c for c in self.catalog.table(row.table).columns if c.category == column.category and not c.generated
        )
        return made(self.cell(row, base.name), column.precision)

    # What time does

    def sweep(self) -> None:
        """Let go what no use lasts of, and make coarse what is due."""
        there = {person.subject: person for person in self.people.values()}
        self.rows = [row for row in self.rows if self._lasts(row, there.get(row.subject)) and self._bound(row, there)]
        for row in self.rows:
            for coarsening in self.policy.coarsenings:
                for column in self.catalog.table(row.table).columns:
                    if column.category in coarsening.categories and not column.generated:
                        self._coarsen(row, column.name, coarsening.precision, coarsening.days)

    def _lasts(self, row: Row, person: Person | None) -> bool:
        table = self.catalog.table(row.table)
        found = [(p.name, use) for p in self.policy.purposes for use in self.uses(self.policy, p.name, table)]
        ended = person.ended if person else None
        if table.inserter and not ended:
            return True  # the record of what somebody agreed to and chose stays, whatever the windows say
        return any(
            lasts(use.window, row.at, ended, self.now)
            and (use.window.kind is not WindowKind.CONSENTED or (person is not None and self.takes_part(name, person)))
            for name, use in found
        )

    def _bound(self, row: Row, there: dict[UUID, Person]) -> bool:
        """Whether a row may stay by what its person agreed to last, whatever the version in force says.

        What lasted while they consented lasts while they do, to that purpose in whichever version; of agreeing to nothing
        nothing follows.
        """
        person, table = there.get(row.subject), self.catalog.table(row.table)
        if person is None or not person.agreed or (table.inserter and person.ended is None):
            return True
        agreed = next(policy for policy in self.versions if policy.version == max(person.agreed))
        found = ((each.name, use) for each in agreed.purposes for use in self.uses(agreed, each.name, table))
        last = {purpose: kind for purpose, kind, _ in person.choices}
        return any(
            lasts(use.window, row.at, person.ended, self.now)
            and (use.window.kind is not WindowKind.CONSENTED or last.get(name) == "consent")
            for name, use in found
        )

    def _coarsen(self, row: Row, name: str, precision: Precision, days: int) -> None:
        if row.at <= self.now - timedelta(days=days):
            value = coarse(self.cell(row, name), precision)
            if name == "at":
                row.at = value
            else:
                row.values[name] = value


def lasts(window: Window, at: datetime, ended: datetime | None, now: datetime) -> bool:
    """Whether a use still lasts."""
    match window.kind:
        case WindowKind.DAYS:
            return at > now - timedelta(days=window.days)
        case WindowKind.ACCOUNT:
            return ended is None or ended > now - timedelta(days=window.days)
        case WindowKind.CONSENTED:
            return ended is None


def made(value: Any, precision: Precision) -> Any:
    """Return what a column beside it holds of a value."""
    if value is None:
        return None
    match precision:
        case Precision.NETWORK:
            return ip_network((ip_address(str(value).partition("/")[0]), 24 if "." in str(value) else 48), strict=False)
        case Precision.HASHED:
            return sha256(value.bytes).digest()
        case Precision.DAY:
            return value.astimezone(UTC).date()
        case _:
            return value.astimezone(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None)


def coarse(value: Any, precision: Precision) -> Any:
    """Return what a value itself becomes where it is made coarser."""
    if value is None or precision is Precision.AS_IS:
        return value
    if precision is Precision.NETWORK:
        return str(made(value, precision))
    hour = value.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour if precision is Precision.HOUR else hour.replace(hour=0)


def plainly(value: Any) -> Any:
    """Return a value so that a network compares as what it is, however it is written."""
    return value if isinstance(value, datetime) else str(value)


def written(value: Any) -> str:
    """Return how a value is written where it is counted."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S+00")
    try:
        return str(ip_interface(value)) if isinstance(value, str) else str(value)
    except ValueError:
        return str(value)


def _objected(policy: Policy) -> set[str]:
    """Return the purposes to which a browser that says so objects."""
    return {name for each in policy.honoured for name in each.purposes}


def _shows(column: Column, use: Used) -> bool:
    return column.copies is None and column.category == use.category and column.precision.within(use.precision)


def _told(column: Column, use: Used, table: Table) -> bool:
    if use.precision is not Precision.COUNTED:
        return _shows(column, use)
    return column.category == use.category and column.precision is Precision.AS_IS and column.name not in table.key


def _within(use: Used, other: Used) -> bool:
    same = (use.category, use.occasion) == (other.category, other.occasion)
    return same and use.precision.within(other.precision) and use.window.within(other.window)


def _finer_for_longer(old: Policy, new: Policy, use: Used) -> bool:
    """Whether a value that is used so would have become coarser before, and now does later, less so, or never."""
    return any(
        use.category in before.categories
        and (use.precision is Precision.COUNTED or not use.precision.within(before.precision))
        and not (use.window.kind is WindowKind.DAYS and use.window.days <= before.days)
        and not any(
            use.category in now.categories and now.days <= before.days and now.precision.within(before.precision)
            for now in new.coarsenings
        )
        for before in old.coarsenings
    )
