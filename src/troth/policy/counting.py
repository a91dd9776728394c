"""What a purpose knows only as numbers: a function that counts for it, and the view through which it asks."""

from collections.abc import Iterator

from troth.policy.catalog import Function
from troth.policy.meaning import Whose
from troth.policy.planned import Counted, Plan
from troth.policy.routines import SECURE
from troth.policy.subjects import of

#: Fewer people than this are not counted out: a number of one or two is a person.
FEWEST = 5


def counters(plan: Plan, rules: dict[Counted, str]) -> Iterator[Function]:
    """Yield the counting functions; `rules` are the row rules of each purpose."""
    for counted in plan.counted:
        yield Function(name_of(counted), "", "counter", (counted.purpose,), _count(counted, rules[counted]))


def name_of(counted: Counted) -> str:
    """Return the name of the function that counts."""
    return f"count_{counted.purpose}_{counted.table}"


def view_query(counted: Counted) -> str:
    """Return what the view selects."""
    return f'SELECT * FROM troth."{name_of(counted)}"()'


def columns_read(counted: Counted) -> tuple[str, ...]:
    """Return what the counter must be able to read."""
    return tuple(dict.fromkeys(("subject", "at", "ended_at", "uses", *counted.columns)))


def _count(counted: Counted, rule: str) -> str:
    # Only people are counted: what visitors leave belongs to nobody, and would count as one.
    seen = f"SELECT * FROM troth.{counted.table} WHERE {rule} AND {of(Whose.PERSON)}"
    kinds = [
        ("''::text", "''::text"),
        *((f"'{column}'::text", f"coalesce(\"{column}\"::text, '')") for column in counted.columns),
    ]
    needed = ", ".join(f'"{column}"' for column in columns_read(counted))
    counts = " UNION ALL ".join(
        f"SELECT (at AT TIME ZONE 'UTC')::date, {name}, {value}, count(DISTINCT subject), count(*)"
        f" FROM seen GROUP BY 1, 3 HAVING count(DISTINCT subject) >= {FEWEST}"
        for name, value in kinds
    )
    return f"""CREATE OR REPLACE FUNCTION troth."{name_of(counted)}"()
RETURNS TABLE (day date, "column" text, value text, people bigint, rows bigint)
LANGUAGE sql STABLE {SECURE} AS $$ WITH seen AS ({seen.replace("SELECT *", f"SELECT {needed}")}) {counts} $$"""
