"""From a clause to what it became in the database, and back: the names of the objects that each clause made."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from troth.policy import granting, holding
from troth.policy.audiences import MIRROR, MIRRORED
from troth.policy.catalog import Catalog, Rows
from troth.policy.counting import columns_read, name_of
from troth.policy.covering import alike, privileges
from troth.policy.meaning import Audience, Policy, Verb
from troth.policy.plan import authors, read, shown, sights
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
    yield from _of_readings(policy, catalog)
    yield from _of_collected(plan, catalog)
    yield from _of_own(plan)
    yield from _of_sights(policy, catalog)
    yield from _of_postings(policy, plan, catalog)
    for each in plan.grantable:
        yield each.clause, f"function troth.{each.name}"
        yield each.clause, f"rule {each.table}.{granting.TWIN}_select"
        for column in granting.columns_read(each):
            yield each.clause, f"grant select ({column}) on troth.{each.table} to {granting.TWIN}"
    yield from ((h.clause, f"function troth.{by} writes {h.table}.{h.column}") for h, by in holding.writers(plan))
    for counted in plan.counted:
        yield counted.clause, f"function troth.{name_of(counted)}"
        yield counted.clause, f"view {counted.purpose}.{counted.table}_counted"
        yield counted.clause, f"rule {counted.table}.counter_select"
        for column in columns_read(counted):
            yield counted.clause, f"grant select ({column}) on troth.{counted.table} to counter"
    for coarsening in plan.coarsenings:
        what = f"{coarsening.table}.{coarsening.column}"
        yield (
            coarsening.clause,
            f"function troth.retain makes {what} a {coarsening.precision} after {coarsening.days} days",
        )
    yield from _of_signals(policy, plan)
    yield from _of_categories(policy, catalog)
    yield from _of_pages(policy)


def _of_signals(policy: Policy, plan: Plan) -> Iterator[tuple[str, str]]:
    for honoured in policy.honoured:
        yield honoured.clause.name, "page /.well-known/gpc.json"
        for rows in (each for each in plan.rows if each.purpose in honoured.purposes):
            yield honoured.clause.name, f"rule {rows.table}.{rows.purpose}_select"
        for counted in (each for each in plan.counted if each.purpose in honoured.purposes):
            yield honoured.clause.name, f"function troth.{name_of(counted)}"


def _of_sights(policy: Policy, catalog: Catalog) -> Iterator[tuple[str, str]]:
    for sight, category, viewing, table, columns in sights(policy, catalog):
        clause = sight.clause.name
        yield clause, f"rule {table.name}.{viewing.role}_select"
        told = (*viewing.told_apart(table), *columns)
        for column in told:
            yield clause, f"grant select ({column}) on troth.{table.name} to {viewing.role}"
        for other, _ in alike(table) if viewing.role == MIRRORED else ():
            yield clause, f"rule {table.name}.{other}_select"
            if other != MIRROR:  # which inherits them
                yield from ((clause, f"grant select ({c}) on troth.{table.name} to {other}") for c in told)
        for copy, copied, _, _ in catalog.copied:
            if copy is table and copied.category == category:
                yield clause, f"function troth.spread_{copy.name}_{copied.name}"


def _of_postings(policy: Policy, plan: Plan, catalog: Catalog) -> Iterator[tuple[str, str]]:
    for posted in plan.posted:
        for access in catalog.table(posted.table).accesses:
            for privilege, _ in access.privileges if access.rows is Rows.COLLECTED else ():
                if privilege in ("insert", "update"):
                    yield posted.clause, f"rule {posted.table}.{access.role}_{privilege}"
    for each, posting, _, columns in authors(policy, catalog):
        yield posting.clause.name, f"rule {each.table}.{each.role}_select"
        for column in ("subject", *columns):
            yield posting.clause.name, f"grant select ({column}) on troth.{each.table} to {each.role}"


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
        yield collected.clause, f"function troth.retain removes rows of {collected.table} that no use is left of"
        table = catalog.table(collected.table)
        for access in table.accesses:
            for privilege, columns in privileges(plan, table, access) if access.rows is Rows.COLLECTED else ():
                if collected.column in columns:
                    yield collected.clause, f"rule {table.name}.{access.role}_{privilege}"
                    yield (
                        collected.clause,
                        f"grant {privilege} ({collected.column}) on troth.{table.name} to {access.role}",
                    )


def _of_own(plan: Plan) -> Iterator[tuple[str, str]]:
    for own in plan.own:
        match own.privilege:
            case "delete":
                yield own.clause, f"function troth.empty_own empties {own.table}.{own.column}"
            case "remove":
                if plan.removable(own.table):
                    yield own.clause, f"function troth.remove_own removes rows of {own.table}"
            case privilege:
                yield own.clause, f"grant {privilege} ({own.column}) on troth.{own.table} to self"
                yield own.clause, f"rule {own.table}.self_{privilege}"


def _of_readings(policy: Policy, catalog: Catalog) -> Iterator[tuple[str, str]]:
    # Every clause that needs an object, not only the first: none of them may be read as having become nothing.
    for table, category, collection, use, precision in read(policy, catalog):
        clause = collection.clause.name
        yield clause, f"rule {table.name}.{use.purpose}_select"
        yield clause, f"view {use.purpose}.{table.name}"
        for column in shown(table, category, precision):
            yield clause, f"grant select ({column}) on troth.{table.name} to {use.purpose}"


def _of_pages(policy: Policy) -> Iterator[tuple[str, str]]:
    for stored in policy.stored:
        yield stored.clause.name, f"{stored.storage} {stored.key}: no page sets one that no clause declares"
    for sight in policy.sights:
        if sight.audience is Audience.PERSON:
            yield sight.clause.name, "page /me"
    for right in policy.rights:
        if Verb.ERASE in right.verbs:
            yield right.clause.name, "function troth.end_subject"
            yield right.clause.name, "page /me/close"


def _exactly(precision: object) -> str:
    return str(precision) if str(precision) == "as is" else f"as {precision}"
