"""What a policy compiles to, before it becomes SQL: readings, rows, what people do with their own, what is kept."""

from dataclasses import dataclass

from troth.policy.meaning import Audience, Basis, Occasion, Precision, Window


@dataclass(frozen=True, slots=True, order=True)
class Atom:
    """One thing a purpose may do: use a category, collected on an occasion, at a precision, for a window."""

    category: str
    occasion: Occasion
    precision: Precision
    window: Window


@dataclass(frozen=True, slots=True)
class Unit:
    """What a person can be in or out of. `visits`: whether it also uses what visitors leave."""

    purpose: str
    basis: Basis
    atoms: frozenset[Atom]

    @property
    def visits(self) -> bool:
        """Whether rows of nobody (visitors) are in this unit."""
        return any(atom.occasion is Occasion.VISIT for atom in self.atoms)


@dataclass(frozen=True, slots=True, order=True)
class Reading:
    """A column that a purpose may read, and the clause that says so."""

    purpose: str
    table: str
    column: str
    clause: str


@dataclass(frozen=True, slots=True, order=True)
class Withheld:
    """A column that a purpose may not read, why, and the clause that comes nearest."""

    purpose: str
    table: str
    column: str
    category: str
    reason: str
    clause: str


@dataclass(frozen=True, slots=True, order=True)
class Rows:
    """Which rows of a table a purpose may read: those stamped for it, within the window."""

    purpose: str
    table: str
    window: Window


@dataclass(frozen=True, slots=True, order=True)
class Own:
    """What a viewer may do with a column of their own rows: `select`, `update`, or `delete`, which empties it.

    `remove`: the column goes with its row, where every other that is collected goes with it too.
    """

    table: str
    column: str
    privilege: str
    clause: str


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """A column that an audience's role may read, and the clause that shows it; no category tells rows apart only."""

    role: str
    table: str
    column: str
    category: str
    clause: str


@dataclass(frozen=True, slots=True, order=True)
class Unseen:
    """What the policy shows to an audience and no table can: nobody of it is shown anything of that."""

    category: str
    audience: Audience
    clause: str


@dataclass(frozen=True, slots=True, order=True)
class Grantable:
    """A category that people may let chosen others see, the columns of a table that show it, and the clause.

    `apart` are columns of the key that tell its rows apart without saying more; `record` names one.
    """

    category: str
    table: str
    columns: tuple[str, ...]
    apart: tuple[str, ...]
    record: str
    clause: str

    @property
    def name(self) -> str:
        """Return the name of the function that shows it."""
        head, _, rest = self.category.partition(".")
        what = rest if head == self.table else self.category
        return f"chosen_{self.table}_{what}".replace(".", "_")


@dataclass(frozen=True, slots=True, order=True)
class Collected:
    """A column that is stored on an occasion, at the finest precision that some use needs."""

    occasion: Occasion
    table: str
    column: str
    precision: Precision
    clause: str


@dataclass(frozen=True, slots=True, order=True)
class Retention:
    """How long rows of a table stay: the longest of `days` since the row and `after_end` days since the account's end.

    None means that no use has a window of that kind; `consented` names the purposes whose use lasts while consented.
    Where there is nothing of all this no clause collects into the table any more, and no row stays.
    """

    table: str
    days: int | None
    after_end: int | None
    consented: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Counted:
    """What a purpose may know of a table's rows only as numbers: for each value of these columns, how many people."""

    purpose: str
    table: str
    columns: tuple[str, ...]
    window: Window
    clause: str


@dataclass(frozen=True, slots=True, order=True)
class Coarsening:
    """A column whose values become coarser in place, `days` after their row."""

    table: str
    column: str
    precision: Precision
    days: int
    clause: str
    category: str


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """A column that a person's organization holds: its administrators write it, who are shown its category.

    `wanted`: it holds what people want in such a column instead; `supplied`: what a directory says, until they join.
    """

    table: str
    column: str
    stored: str
    clause: str
    wanted: bool = False
    supplied: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Emptied:
    """A column of a category that no clause collects into its table any more: the values that are left go."""

    table: str
    column: str


@dataclass(frozen=True, slots=True, order=True)
class Unheld:
    """What the policy lets be collected and no table holds: nothing of it can be kept."""

    category: str
    occasion: Occasion
    clause: str


