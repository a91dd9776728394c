"""The emitter's questions about a version that is not in force: what each purpose would see, and what would go."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from troth.policy.catalog import Table
from troth.policy.lasting import alive, hours
from troth.policy.meaning import Basis, Window, WindowKind
from troth.policy.planned import Coarsening, Plan, Retention
from troth.policy.quoting import quoted
from troth.policy.routines import UNMARKED
from troth.policy.subjects import LEAST, NOBODY

#: What is counted of a purpose's rows: seen before (b), at once (o), after agreement (a), and what differs.
COUNTED = (
    "b{n}", "o{n}", "a{n}", "b{n} AND NOT o{n}", "a{n} AND NOT b{n}", "b{n} OR a{n}", "b{n} <> o{n} OR b{n} <> a{n}",
)  # fmt: skip
#: What is said of a whole table before that: of whom; rows and people held; due; too exact; agreed people.
HEAD = 7
#: What is said of each purpose: rows and people of each count, those who object, those who consent.
WIDTH = 2 * len(COUNTED) + 2

#: Whose rows those of a subject are, in the words of `Whose`.
KIND = (
    f"CASE WHEN whose = {NOBODY}::uuid THEN 'nobody' WHEN whose >= '{LEAST}'::uuid THEN 'identifier' ELSE 'person' END"
)
#: Who would be in what once everybody with an open account has agreed to the new version, as `in_units` folds it.
#: The purposes are given as arrays; `place` is the place of a purpose's bit in what is wanted, whatever its stamp is.
STANDING = """WITH known AS MATERIALIZED (
    SELECT * FROM unnest(%(purposes)s::text[], %(places)s::integer[], %(bases)s::text[], %(since)s::integer[])
        AS k (purpose, place, basis, since)
), agreed AS (
    SELECT subject AS whose, max(version) FILTER (WHERE ended_at IS NULL) AS version
    FROM troth.agreement{whose} GROUP BY subject
), last AS (
    SELECT DISTINCT ON (subject, purpose) subject AS whose, purpose, kind, version
    FROM troth.choice{whose} ORDER BY subject, purpose, at DESC, choice DESC
), chosen AS (
    SELECT last.whose, bit_or(1::bigint << k.place) FILTER (
               WHERE k.basis = 'legitimate interest' AND last.kind = 'objection') AS objected,
           bit_or(1::bigint << k.place) FILTER (
               WHERE k.basis = 'consent' AND last.kind = 'consent' AND last.version >= k.since) AS consented
    FROM last JOIN known AS k USING (purpose) GROUP BY last.whose
), standing AS (
    SELECT agreed.whose, agreed.version AS agreed_to, agreed.version IS NOT NULL AS is_open,
           coalesce(chosen.objected, 0) AS objected, coalesce(chosen.consented, 0) AS consented,
           bits.bound | (bits.interests & ~coalesce(chosen.objected, 0)) | coalesce(chosen.consented, 0) AS wanted
    FROM agreed LEFT JOIN chosen USING (whose), (
        SELECT coalesce(bit_or(1::bigint << place) FILTER (WHERE basis IN ('agreement', 'legal duty')), 0) AS bound,
               coalesce(bit_or(1::bigint << place) FILTER (WHERE basis = 'legitimate interest'), 0) AS interests
        FROM known
    ) AS bits
)"""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A purpose under both versions.

    `place` is that of its bit in what is wanted; `bit` the place of its bit in stamps, None where nobody is in it;
    `kept` whether who is in it stays in it when the new version is applied.
    """

    purpose: str
    place: int
    bit: int | None
    kept: bool
    basis: Basis | None
    since: int


@dataclass(frozen=True, slots=True)
class Foresight:
    """Two plans, and how each purpose stands under both; of everybody, or with `personal` of `%(subject)s` alone."""

    old: Plan
    new: Plan
    purposes: tuple[Ahead, ...]
    personal: bool = False

    @property
    def told(self) -> Mapping[str, object]:
        """Return the parameters that every question takes."""
        later = [each for each in self.purposes if each.basis]
        return {
            "purposes": [each.purpose for each in later],
            "places": [each.place for each in later],
            "bases": [str(each.basis) for each in later],
            "since": [each.since for each in later],
        }

    @property
    def stamp(self) -> str:
        """Return what a row may be used for; a person may not read their rows' stamps, which are all the same."""
        return "(SELECT p.uses FROM troth.permitted AS p WHERE p.subject = %(subject)s)" if self.personal else "r.uses"

    def stamped(self, purposes: Collection[str]) -> str:
        """Return whether a row is stamped now for one of those purposes, as far as they are kept."""
        bits = {1 << a.bit for a in self.purposes if a.purpose in purposes and a.kept and a.bit is not None}
        return f"{self.stamp} & {sum(bits)}::bigint <> 0" if bits else "false"


def standings(foresight: Foresight) -> str:
    """Ask, for each purpose, how many are in it before, at once and after agreement, drop out, object, consent.

    Before that: how many have agreed to anything and are open, and of them to `%(now)s` and to `%(floor)s`.
    """
    parts = [
        "count(*)",
        "count(*) FILTER (WHERE agreed_to >= %(now)s)",
        "count(*) FILTER (WHERE agreed_to >= %(floor)s)",
    ]
    for each in foresight.purposes:
        before = _has("p.uses", each.bit)
        at_once = before if each.kept else "false"
        conditions = (before, at_once, _wanted(each), f"{before} AND NOT ({at_once})",
                      _has("objected", each.place), _has("consented", each.place))  # fmt: skip
        parts += [f"count(*) FILTER (WHERE {condition})" for condition in conditions]
    listed = ", ".join(parts)
    return (
        f"{_standing(foresight)} SELECT {listed} FROM standing"
        f" JOIN troth.permitted AS p ON p.subject = whose WHERE is_open AND whose < '{LEAST}'::uuid"
    )


