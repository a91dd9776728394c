"""What a policy says and these tables cannot hold to: errors like all others, each at the words that ask for it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product

from troth.policy import deadlines
from troth.policy.catalog import Catalog, Column, Table
from troth.policy.errors import PolicyError
from troth.policy.filling import CELLS, REDUCIBLE, Filling, at, finest, holds, kept, needed, uses
from troth.policy.meaning import Occasion, Policy, Precision, Purpose, Span, Use, Whose, Window

type Wrong = Callable[[str, Span, str, str], PolicyError]


def unfit(policy: Policy, catalog: Catalog) -> list[PolicyError]:
    """Return everything that these tables cannot hold to; what is wrong by itself is left out of what follows."""

    def wrong(code: str, span: Span, sentence: str, advice: str) -> PolicyError:
        return PolicyError(code, policy.source.name, span, policy.source.line(span.line), sentence, advice)

    every = list(uses(policy, catalog))
    sound = [each for each in every if holds(each[0], each[1], each[3])]
    found = [*_too_coarse(wrong, every), *_coarsened(wrong, policy, catalog)]
    for purpose in policy.purposes:
        found += _spilled(wrong, purpose, sound)
    found += [*_stored(wrong, sound), *_windows(wrong, sound)]
    found += [] if policy.settled else deadlines.unfit(wrong, policy, sound)
    return list(dict.fromkeys(found))


def _too_coarse(wrong: Wrong, every: Iterable[Filling]) -> Iterator[PolicyError]:
    for table, category, _, use in every:
        if not holds(table, category, use):
            sentence = f"`{table.name}` cannot show `{category}` as {use.precision}"
            held = " and ".join(str(c.precision) for c in table.columns if c.category == category)
            yield wrong("P-T05", use.span, sentence, f"it holds it {held}; write that, or `as counted`")


def _spilled(wrong: Wrong, purpose: Purpose, every: Sequence[Filling]) -> Iterator[PolicyError]:
    """Yield what a column's grant would show of rows of another occasion, for which no clause lets the purpose use it.

    A grant reaches every row that is stamped, whatever the occasion.
    """
    mine = [each for each in every if each[-1].purpose == purpose.name]
    kinds = {collection.occasion.whose for _, _, collection, _ in mine} | {Whose.PERSON}
    allowed: dict[tuple[str, str, Occasion], set[Precision]] = defaultdict(set)
    for table, category, collection, use in mine:
        allowed[table.name, category, collection.occasion].add(at(table, category, use))
    granted = _granted(mine)
    for table, category, stored, use in every:
        if stored.occasion.whose not in kinds:
            continue
        needs = kept(at(table, category, use))
        for occasion, reading in granted[table.name, category]:
            known = at(table, category, reading)
            shown = needs if needs.within(known) else known
            if not any(shown.within(each) for each in allowed[table.name, category, stored.occasion]):
                uses_it = f"`{purpose.name}` uses `{category}` on {occasion}"
                sentence = f"{uses_it}, and would so read it on {stored.occasion} too"
                advice = f"let it use that too where line {stored.clause.span.line} stores it, or leave it out"
                yield wrong("P-T03", reading.span, sentence, advice)


def _granted(mine: Iterable[Filling]) -> defaultdict[tuple[str, str], list[tuple[Occasion, Use]]]:
    """Return, by table and category, on which occasions uses read it."""
    found: defaultdict[tuple[str, str], list[tuple[Occasion, Use]]] = defaultdict(list)
    for table, category, collection, use in mine:
        if use.precision is not Precision.COUNTED:
            found[table.name, category].append((collection.occasion, use))
    return found


def _stored(wrong: Wrong, every: Sequence[Filling]) -> Iterator[PolicyError]:
    for (occasion, name, category), found in needed(iter(every)).items():
        precision, _ = finest(found)
        if precision not in REDUCIBLE:
            *_, use = found[precision]
            sentence = f"`{category}` is used only as {precision} on {occasion}, and `{name}` would hold it as it is"
            yield wrong("P-T05", use.span, sentence, "let one purpose use it as it is, or leave it out")


def _windows(wrong: Wrong, every: Iterable[Filling]) -> Iterator[PolicyError]:
    """Yield the second window of a purpose for reading the rows of a table, or for counting them."""
    first: dict[tuple[str, str, bool], dict[Window, Use]] = defaultdict(dict)
    for table, category, collection, use in every:
        counting = at(table, category, use) is Precision.COUNTED
        if counting and collection.occasion.whose is not Whose.PERSON:
            continue  # only people are counted
        windows = first[use.purpose, table.name, counting]
        if windows and use.window not in windows:
            other = next(iter(windows.values()))
            what = "to count rows" if counting else "for rows"
            both = f"{other.window.written} and {use.window.written}"
            sentence = f"`{use.purpose}` has two windows {what} of `{table.name}`: {both}"
            yield wrong("P-T02", use.span, sentence, f"keep one; the other is in line {other.span.line}")
        windows.setdefault(use.window, use)


def _coarsened(wrong: Wrong, policy: Policy, catalog: Catalog) -> Iterator[PolicyError]:
    for coarsening, table in product(policy.coarsenings, catalog.stamped):
        for column in table.columns:
            if (
                column.category in coarsening.categories
                and not column.derived
                and _fixed(table, column, coarsening.precision)
            ):
                sentence = f"`{table.name}.{column.name}` cannot become a {coarsening.precision} in place"
                advice = f"let purposes use it as {coarsening.precision} from the start, or give it a shorter window"
                yield wrong("P-T06", coarsening.clause.span, sentence, advice)


def _fixed(table: Table, column: Column, precision: Precision) -> bool:
    """Whether values cannot change where they stand: they tell rows apart, or no expression makes them so coarse."""
    words = precision in CELLS and not table.held(column.category or "", precision)
    return column.name in table.key or precision not in REDUCIBLE or words