@dataclass(frozen=True, slots=True, order=True)
class Identifying:
    """A column that tells who somebody is, and the clause by which only that person opens it to anybody who looks."""

    table: str
    column: str
    category: str
    clause: str


@dataclass(frozen=True, slots=True, order=True)
class Apart:
    """A column that holds something sensitive, and the clause by which it stays empty of whoever is not known."""

    table: str
    column: str
    category: str
    clause: str


@dataclass(frozen=True, slots=True, order=True)
class Posted:
    """An audience to which people may post rows of a table, and the clause that lets them."""

    table: str
    audience: Audience
    clause: str


@dataclass(frozen=True, slots=True, order=True)
class Authored:
    """A table of which an audience's role is shown the rows of those alone who posted something to that audience."""

    role: str
    table: str
    audience: Audience


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a policy version compiles to, before it becomes SQL.

    `signalled` are the purposes that use no row of a browser whose signal objects. `tying` is the clause that lets
    people tie what an anonymous identifier left to their account; empty where none does.
    """

    policy: str
    version: int
    digest: str
    units: tuple[Unit, ...]
    readings: tuple[Reading, ...]
    withheld: tuple[Withheld, ...]
    rows: tuple[Rows, ...]
    own: tuple[Own, ...]
    collected: tuple[Collected, ...]
    retention: tuple[Retention, ...]
    counted: tuple[Counted, ...] = ()
    coarsenings: tuple[Coarsening, ...] = ()
    unheld: tuple[Unheld, ...] = ()
    emptied: tuple[Emptied, ...] = ()
    held: tuple[Held, ...] = ()
    seen: tuple[Seen, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    identifying: tuple[Identifying, ...] = ()
    duties: tuple[str, ...] = ()
    grantable: tuple[Grantable, ...] = ()
    signalled: tuple[str, ...] = ()
    apart: tuple[Apart, ...] = ()
    tying: str = ""
    posted: tuple[Posted, ...] = ()
    authored: tuple[Authored, ...] = ()

    def analysed(self, purpose: str) -> tuple[Reading, ...]:
        """Return what an analyst of a purpose may read: what the purpose may, less what tells who somebody is."""
        names = {(each.table, each.column) for each in self.identifying}
        return tuple(r for r in self.readings if r.purpose == purpose and (r.table, r.column) not in names)

    def removable(self, table: str) -> str:
        """Return the clause by which people delete single rows of a table; empty where they may not."""
        removed = {each.column: each.clause for each in self.own if (each.table, each.privilege) == (table, "remove")}
        collected = {each.column for each in self.collected if each.table == table}
        return min(removed.values()) if removed and collected <= removed.keys() else ""

    def postable(self, table: str) -> tuple[Audience, ...]:
        """Return to whom people may post rows of a table, from the fewest to all."""
        found = {each.audience for each in self.posted if each.table == table}
        return tuple(each for each in Audience if each in found)

    @property
    def kept_on_identifier(self) -> bool:
        """Whether browsers may be known at all: some table holds their identifier."""
        return any(each.occasion is Occasion.COOKIE and each.table == "identifier" for each in self.collected)

    @property
    def audiences(self) -> tuple[str, ...]:
        """The roles of the audiences that are shown something: each is a unit, which a wider sight opens anew."""
        return tuple(sorted({each.role for each in self.seen}))

    def looking(self, table: str) -> frozenset[str]:
        """Return the roles of the audiences that are shown something of a table."""
        return frozenset(each.role for each in self.seen if each.table == table)

    def shown_to(self, role: str) -> frozenset[str]:
        """Return the categories that an audience's role is shown."""
        return frozenset(each.category for each in self.seen if each.role == role and each.category)

    def kept_on(self, occasion: Occasion, table: str) -> dict[str, Precision]:
        """Return column -> precision of what is stored in a table on an occasion; empty when nothing is."""
        return {c.column: c.precision for c in self.collected if (c.occasion, c.table) == (occasion, table)}

    def longest(self, table: str) -> Retention:
        """Return the retention of a table. Raises KeyError for a table that is not stamped."""
        for retention in self.retention:
            if retention.table == table:
                return retention
        raise KeyError(table)