def rows(foresight: Foresight, table: Table) -> str:
    """Ask how a table's rows stand, by whose they are: HEAD numbers, then WIDTH for each purpose."""
    judged = ", ".join(_judged(foresight, table.name))
    sums = ", ".join(f"count(*) FILTER (WHERE {condition}) AS {name}" for name, condition in _sums(foresight))
    whole = ", ".join(_whole(foresight))
    return f"""{_standing(foresight)}, judged AS (
    SELECT r.subject AS whose, {judged}
    FROM troth.{quoted(table.name)} AS r LEFT JOIN standing AS s ON s.whose = r.subject
    {"WHERE r.subject = %(subject)s" if foresight.personal else ""}
), summed AS (SELECT whose, {sums} FROM judged GROUP BY whose)
SELECT {KIND}, {whole}
FROM summed LEFT JOIN standing AS s USING (whose) GROUP BY 1 ORDER BY 1 DESC"""


def _standing(foresight: Foresight) -> str:
    return STANDING.replace("{whose}", " WHERE subject = %(subject)s" if foresight.personal else "")


def _has(bits: str, place: int | None) -> str:
    return "false" if place is None else f"{bits} & {1 << place}::bigint <> 0"


def _wanted(ahead: Ahead) -> str:
    return _has("wanted", ahead.place) if ahead.basis else "false"


def _judged(foresight: Foresight, table: str) -> Iterator[str]:
    """Yield what is judged of each row, with its name."""
    lasted, lasts = (
        _lasts(foresight, plan, table, new=new) for plan, new in ((foresight.old, False), (foresight.new, True))
    )
    yield f"({lasted}) AND NOT ({lasts}) AS due"
    yield f"({lasts}) AND ({_too_exact(foresight, table)}) AS fine"
    was, will = _windows(foresight.old, table), _windows(foresight.new, table)
    for number, each in enumerate(foresight.purposes):
        # Nor may a person read which of their rows came from a browser that objects: all of them are counted.
        marked = [not foresight.personal and each.purpose in plan.signalled for plan in (foresight.old, foresight.new)]
        stamped = _has(foresight.stamp, each.bit)
        stays = stamped if each.kept else "false"
        later = f"CASE WHEN s.is_open THEN {_wanted(each)} ELSE {stays} END"
        yield f"{_seen(stamped, was.get(each.purpose), unmarked=marked[0])} AS b{number}"
        yield f"{_seen(stays, will.get(each.purpose), unmarked=marked[1])} AS o{number}"
        yield f"{_seen(later, will.get(each.purpose), unmarked=marked[1])} AS a{number}"


def _windows(plan: Plan, table: str) -> Mapping[str, Window]:
    return {rows.purpose: rows.window for rows in plan.rows if rows.table == table}


def _seen(stamped: str, window: Window | None, *, unmarked: bool) -> str:
    parts = [f"({stamped})", within(window), *([UNMARKED] if unmarked else [])] if window else ["false"]
    return " AND ".join(parts)


def within(window: Window) -> str:
    """Return whether a row is in a window now."""
    match window.kind:
        case WindowKind.DAYS:
            return alive(Retention("", window.days, None, ()))
        case WindowKind.ACCOUNT:
            return alive(Retention("", None, window.days, ()))
        case WindowKind.CONSENTED:
            return "ended_at IS NULL"


def _lasts(foresight: Foresight, plan: Plan, table: str, *, new: bool) -> str:
    retention = plan.longest(table)
    if new:
        return alive(retention, foresight.stamped(retention.consented))
    bits = {1 << a.bit for a in foresight.purposes if a.purpose in retention.consented and a.bit is not None}
    return alive(retention, f"{foresight.stamp} & {sum(bits)}::bigint <> 0")


def _too_exact(foresight: Foresight, table: str) -> str:
    """Return whether a row is older than a new coarsening allows, and was not made so coarse before by an old one."""
    parts = []
    for each in foresight.new.coarsenings:
        if each.table == table:
            done = [f"at <= statement_timestamp() - {hours(old.days)}" for old in _before(foresight.old, each)]
            parts.append(f"at <= statement_timestamp() - {hours(each.days)} AND NOT ({' OR '.join(done) or 'false'})")
    return " OR ".join(f"({part})" for part in parts) or "false"


def _before(old: Plan, new: Coarsening) -> list[Coarsening]:
    same = [each for each in old.coarsenings if (each.table, each.column) == (new.table, new.column)]
    return [each for each in same if each.precision.within(new.precision)]


def _sums(foresight: Foresight) -> Iterator[tuple[str, str]]:
    yield from (("rows", "true"), ("due", "due"), ("fine", "fine"))
    for number in range(len(foresight.purposes)):
        for place, condition in enumerate(COUNTED):
            yield f"n{number}_{place}", condition.format(n=number)


def _whole(foresight: Foresight) -> Iterator[str]:
    yield "sum(rows)::bigint"
    yield "count(*)"
    yield "sum(due)::bigint"
    yield "count(*) FILTER (WHERE due > 0)"
    yield "sum(fine)::bigint"
    yield "count(*) FILTER (WHERE s.agreed_to >= %(now)s)"
    for number, each in enumerate(foresight.purposes):
        for place in range(len(COUNTED)):
            yield f"sum(n{number}_{place})::bigint"
            yield f"count(*) FILTER (WHERE n{number}_{place} > 0)"
        yield f"count(*) FILTER (WHERE {_has('s.objected', each.place)})"
        yield f"count(*) FILTER (WHERE {_has('s.consented', each.place)})"
