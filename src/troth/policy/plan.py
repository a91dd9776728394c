"""From a policy's meaning and the catalog to what the database must be: readings, row rules, retention, intake."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import product

from troth.policy import granting
from troth.policy.audiences import MIRRORED, VIEWINGS, Viewing
from troth.policy.catalog import Catalog, Column, Table
from troth.policy.declaring import shape
from troth.policy.errors import PolicyErrors
from troth.policy.filling import at, finest, holders, needed, uses
from troth.policy.meaning import (
    Audience,
    Collection,
    Policy,
    Posting,
    Precision,
    Purpose,
    Right,
    Sight,
    Use,
    Verb,
    Whose,
    Window,
    WindowKind,
)
from troth.policy.planned import (
    Apart,
    Atom,
    Authored,
    Coarsening,
    Collected,
    Counted,
    Emptied,
    Held,
    Identifying,
    Own,
    Plan,
    Posted,
    Reading,
    Retention,
    Rows,
    Seen,
    Unheld,
    Unit,
    Unseen,
    Withheld,
)
from troth.policy.unfit import unfit

#: Rights that nobody has over what they cannot see.
SHOWING = frozenset({Verb.REVIEW, Verb.CORRECT, Verb.EXPORT})


def plan(policy: Policy, catalog: Catalog) -> Plan:
    """Compile. Raises PolicyErrors with everything that the policy says and these tables cannot hold to."""
    refused = unfit(policy, catalog)
    if refused:
        raise PolicyErrors(refused)
    return Plan(
        policy=policy.name,
        version=policy.version,
        digest=policy.digest,
        units=tuple(_unit(policy, catalog, purpose) for purpose in policy.purposes),
        readings=tuple(sorted(_readings(policy, catalog))),
        withheld=tuple(sorted(_withheld(policy, catalog))),
        rows=tuple(sorted(_rows(policy, catalog))),
        own=tuple(sorted(set(_own(policy, catalog)))),
        collected=tuple(sorted(_stored(policy, catalog))),
        retention=tuple(sorted(_retention(policy, catalog))),
        counted=tuple(sorted(_counted(policy, catalog))),
        coarsenings=tuple(sorted(_coarsenings(policy, catalog))),
        unheld=tuple(sorted(set(_unheld(policy, catalog)))),
        seen=tuple(sorted(_seen(policy, catalog))),
        unseen=tuple(sorted(set(_unseen(policy, catalog)))),
        emptied=tuple(sorted(_emptied(policy, catalog))),
        identifying=tuple(sorted(_identifying(policy, catalog))),
        duties=tuple(sorted(duty.name for duty in policy.duties)),
        signalled=tuple(sorted(policy.signalled)),
        apart=tuple(sorted(_apart(policy, catalog))),
        tying=_tying(policy),
        grantable=granting.grantable(policy, catalog),
        held=tuple(sorted(_held(policy, catalog))),
        posted=tuple(sorted(_posted(policy, catalog))),
        authored=tuple(sorted({each for each, *_ in authors(policy, catalog)})),
    )


def _unit(policy: Policy, catalog: Catalog, purpose: Purpose) -> Unit:
    atoms = {
        Atom(category, collection.occasion, at(table, category, use), use.window)
        for table, category, collection, use in uses(policy, catalog, purpose.name)
    }
    return Unit(purpose.name, purpose.basis, frozenset(atoms))


def read(policy: Policy, catalog: Catalog) -> Iterator[tuple[Table, str, Collection, Use, Precision]]:
    """Yield the uses that read rows, with the precision at which they do."""
    for table, category, collection, use in uses(policy, catalog):
        precision = at(table, category, use)
        if precision is not Precision.COUNTED:
            yield table, category, collection, use, precision


def shown(table: Table, category: str, precision: Precision) -> Iterator[str]:
    """Yield the columns through which a table lets a category be known at a precision, and whose it is."""
    yield "subject"
    held = (c for c in table.columns if c.category == category and c.copies is None)
    yield from (c.name for c in held if c.precision.within(precision))


def _readings(policy: Policy, catalog: Catalog) -> Iterator[Reading]:
    found: dict[tuple[str, str, str], str] = {}
    for table, category, collection, use, precision in read(policy, catalog):
        for column in shown(table, category, precision):
            found.setdefault((use.purpose, table.name, column), collection.clause.name)
    for (purpose, name, column_name), clause in found.items():
        yield Reading(purpose, name, column_name, clause)


def _withheld(policy: Policy, catalog: Catalog) -> Iterator[Withheld]:
    granted = {(r.purpose, r.table, r.column): r.clause for r in _readings(policy, catalog)}
    counted = {(c.purpose, c.table): c.clause for c in _counted(policy, catalog)}
    for purpose, table in product(policy.purposes, catalog):
        for column in table.columns:
            if column.category and (purpose.name, table.name, column.name) not in granted:
                clause, reason = _why_withheld(purpose, table, column, granted, counted)
                yield Withheld(purpose.name, table.name, column.name, column.category, reason, clause)


def _why_withheld(
    purpose: Purpose,
    table: Table,
    column: Column,
    granted: dict[tuple[str, str, str], str],
    counted: dict[tuple[str, str], str],
) -> tuple[str, str]:
    if not table.stamped:
        return purpose.clause.name, "held by the sign-in service alone; no purpose reads it"
    if (purpose.name, table.name) in counted:
        return counted[purpose.name, table.name], f"only as numbers: read `{table.name}_counted`"
    for other in table.columns:
        clause = granted.get((purpose.name, table.name, other.name))
        if other.category == column.category and clause:
            return clause, f"only as {other.precision}: read `{other.name}`"
    return purpose.clause.name, f"no clause lets `{purpose.name}` use `{column.category}`"


def _rows(policy: Policy, catalog: Catalog) -> Iterator[Rows]:
    windows = {(use.purpose, table.name): use.window for table, _, _, use, _ in read(policy, catalog)}
    yield from (Rows(purpose, name, window) for (purpose, name), window in windows.items())


def _own(policy: Policy, catalog: Catalog) -> Iterator[Own]:
    for sight in policy.sights:
        if sight.audience is Audience.PERSON:
            for table, column in _of(catalog, sight.categories):
                yield from _visible(table, column, sight.clause.name)
    stored = {(each.table, each.column) for each in _stored(policy, catalog)}
    for right in policy.rights:
        for table, column in _of(catalog, right.categories):
            yield from _allowed(table, column, right, collected=(table.name, column.name) in stored)


def _of(catalog: Catalog, categories: tuple[str, ...]) -> Iterator[tuple[Table, Column]]:
    for table in catalog.stamped:
        yield from ((table, column) for column in table.columns if column.category in categories)


def _visible(table: Table, column: Column, clause: str) -> Iterator[Own]:
    for name in ("subject", "at", "ended_at", *table.key, column.name):
        yield Own(table.name, name, "select", clause)


def _allowed(table: Table, column: Column, right: Right, *, collected: bool) -> Iterator[Own]:
    """Yield what a right lets people do with a column. Nobody writes what is not collected, or what others hold."""
    verbs = {verb for verb in right.verbs if column.given(right, verb)}
    theirs = not column.derived and not column.held
    if verbs & SHOWING:
        yield from _visible(table, column, right.clause.name)
    if Verb.CORRECT in verbs and theirs and collected:
        yield Own(table.name, column.name, "update", right.clause.name)
    # To empty a value where it stands there must be one row of it, which stays.
    if Verb.DELETE in verbs and theirs and table.key == ("subject",):
        yield Own(table.name, column.name, "delete", right.clause.name)
    # What happened goes as a whole: a row of it without what it said would say that there was something.
    if Verb.DELETE in verbs and table.records and not column.derived:
        yield Own(table.name, column.name, "remove", right.clause.name)


def _stored(policy: Policy, catalog: Catalog) -> Iterator[Collected]:
    for (occasion, name, category), found in needed(uses(policy, catalog)).items():
        precision, clause = finest(found)
        for column in catalog.table(name).columns:
            if column.category == category and not column.derived:
                yield Collected(occasion, name, column.name, precision, clause)


def _retention(policy: Policy, catalog: Catalog) -> Iterator[Retention]:
    used: dict[str, set[Use]] = defaultdict(set)
    for table, _, _, use in uses(policy, catalog):
        used[table.name].add(use)
    for table in catalog.stamped:
        found = used[table.name]
        days = [u.window.days for u in found if u.window.kind is WindowKind.DAYS]
        after = [u.window.days for u in found if u.window.kind is WindowKind.ACCOUNT]
        # What the service's own functions insert is the record of agreements and choices: were it gone before the
        # account is, an objection would be too.
        after += [0] if table.inserter else []
        consented = {u.purpose for u in found if u.window.kind is WindowKind.CONSENTED}
        yield Retention(table.name, max(days, default=None), max(after, default=None), tuple(sorted(consented)))


def _counted(policy: Policy, catalog: Catalog) -> Iterator[Counted]:
    found: dict[tuple[str, str], tuple[set[str], Window, str]] = {}
    for table, category, collection, use in uses(policy, catalog):
        # Only people are counted: what may be known of whoever is not known is no number of theirs.
        if use.precision is Precision.COUNTED and collection.occasion.whose is Whose.PERSON:
            columns, *_ = found.setdefault((use.purpose, table.name), (set(), use.window, collection.clause.name))
            columns |= {
                c.name
                for c in table.columns
                if c.category == category and c.name not in table.key and c.precision is Precision.AS_IS
            }
    for (purpose, name), (columns, window, clause) in found.items():
        ordered = tuple(column.name for column in catalog.table(name).columns if column.name in columns)
        yield Counted(purpose, name, ordered, window, clause)


def _coarsenings(policy: Policy, catalog: Catalog) -> Iterator[Coarsening]:
    for coarsening, table in product(policy.coarsenings, catalog.stamped):
        for column in table.columns:
            if column.category in coarsening.categories and not column.derived:
                clause, precision = coarsening.clause.name, coarsening.precision
                yield Coarsening(table.name, column.name, precision, coarsening.days, clause, column.category)


def _held(policy: Policy, catalog: Catalog) -> Iterator[Held]:
    stored = {(each.table, each.column) for each in _stored(policy, catalog)}
    for seen in _seen(policy, catalog):
        table = catalog.table(seen.table)
        column = table.column(seen.column)
        # What a directory supplies becomes the membership's, so that it supplies nothing that no membership may hold.
        needed = {(seen.table, seen.column)} | ({(table.supplies, seen.column)} if table.supplies else set())
        if column.held and column.type and seen.role == MIRRORED and needed <= stored:
            apart = {"wanted": bool(table.wants), "supplied": bool(table.supplies)}
            yield Held(seen.table, seen.column, shape(column).stored, seen.clause, **apart)


def _emptied(policy: Policy, catalog: Catalog) -> Iterator[Emptied]:
    collected = {(table.name, category) for each in policy.collections for table, category in holders(catalog, each)}
    into = {table.name for table, *_ in uses(policy, catalog)}
    for table in catalog.stamped:
        # Of a table into which nothing is collected any more no row stays, so that there is nothing to empty.
        for column in table.columns if table.name in into else ():
            kept = table.inserter or column.derived or column.name in table.key
            if column.category and not kept and (table.name, column.category) not in collected:
                yield Emptied(table.name, column.name)


def _apart(policy: Policy, catalog: Catalog) -> Iterator[Apart]:
    duty = policy.duty("apart")
    sensitive = {category.name for category in policy.categories if category.sensitive}
    for table in catalog.stamped if duty else ():
        for column in table.columns:
            if duty and column.category in sensitive and not column.derived:
                yield Apart(table.name, column.name, column.category or "", duty.clause.name)


def _tying(policy: Policy) -> str:
    """Return the clause by which what an identifier left may be tied to who somebody is.

    There is none where a clause rules it out, nor where anything sensitive is collected that is to stay apart: through
    the account an identifier would be tied to that too.
    """
    left = {c for each in policy.collections if each.occasion.whose is Whose.IDENTIFIER for c in each.categories}
    told = {category.name for category in policy.categories if category.identifying}
    sensitive = {category.name for category in policy.categories if category.sensitive}
    if policy.duty("apart") and any(sensitive.intersection(each.categories) for each in policy.collections):
        return ""
    tying = [
        each
        for each in policy.correlations
        for one, other in ((each.left, each.right), (each.right, each.left))
        if left.intersection(one) and told.intersection(other)
    ]
    return tying[0].clause.name if tying and all(each.allowed for each in tying) else ""


def _unheld(policy: Policy, catalog: Catalog) -> Iterator[Unheld]:
    for collection in policy.collections:
        held = {category for _, category in holders(catalog, collection)}
        held |= {c.category for t in catalog if not t.stamped for c in t.columns if c.category}
        for category in collection.categories:
            if category not in held:
                yield Unheld(category, collection.occasion, collection.clause.name)


def sights(policy: Policy, catalog: Catalog) -> Iterator[tuple[Sight, str, Viewing, Table, list[str]]]:
    """Yield each sight of an audience, a category of it, and a table with the columns that can show it."""
    posted = [Sight(p.categories, p.clause, audience) for p in policy.postings for audience in p.audiences]
    shown: dict[Audience, set[str]] = defaultdict(set)
    for sight in (*policy.sights, *posted):
        shown[sight.audience].update(sight.categories)
    for sight in (*policy.sights, *posted):
        viewing = VIEWINGS.get(sight.audience)
        for table, category in product(catalog.stamped if viewing else (), sight.categories):
            columns = [c.name for c in table.columns if c.category == category]
            if sight in posted and not table.posted:
                continue  # what people post opens nothing that they did not post
            if viewing and columns and viewing.sees(table, frozenset(shown[sight.audience])):
                yield sight, category, viewing, table, columns


def authors(policy: Policy, catalog: Catalog) -> Iterator[tuple[Authored, Posting, str, list[str]]]:
    """Yield what else of whoever posts to an audience stands beside a post: a category, and the columns that show it.

    Where the policy shows the audience a table anyway, its sights alone say which columns.
    """
    found = list(sights(policy, catalog))
    reached = {(viewing.role, table.name) for _, _, viewing, table, _ in found}
    posts = {sight.audience for sight, _, _, table, _ in found if table.posted}
    persons = [table for table in catalog.stamped if table.key == ("subject",) and not table.directed]
    for posting in policy.postings:
        for audience, table, category in product(posting.audiences, persons, posting.categories):
            columns = [c.name for c in table.columns if c.category == category and c.copies is None]
            viewing = VIEWINGS.get(audience) if audience in posts else None
            if viewing and columns and (viewing.role, table.name) not in reached:
                yield Authored(viewing.role, table.name, audience), posting, category, columns


def _posted(policy: Policy, catalog: Catalog) -> Iterator[Posted]:
    for posting in policy.postings:
        for table, audience in product(catalog.stamped, posting.audiences):
            if table.posted and {c.category for c in table.columns if c.category} <= set(posting.categories):
                yield Posted(table.name, audience, posting.clause.name)


def _seen(policy: Policy, catalog: Catalog) -> Iterator[Seen]:
    found: dict[tuple[str, str, str], Seen] = {}
    for sight, category, viewing, table, columns in sights(policy, catalog):
        for column in columns:
            found[viewing.role, table.name, column] = Seen(
                viewing.role, table.name, column, category, sight.clause.name
            )
        for column in viewing.told_apart(table):
            structure = Seen(viewing.role, table.name, column, "", sight.clause.name)
            found.setdefault((viewing.role, table.name, column), structure)
    for each, posting, category, columns in authors(policy, catalog):
        clause = posting.clause.name
        found.setdefault((each.role, each.table, "subject"), Seen(each.role, each.table, "subject", "", clause))
        for column in columns:
            found[each.role, each.table, column] = Seen(each.role, each.table, column, category, clause)
    yield from found.values()


def _unseen(policy: Policy, catalog: Catalog) -> Iterator[Unseen]:
    found = {(sight.clause.name, category) for sight, category, *_ in sights(policy, catalog)}
    found |= {(each.clause, each.category) for each in granting.grantable(policy, catalog)}
    for sight in policy.sights:
        for category in sight.categories:
            if sight.audience is not Audience.PERSON and (sight.clause.name, category) not in found:
                yield Unseen(category, sight.audience, sight.clause.name)


def _identifying(policy: Policy, catalog: Catalog) -> Iterator[Identifying]:
    """Yield the columns that tell who somebody is: those of an identifying category that no precision made coarser."""
    duty = policy.duty("opening")
    marked = {each.name: each.clause.name for each in policy.categories if each.identifying}
    for table in catalog:
        for column in table.columns:
            if column.category in marked and column.precision is Precision.AS_IS:
                clause = duty.clause.name if duty else marked[column.category]
                yield Identifying(table.name, column.name, column.category, clause)
