"""What the database refuses of a batch that an application sent: the last judge, behind the intake's decision table.

A row that came through an application says something of a person who uses it. It is refused when its person is in no
purpose that may use anything of it, when a column of it holds what no purpose that they are in may use, or when they do
not use the application, or have no account any more. In a purpose
to which a browser's signal objects nobody is with a row that is marked so.
"""

from collections import defaultdict
from collections.abc import Iterator

from troth.policy.catalog import Table
from troth.policy.planned import Plan
from troth.policy.quoting import literal, quoted

#: SQLSTATE of a row about somebody who is in no purpose for it, and about somebody who does not use the application.
DECLINED, UNUSED = "TR070", "TR071"


def refusing(plan: Plan, table: Table) -> str:
    """Return the statements that refuse a batch, to stand behind the locks on the buckets of its people."""
    judged = " OR ".join(_unused(plan, table))
    return f"""    IF EXISTS (
        SELECT FROM fresh LEFT JOIN troth.permitted AS truth ON truth.subject = fresh.subject
        WHERE {judged}
    ) THEN
        RAISE EXCEPTION 'somebody is in no purpose that may use this' USING ERRCODE = '{DECLINED}';
    END IF;
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT subject, {quoted(table.through)} FROM fresh) AS fresh
        WHERE (  -- looked up one by one: as a join, it is planned as if the batch met every grant there is
            SELECT true FROM troth.application_grant AS given
            JOIN troth.application AS known ON known.application = given.application AND known.removed_at IS NULL
            JOIN troth.subject AS person ON person.subject = given.subject AND person.ended_at IS NULL
            WHERE given.subject = fresh.subject AND given.application = fresh.{quoted(table.through)}
              AND given.until IS NULL AND {literal(table.name)} = ANY (known.events) LIMIT 1
        ) IS NULL
    ) THEN
        RAISE EXCEPTION 'somebody does not use the application that sent this' USING ERRCODE = '{UNUSED}';
    END IF;
"""


def _unused(plan: Plan, table: Table) -> Iterator[str]:
    """Yield that a person is in no purpose of the table's, and of each column that holds something, in none of its."""
    using: dict[str, frozenset[str]] = {}
    for column in table.columns:
        if column.category and not column.derived:
            using[column.name] = frozenset(
                unit.purpose
                for unit in plan.units
                for atom in unit.atoms
                if atom.category == column.category and atom.occasion in table.occasions
            )
    yield _outside(plan, frozenset().union(*using.values()))
    alike: dict[frozenset[str], list[str]] = defaultdict(list)
    for name, purposes in using.items():
        if name not in table.key:
            alike[purposes].append(name)
    for purposes, names in alike.items():
        held = " OR ".join(f"fresh.{quoted(name)} IS NOT NULL" for name in names)
        yield f"({_outside(plan, purposes)} AND ({held}))"


def _outside(plan: Plan, purposes: frozenset[str]) -> str:
    outside = f"coalesce(truth.uses, 0) & {_bits(purposes)} = 0"
    left = purposes.difference(plan.signalled)
    if left == purposes:
        return outside
    return f"({outside} OR (fresh.uses < 0 AND coalesce(truth.uses, 0) & {_bits(left)} = 0))"


def _bits(purposes: frozenset[str]) -> str:
    names = ", ".join(literal(purpose) for purpose in sorted(purposes))
    bits = "(SELECT coalesce(bit_or(1::bigint << u.bit), 0) FROM troth.unit AS u"
    return bits + f" WHERE u.retired_at IS NULL AND u.purpose = ANY (ARRAY[{names}]::text []))"
