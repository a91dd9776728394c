"""What a viewer's statements read: of each table the columns that the policy shows, and nothing in place of others."""

import re

from troth.policy.catalog import Catalog, Table
from troth.policy.planned import Plan

READ = re.compile(r"\bFROM troth\.([a-z_]+)")
#: What no viewer ever reads of a stamped row.
HIDDEN = "uses"


def narrowed(statement: str, plan: Plan, catalog: Catalog) -> str:
    """Return a statement of the viewer's as this plan lets it run: columns that are not shown are empty in it."""
    stamped = {table.name: table for table in catalog.stamped}

    def relation(found: re.Match[str]) -> str:
        name = found.group(1)
        return f"FROM {_shown(plan, stamped[name])}" if name in stamped else found.group()

    return READ.sub(relation, statement)


def _shown(plan: Plan, table: Table) -> str:
    granted = {own.column for own in plan.own if (own.table, own.privilege) == (table.name, "select")}
    columns = [column.name for column in table.columns if column.name != HIDDEN]
    if granted.issuperset(columns):
        return f"troth.{table.name}"
    # The type of what is not shown is the table's own, which needs no right to its rows.
    listed = ", ".join(c if c in granted else f"(NULL::troth.{table.name}).{c} AS {c}" for c in columns)
    return f"(SELECT {listed} {f'FROM troth.{table.name}' if granted else 'WHERE false'}) AS {table.name}"
