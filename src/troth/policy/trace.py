"""From a clause to what it became in the database, and back: the names of the objects that each clause made."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from troth.policy.catalog import Catalog
from troth.policy.counting import name_of
from troth.policy.meaning import Audience, Policy
from troth.policy.planned import Plan


def objects(policy: Policy, plan: Plan, catalog: Catalog) -> Mapping[str, tuple[str, ...]]:
    """Return clause -> names of what it became, sorted; a clause that became nothing is not there."""
    found: dict[str, set[str]] = defaultdict(set)
    for clause, name in _made(policy, plan, catalog):
        found[clause].add(name)
    return {clause: tuple(sorted(names)) for clause, names in found.items()}


def _made(policy: Policy, plan: Plan, catalog: Catalog) -> Iterator[tuple[str, str]]:
    for purpose in policy.purposes:
        for what in (f"role {purpose.name}", f"schema {purpose.name}", f"view {purpose.name}.withheld"):
            yield purpose.clause.name, what
    yield from _of_readings(plan)
    yield from _of_collected(plan, catalog)
    for own in plan.own:
        yield own.clause, f"grant {own.privilege} ({own.column}) on troth.{own.table} to self"
        yield own.clause, f"rule {own.table}.self_{own.privilege}"
    for counted in plan.counted:
        yield counted.clause, f"function troth.{name_of(counted)}"
        yield counted.clause, f"view {counted.purpose}.{counted.table}_counted"
    for coarsening in plan.coarsenings:
        what = f"{coarsening.table}.{coarsening.column}"
        yield (
            coarsening.clause,
            f"function troth.retain makes {what} a {coarsening.precision} after {coarsening.days} days",
        )
    yield from _of_categories(policy, catalog)
    yield from _of_pages(policy)


def _of_categories(policy: Policy, catalog: Catalog) -> Iterator[tuple[str, str]]:
    clauses = {category.name: category.clause.name for category in policy.categories}
    for table in catalog:
        for column in table.columns:
            if column.category in clauses:
                yield clauses[column.category], f"column troth.{table.name}.{column.name}"


def _of_collected(plan: Plan, catalog: Catalog) -> Iterator[tuple[str, str]]:
    for collected in plan.collected:
        column = f"{collected.table}.{collected.column}"
        yield collected.clause, f"column troth.{column}, stored {_exactly(collected.precision)}"
        if any(access.role == "intake" for access in catalog.table(collected.table).accesses):
            yield collected.clause, f"rule {collected.table}.intake_insert"


def _of_readings(plan: Plan) -> Iterator[tuple[str, str]]:
    for reading in plan.readings:
        yield reading.clause, f"grant select ({reading.column}) on troth.{reading.table} to {reading.purpose}"
        yield reading.clause, f"rule {reading.table}.{reading.purpose}_select"
        yield reading.clause, f"view {reading.purpose}.{reading.table}"


def _of_pages(policy: Policy) -> Iterator[tuple[str, str]]:
    for stored in policy.stored:
        yield stored.clause.name, f"{stored.storage} {stored.key}: no page sets one that no clause declares"
    for sight in policy.sights:
        if sight.audience is Audience.PERSON:
            yield sight.clause.name, "page /me"


def _exactly(precision: object) -> str:
    return str(precision) if str(precision) == "as is" else f"as {precision}"
