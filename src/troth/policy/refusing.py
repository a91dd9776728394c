"""What the database refuses of a batch that the intake stores: the last judge, behind its decision table.

A row is refused when whose it is is in no purpose that may use anything of it, or when a column of it holds what no
purpose that they are in may use. One that came through an application says something of a person who uses it: it is
refused as well when they do not, or have no account any more; and of a browser that is known without one, when the
application does not know it, or it is tied to an account. In a purpose to which a browser's signal objects nobody
is with a row that is marked so.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from troth.policy.catalog import Table
from troth.policy.meaning import Whose
from troth.policy.planned import Plan
from troth.policy.quoting import literal, quoted
from troth.policy.subjects import of

#: SQLSTATE of a row about somebody who is in no purpose for it, and about somebody who does not use the application.
DECLINED, UNUSED = "TR070", "TR071"
#: The role that stores what was captured a while ago, when other things may have been permitted.
INTAKE = "intake"


def judged(table: Table) -> bool:
    """Whether rows of a table are: it is the intake that fills it."""
    return any(access.role == INTAKE for access in table.accesses)


def declined(plan: Plan, table: Table, bits: Mapping[str, int]) -> str:
    """Return the condition that a row `fresh` is refused, of whose subject `permitted` says `truth`."""
    kinds = [kind for kind in (Whose.NOBODY, Whose.IDENTIFIER, Whose.PERSON) if kind in table.whose]
    parts = {kind: " OR ".join(_unused(plan, table, kind, bits)) for kind in kinds}
    last = parts.pop(kinds[-1])
    if not parts:
        return last
    cases = " ".join(f"WHEN fresh.{of(kind)} THEN {part}" for kind, part in parts.items())
    return f"CASE {cases} ELSE {last} END"


def refusing(table: Table) -> str:
    """Return the statements that refuse a batch, to stand behind the locks on the buckets of its people."""
    return f"""    IF declined THEN
        RAISE EXCEPTION 'somebody is in no purpose that may use this' USING ERRCODE = '{DECLINED}';
    END IF;
{_through(table) if table.through else ""}"""


def _through(table: Table) -> str:
    lets = _grant(table)
    if table.unknown:
        knows = f"troth.application_knows(fresh.subject, fresh.{quoted(table.through)}, {literal(table.name)})"
        lets = f"CASE WHEN fresh.{of(Whose.IDENTIFIER)} THEN nullif({knows}, false) ELSE {lets} END"
    return f"""    IF EXISTS (
        SELECT FROM (SELECT DISTINCT subject, {quoted(table.through)} FROM fresh) AS fresh
        WHERE {lets} IS NULL
    ) THEN
        RAISE EXCEPTION 'somebody does not use the application that sent this' USING ERRCODE = '{UNUSED}';
    END IF;
"""


def _grant(table: Table) -> str:
    return f"""(  -- looked up one by one: as a join, it is planned as if the batch met every grant there is
            SELECT true FROM troth.application_grant AS given
            JOIN troth.application AS known ON known.application = given.application AND known.removed_at IS NULL
            JOIN troth.subject AS person ON person.subject = given.subject AND person.ended_at IS NULL
            WHERE given.subject = fresh.subject AND given.application = fresh.{quoted(table.through)}
              AND given.until IS NULL AND coalesce(given.expires_at > statement_timestamp(), true)
              AND {literal(table.name)} = ANY (known.events) LIMIT 1
        )"""


def _unused(plan: Plan, table: Table, whose: Whose, bits: Mapping[str, int]) -> Iterator[str]:
    """Yield that somebody is in no purpose of the table's, and of each column that holds something, in none of its."""
    using: dict[str, frozenset[str]] = {}
    for column in table.columns:
        if column.category and not column.derived:
            using[column.name] = frozenset(
                unit.purpose
                for unit in plan.units
                for atom in unit.atoms
                if atom.category == column.category
                and atom.occasion in table.occasions
                and atom.occasion.whose is whose
            )
    every = frozenset().union(*using.values())
    yield _outside(plan, every, bits)
    alike: dict[frozenset[str], list[str]] = defaultdict(list)
    for name, purposes in using.items():
        if name not in table.key and purposes != every:
            alike[purposes].append(name)
    for purposes, names in alike.items():
        held = " OR ".join(f"fresh.{quoted(name)} IS NOT NULL" for name in names)
        yield f"({_outside(plan, purposes, bits)} AND ({held}))"


def _outside(plan: Plan, purposes: frozenset[str], bits: Mapping[str, int]) -> str:
    outside = f"coalesce(truth.uses, 0) & {_stamp(purposes, bits)} = 0"
    left = purposes.difference(plan.signalled)
    if left == purposes:
        return outside
    return f"({outside} OR (fresh.uses < 0 AND coalesce(truth.uses, 0) & {_stamp(left, bits)} = 0))"


def _stamp(purposes: frozenset[str], bits: Mapping[str, int]) -> str:
    return f"{sum(1 << bits[purpose] for purpose in purposes)}::bigint"
