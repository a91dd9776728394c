"""What a viewer's statements read: of each table the columns that the policy shows, and nothing in place of others."""

import re

from troth.policy.audiences import DIRECTORY, MIRROR, MIRRORED
from troth.policy.catalog import Catalog, Table
from troth.policy.planned import Plan

READ = re.compile(r"\bFROM troth\.([a-z_]+)")
#: What no viewer ever reads of a stamped row.
HIDDEN = "uses"


def narrowed(statement: str, plan: Plan, catalog: Catalog, role: str = "self") -> str:
    """Return a statement of a viewer's role as this plan lets it run: columns that are not shown are empty in it."""
    stamped = {table.name: table for table in catalog.stamped}

    def relation(found: re.Match[str]) -> str:
        name = found.group(1)
        return f"FROM {_shown(plan, stamped[name], role)}" if name in stamped else found.group()

    return READ.sub(relation, statement)


def granted_to(role: str, plan: Plan, table: Table) -> frozenset[str]:
    """Return the columns of a table that the viewer, or an audience that looks at them, may read."""
    found = {own.column for own in plan.own if role == "self" and (own.table, own.privilege) == (table.name, "select")}
    looks = (role, MIRRORED) if role == DIRECTORY and table.directed else (role,)
    found |= {seen.column for seen in plan.seen if seen.role in looks and seen.table == table.name}
    for access in table.accesses:
        for privilege, columns in access.privileges:
            if (access.role, privilege) == (role, "select"):
                found |= set(columns or [column.name for column in table.columns])
    return frozenset(found | granted_to(MIRRORED, plan, table) if role == MIRROR else found)


def _shown(plan: Plan, table: Table, role: str) -> str:
    granted = granted_to(role, plan, table)
    columns = [column.name for column in table.columns if column.name != HIDDEN]
    if granted.issuperset(columns):
        return f"troth.{table.name}"
    # The type of what is not shown is the table's own, which needs no right to its rows.
    listed = ", ".join(c if c in granted else f"(NULL::troth.{table.name}).{c} AS {c}" for c in columns)
    return f"(SELECT {listed} {f'FROM troth.{table.name}' if granted else 'WHERE false'}) AS {table.name}"
