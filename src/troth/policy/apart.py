"""Where anonymous identifiers may have rows, and what is never in them: checks that every role's rows must pass.

In most tables only people have rows. In the few others what is sensitive stays empty of whoever is not known (P19),
whoever writes it.
"""

from collections.abc import Iterator

from troth.policy.catalog import Catalog, Table
from troth.policy.facts import Fact, Kind, fingerprint
from troth.policy.meaning import Whose
from troth.policy.planned import Plan
from troth.policy.quoting import quoted
from troth.policy.subjects import KNOWN, beside, of

#: How the names of these checks begin.
PEOPLE, EMPTY = "people_alone", "apart_"


def checks(plan: Plan, catalog: Catalog) -> Iterator[Fact]:
    """Yield them all."""
    for table in catalog:
        if table.bound and table.by_subject and not table.unknown:
            yield _check(table, PEOPLE, KNOWN)
    for each in plan.apart:
        table = catalog.table(each.table)
        if each.column not in table.key:
            yield _empty(table, each.column)


def _empty(table: Table, column: str) -> Fact:
    """Return that a column is empty of whoever is not known; what stands there was not sensitive before, and goes."""
    name, on = quoted(column), f"troth.{quoted(table.name)}"
    gone = f"UPDATE {on} SET {name} = NULL WHERE {beside(Whose.PERSON)} AND {name} IS NOT NULL"  # noqa: S608 - quoted
    open_, close = (f"ALTER TABLE {on} {how} ROW LEVEL SECURITY" for how in ("NO FORCE", "FORCE"))
    first = f"{open_}; {gone}; {close}; "
    return _check(table, f"{EMPTY}{column}", f"({of(Whose.PERSON)}) OR {name} IS NULL", first=first)


def _check(table: Table, name: str, held: str, *, first: str = "") -> Fact:
    made = f"ALTER TABLE troth.{quoted(table.name)} ADD CONSTRAINT {quoted(name)} CHECK ({held}) NOT VALID"
    return Fact(
        Kind.CHECK,
        f"{table.name}.{name}",
        fingerprint(made),
        make=f"{first}{made}",
        locks=f"troth.{table.name}",
    )
