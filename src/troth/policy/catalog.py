"""What the governed tables are: columns with their categories, and what the built-in roles may do with them."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from troth.policy.meaning import Condition, Occasion, Precision, Right, Verb, Whose


class Rows(StrEnum):
    """Which rows of a governed table a built-in role's privilege reaches."""

    ALL = "all"  # machine roles that act before there is a viewer
    OWN = "own"  # the viewer's, proven by the request token
    SHARED = "shared"  # of organizations that the viewer is in
    ADMINISTERED = "administered"  # of organizations whose members the viewer sees as an administrator
    COLLECTED = "collected"  # inserts that the policy's collections cover
    COVERED = "covered"  # the same for a function that always names every column: what is not collected must be empty
    SUPPLIED = "supplied"  # of the organization whose directory's token the transaction carries


@dataclass(frozen=True, slots=True)
class Column:
    """A column: of a category (perhaps at a precision), or with the reason why it is not personal.

    What a `credential` holds lets somebody in, so that no export hands it out. A column that `copies` another, written
    `table.column`, is kept the same as it by the database, for the row's subject: the other is what is collected.
    What a `credential` holds lets somebody in, so that no export hands it out. A column that was declared at run time
    has a `type` (`declaring.Type`), the most characters it holds, the words of a choice, and the verbs that its holder
    gives people: None is whatever the policy lets them. `held` names who writes it, where that is not the person.
    What is `large` is read by itself alone: no list takes it along.
    """

    name: str
    category: str | None = None
    precision: Precision = Precision.AS_IS
    reason: str | None = None
    generated: bool = False
    credential: bool = False
    copies: str | None = None

    @property
    def derived(self) -> bool:
        """Whether the database makes the value, so that nobody writes it."""
        return self.generated or self.copies is not None

    type: str = ""
    longest: int = 0
    choices: tuple[str, ...] = ()
    may: tuple[Verb, ...] | None = None
    held: str = ""
    large: bool = False

    def given(self, right: Right, verb: Verb) -> bool:
        """Whether a right reaches the column: one within assigned permissions only as far as they were assigned."""
        return right.condition is not Condition.ASSIGNED or self.may is None or verb in self.may


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose rows without `subject` are: `column` names a `key` of `table`, whose rows are somebody's.

    With a `field`, the column is a signed text of the sign-in library, and the field's value inside it is meant: a path
    of names joined by dots, `*` for any value at all; `base` is that of a whole number written as text.
    """

    column: str
    table: str
    key: str
    field: str = ""
    base: int = 10


@dataclass(frozen=True, slots=True)
class Access:
    """What one built-in role may do with a table: privilege -> columns (empty tuple: the whole table)."""

    role: str
    rows: Rows
    privileges: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Trigger:
    """What is done after each row that an event changed, whoever changed it; `after` is as SQL says the event."""

    name: str
    after: str
    function: str
    when: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of schema `troth`.

    `stamped` tables carry `subject`, `at`, `ended_at` and `uses`; purposes can read no others. `bound` tables hold
    rows of subjects, so that row security is forced on them. `inserter` names the built-in role that alone inserts,
    where its functions stamp the rows themselves; elsewhere a statement trigger does. `owners` say whose the rows are
    where there is no `subject`; one that leads to somebody is enough. `parties` are columns that name somebody else
    whose the rows are, too: both see them, and they go with either.
    A `declared` table was made at run time. Of a `directed` one an organization's directory sees what its
    administrators are shown; where its rows are one for each person, both reach those of members. One that `wants`
    another has the columns of it that were declared and somebody holds, for what people want in them; one that
    `supplies` another has them for what a directory says of whoever has not joined. Rows of a `fleeting` one let
    somebody in for a while: no backup holds them, so that none opens anything again. Rows of one that came
    `through` an application, which that column names, are of people who use it, and of no others. In one for the
    `unknown` anonymous identifiers may have rows; in any other bound table only people have. Of a
    `posted` one its person chose for each row the `audience` that may read it, and of which organization.
    """

    name: str
    room: str
    columns: tuple[Column, ...]
    accesses: tuple[Access, ...] = ()
    key: tuple[str, ...] = ()
    stamped: bool = False
    bound: bool = False
    partitioned: bool = False
    inserter: str | None = None
    occasions: tuple[Occasion, ...] = ()
    owners: tuple[Owner, ...] = ()
    declared: bool = False
    triggers: tuple[Trigger, ...] = ()
    parties: tuple[str, ...] = ()
    directed: bool = False
    wants: str = ""
    supplies: str = ""
    fleeting: bool = False
    through: str = ""
    unknown: bool = False
    posted: bool = False

    @property
    def personal(self) -> bool:
        """Whether some column holds a category."""
        return any(column.category for column in self.columns)

    @property
    def records(self) -> bool:
        """Whether each row is something that happened at some moment, by itself."""
        return self.stamped and {"at", "id"} <= set(self.key)

    @property
    def whose(self) -> frozenset[Whose]:
        """Whose rows its occasions make."""
        return frozenset(occasion.whose for occasion in self.occasions)

    @property
    def by_subject(self) -> bool:
        """Whether each row names its subject itself."""
        return (self.bound or self.personal) and any(column.name == "subject" for column in self.columns)

    def of(self, who: str) -> str:
        """Return the condition that a row is somebody's, who is named by an expression."""
        return " OR ".join(f"{column} = {who}" for column in ("subject", *self.parties))

    def column(self, name: str) -> Column:
        """Return the named column. Raises KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def held(self, category: str, precision: Precision) -> Column | None:
        """Return the column that holds a category at a precision, if there is one."""
        for column in self.columns:
            if column.category == category and column.precision is precision:
                return column
        return None


@dataclass(frozen=True, slots=True)
class Function:
    """A function of schema `troth`: its argument types, the NOLOGIN twin that owns it, who may execute it."""

    name: str
    arguments: str
    owner: str
    executors: tuple[str, ...]
    sql: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """All tables and functions of the house."""

    tables: tuple[Table, ...]
    functions: tuple[Function, ...] = ()

    def __iter__(self) -> Iterator[Table]:
        """Yield each table."""
        return iter(self.tables)

    def table(self, name: str) -> Table:
        """Return the named table. Raises KeyError when there is none."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    @property
    def stamped(self) -> tuple[Table, ...]:
        """The tables whose rows say what they may be used for."""
        return tuple(table for table in self.tables if table.stamped)

    @property
    def copied(self) -> Iterator[tuple[Table, Column, Table, Column]]:
        """Yield each column that is kept the same as another: its table, itself, the other's table, the other."""
        for table in self.tables:
            for column in table.columns:
                if column.copies is not None and not column.generated:
                    name, _, other = column.copies.partition(".")
                    yield table, column, self.table(name), self.table(name).column(other)

    @property
    def categories(self) -> frozenset[str]:
        """Every category that some column holds."""
        return frozenset(c.category for table in self.tables for c in table.columns if c.category)
