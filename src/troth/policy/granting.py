"""What people let chosen others see: for each category a function that shows it, of whoever granted it to the viewer.

Row rules know rows and column grants know columns, and a grant is of both: these rows, but of them this column alone.
So the role `chosen` reads no table. It calls a function for each category, and the twin that owns these may read just
what the policy shows to chosen people.
"""

from collections.abc import Iterator
from itertools import product

from troth.policy.audiences import CHOSEN
from troth.policy.catalog import Catalog, Function, Table
from troth.policy.meaning import Audience, Policy
from troth.policy.planned import Grantable, Plan
from troth.policy.quoting import literal, quoted
from troth.policy.routines import SECURE

TWIN = "presenter"
NAME = "person.name"


def grantable(policy: Policy, catalog: Catalog) -> tuple[Grantable, ...]:
    """Return what people may let chosen others see: what the policy shows to them, or lets be posted to them."""
    shown = [(sight.categories, sight.clause.name) for sight in policy.sights if sight.audience is Audience.CHOSEN]
    shown += [(p.categories, p.clause.name) for p in policy.postings if Audience.CHOSEN in p.audiences]
    clauses = {category: clause for categories, clause in reversed(shown) for category in categories}
    held = product(sorted(clauses.items()), catalog.stamped)
    return tuple(sorted(each for (category, clause), table in held for each in _held(category, clause, table)))


def _held(category: str, clause: str, table: Table) -> Iterator[Grantable]:
    columns = tuple(c.name for c in table.columns if c.category == category and c.copies is None)
    if columns:
        # A key that says more than the category stays away, and its rows are not told apart by it.
        key = dict.fromkeys((*table.key, "at"))
        apart = tuple(n for n in key if n not in ("subject", *columns) and table.column(n).category is None)
        record = next((name for name in table.key if name not in ("subject", "at")), "")
        yield Grantable(category, table.name, columns, apart, record, clause)


def functions(plan: Plan, catalog: Catalog) -> Iterator[Function]:
    """Yield them, and what others ask: which category is shown to whom by which clause, and what somebody is called."""
    for each in plan.grantable:
        yield Function(each.name, "", TWIN, (CHOSEN,), _show(each))
    yield Function("sights", "", TWIN, ("self", "stamper"), _sights(plan, catalog))
    yield Function("name_for_chosen", "uuid", TWIN, ("stamper",), _name(plan))


def columns_read(grantable: Grantable) -> tuple[str, ...]:
    """Return what the twin must be able to read."""
    record = (grantable.record,) if grantable.record else ()
    return tuple(dict.fromkeys(("subject", *grantable.apart, *grantable.columns, *record)))


def _show(each: Grantable) -> str:
    columns = ("subject", *each.apart, *each.columns)
    types = ", ".join(f"{quoted(c)} troth.{quoted(each.table)}.{quoted(c)}%TYPE" for c in columns)
    listed = ", ".join(f"shown.{quoted(c)}" for c in columns)
    alone = (
        f" AND (given.records IS NULL OR shown.{quoted(each.record)}::text = ANY (given.records))"
        if each.record
        else ""
    )
    # What tells no record from another is granted whole or not at all.
    alone = alone or " AND given.records IS NULL"
    found = f"FROM troth.granted({literal(each.category)}) AS given"
    found += f" JOIN troth.{quoted(each.table)} AS shown ON shown.subject = given.giver{alone}"
    return f"""CREATE OR REPLACE FUNCTION troth.{quoted(each.name)}() RETURNS TABLE ({types})
LANGUAGE sql VOLATILE {SECURE} AS $$ SELECT {listed} {found} $$"""


def _sights(plan: Plan, catalog: Catalog) -> str:
    own = {
        (column.category, own.clause) for own in plan.own for column in [catalog.table(own.table).column(own.column)]
    }
    found = {("self", category): clause for category, clause in sorted(own, reverse=True, key=str) if category}
    found |= {(CHOSEN, each.category): each.clause for each in plan.grantable}
    rows = ", ".join(
        f"({literal(via)}, {literal(category)}, {literal(clause)})" for (via, category), clause in sorted(found.items())
    )
    values = f"VALUES {rows}" if rows else "SELECT ''::text, ''::text, ''::text WHERE false"
    return f"""CREATE OR REPLACE FUNCTION troth.sights() RETURNS TABLE (via text, category text, clause text)
LANGUAGE sql STABLE {SECURE} AS $$ {values} $$"""


def _name(plan: Plan) -> str:
    shown = next((e for e in plan.grantable if e.category == NAME and e.table == "person"), None)
    asked = "SELECT name FROM troth.person WHERE subject = whose" if shown else "SELECT NULL::text"
    return f"""CREATE OR REPLACE FUNCTION troth.name_for_chosen(whose uuid) RETURNS text
LANGUAGE sql STABLE {SECURE} AS $$ {asked} $$"""
