"""Which collections fill which tables, for which uses, and how exactly."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import product

from troth.policy.catalog import Catalog, Table
from troth.policy.meaning import Collection, Occasion, Policy, Precision, Use

#: How exactly a column itself can hold a value; other precisions are columns of their own beside it.
REDUCIBLE = (Precision.AS_IS, Precision.NETWORK, Precision.HOUR, Precision.DAY, Precision.CITY, Precision.REGION)
#: What of these is made of degrees: a place that is held as words becomes no coarser where it stands.
CELLS = (Precision.CITY, Precision.REGION)

#: A use of a category in a table that a collection fills.
type Filling = tuple[Table, str, Collection, Use]


def holders(catalog: Catalog, collection: Collection) -> Iterator[tuple[Table, str]]:
    """Yield each stamped table and category that a collection fills."""
    for table in catalog.stamped:
        if collection.occasion in table.occasions:
            held = {column.category for column in table.columns if column.copies is None}
            yield from ((table, category) for category in collection.categories if category in held)


def uses(policy: Policy, catalog: Catalog, purpose: str | None = None) -> Iterator[Filling]:
    """Yield what each collection fills, once for each use of it, or of one purpose's."""
    for collection in policy.collections:
        meant = [use for use in collection.uses if purpose in (None, use.purpose)]
        for (table, category), use in product(holders(catalog, collection) if meant else (), meant):
            yield table, category, collection, use


def holds(table: Table, category: str, use: Use) -> bool:
    """Whether a table can show a category as a use asks for; what no value of it can be is used as it is."""
    counted = use.precision is Precision.COUNTED
    return counted or bool(table.held(category, use.precision)) or not use.precision.fits(category)


def at(table: Table, category: str, use: Use) -> Precision:
    """Return the precision at which a use knows a category."""
    counted = use.precision is Precision.COUNTED
    return use.precision if counted or table.held(category, use.precision) else Precision.AS_IS


def kept(precision: Precision) -> Precision:
    """Return how exactly rows must hold what is used so: counting needs the values."""
    return Precision.AS_IS if precision is Precision.COUNTED else precision


def needed(filled: Iterator[Filling]) -> Mapping[tuple[Occasion, str, str], dict[Precision, Filling]]:
    """Return, by occasion, table and category, the precisions that uses need, each with the first that does."""
    found: dict[tuple[Occasion, str, str], dict[Precision, Filling]] = defaultdict(dict)
    for each in filled:
        table, category, collection, use = each
        found[collection.occasion, table.name, category].setdefault(kept(at(table, category, use)), each)
    return found


def finest(found: Mapping[Precision, Filling]) -> tuple[Precision, str]:
    """Return the precision that serves all of these, and the clause that asks for it."""
    for precision, (_, _, collection, _) in found.items():
        if all(other.within(precision) for other in found):
            return precision, collection.clause.name
    return Precision.AS_IS, min(collection.clause.name for _, _, collection, _ in found.values())
