"""The functions that let rows go, make values coarser, and count what is due, over every stamped table."""

from collections.abc import Iterable, Iterator, Sequence

from troth.policy.bound import UNTIL, bound, lapsed, reached, shorter
from troth.policy.catalog import Catalog, Function, Table
from troth.policy.copying import SECURE
from troth.policy.lasting import alive, coarsened, emptied, ends, in_time, made
from troth.policy.planned import Coarsening, Plan, Retention
from troth.policy.quoting import quoted

#: Rows that one call of `retain` removes from a table, and makes coarser in it, so that no transaction grows long.
BATCH = 5000
#: A run that was silent for so long was killed: the next one tells what it had counted. No call lasts half of it.
SILENT = "interval '5 minutes'"


def functions(plan: Plan, catalog: Catalog) -> Iterator[Function]:
    """Yield them, all owned by the stamper."""
    yield Function("retain", "uuid", "stamper", ("steward",), _retain(plan, catalog))
    yield Function("end_run", "uuid", "stamper", ("steward",), _end_run(plan))
    yield Function("retention_status", "", "stamper", ("steward",), _status(plan, catalog))
    yield Function("overdue", "", "stamper", ("steward",), _overdue(plan))


def _retain(plan: Plan, catalog: Catalog) -> str:
    # Nothing here waits for anybody: rows that another holds are left for the next call.
    steps = "\n".join(
        _retain_in(
            catalog.table(retention.table),
            retention,
            coarsened(plan, retention.table),
            emptied(plan, retention.table),
        )
        for retention in plan.retention
    )
    return f"""CREATE OR REPLACE FUNCTION troth.retain(this uuid) RETURNS bigint
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
<<here>>
DECLARE gone bigint; coarser bigint; many bigint; changed bigint := 0;
DECLARE since timestamptz; upto timestamptz; moment timestamptz; early timestamptz; meanwhile timestamptz;
BEGIN
{steps}
    RETURN changed;
END
$$"""


def _retain_in(table: Table, retention: Retention, coarsenings: Iterable[Coarsening], empty: Sequence[str]) -> str:
    due = _due(table, f"NOT ({alive(retention)})")
    coarsen = "\n".join(_coarsen(table, retention, each) for each in coarsenings)
    coarsen += _empty(table, empty) if empty else ""
    return f"""    WITH due AS MATERIALIZED ({due})
    DELETE FROM troth.{table.name} AS stored USING due WHERE {keyed(table, "stored", "due")};
    GET DIAGNOSTICS gone = ROW_COUNT;
{_retain_bound(table, retention)}    coarser := 0;
    since := coalesce(
        (SELECT reached FROM troth.retention_run WHERE (run, table_name) = (this, '{table.name}')), '-infinity'
    );
    upto := 'infinity';
{coarsen}
    IF gone + coarser > 0 THEN
        INSERT INTO troth.retention_run AS r (run, table_name, removed, coarsened, reached)
        VALUES (this, '{table.name}', gone, coarser, upto) ON CONFLICT (run, table_name) DO UPDATE SET
            at = excluded.at, reached = excluded.reached,
            removed = r.removed + excluded.removed, coarsened = r.coarsened + excluded.coarsened;
        changed := changed + gone + coarser;
    END IF;"""


def _retain_bound(table: Table, retention: Retention) -> str:
    """Return how rows go that the version in force keeps, and the one that their subject agreed to does not."""
    sooner = shorter(retention)
    if not sooner:
        return ""
    due = _due(
        table,
        f"at <= here.early AND (at <= here.meanwhile OR ended_at IS NOT NULL) AND {UNTIL} <= statement_timestamp()",
        beside=f" JOIN {bound(table.name, sooner)} ON bound.bound_subject = {table.name}.subject",
    )
    return f"""    early := {reached(retention)};
    IF early IS NOT NULL THEN
        meanwhile := {reached(retention, ended=False)};
        WITH due AS MATERIALIZED ({due})
        DELETE FROM troth.{table.name} AS stored USING due WHERE {keyed(table, "stored", "due")};
        GET DIAGNOSTICS many = ROW_COUNT;
        gone := gone + many;
    END IF;
"""


def _coarsen(table: Table, retention: Retention, each: Coarsening) -> str:
    # In the order of time from where this run is: what it has passed is not read again at each batch.
    due = _due(table, f"at >= since AND ({alive(retention)}) AND NOT {in_time(each)} ORDER BY at")
    return f"""    WITH due AS MATERIALIZED ({due}), done AS (
        UPDATE troth.{table.name} AS stored SET {each.column} = {made(f"stored.{each.column}", each.precision)} FROM due
        WHERE {keyed(table, "stored", "due")} RETURNING due.at
    ) SELECT count(*), max(at) INTO many, moment FROM done;
    coarser := coarser + many;
    upto := least(upto, CASE WHEN many >= {BATCH} THEN moment END);"""


def _empty(table: Table, columns: Sequence[str]) -> str:
    due = _due(table, _filled(columns))
    emptying = ", ".join(f"{quoted(column)} = NULL" for column in columns)
    return f"""
    WITH due AS MATERIALIZED ({due})
    UPDATE troth.{table.name} AS stored SET {emptying} FROM due WHERE {keyed(table, "stored", "due")};
    GET DIAGNOSTICS many = ROW_COUNT;
    coarser := coarser + many;"""


def _filled(columns: Sequence[str]) -> str:
    return f"({' OR '.join(f'{quoted(column)} IS NOT NULL' for column in columns)})"


def _due(table: Table, judged: str, beside: str = "") -> str:
    # Judged once and looked up by key: a sub-select with a limit may be asked again for each row.
    key = ", ".join(dict.fromkeys((*table.key, "at")))
    locked = f"FOR UPDATE OF {table.name} SKIP LOCKED"
    return f"SELECT {key} FROM troth.{table.name}{beside} WHERE {judged} LIMIT {BATCH} {locked}"


def _end_run(plan: Plan) -> str:
    # What a killed run had counted is moved, never copied, so that every row is told of once.
    names = ", ".join(f"'{retention.table}'" for retention in plan.retention)
    return f"""CREATE OR REPLACE FUNCTION troth.end_run(this uuid) RETURNS void
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
DECLARE told jsonb;
BEGIN
    WITH old AS (
        DELETE FROM troth.retention_run WHERE (run, table_name) IN (
            SELECT run, table_name FROM troth.retention_run
            WHERE finished_at < statement_timestamp() - interval '1 day'
               OR finished_at IS NULL AND run <> this AND at < statement_timestamp() - {SILENT}
            FOR UPDATE SKIP LOCKED
        ) RETURNING table_name, removed, coarsened, finished_at
    ), counted (table_name, removed, coarsened) AS (
        SELECT name, 0, 0 FROM unnest(ARRAY[{names}]::text[]) AS known (name)
        UNION ALL SELECT table_name, removed, coarsened FROM old WHERE finished_at IS NULL
    )
    INSERT INTO troth.retention_run AS r (run, table_name, removed, coarsened, finished_at)
    SELECT this, c.table_name, sum(c.removed), sum(c.coarsened), statement_timestamp() FROM counted AS c GROUP BY 2
    ON CONFLICT (run, table_name) DO UPDATE SET finished_at = excluded.finished_at,
        removed = r.removed + excluded.removed, coarsened = r.coarsened + excluded.coarsened;
    SELECT jsonb_object_agg(what, rows) INTO told FROM troth.retention_run AS r CROSS JOIN LATERAL (
        VALUES ('removed_' || r.table_name, r.removed), ('coarsened_' || r.table_name, r.coarsened)
    ) AS counts (what, rows) WHERE r.run = this AND rows > 0;
    IF told IS NOT NULL THEN
        PERFORM troth.record('retained', NULL, NULL, told);
    END IF;
END
$$"""


def _status(plan: Plan, catalog: Catalog) -> str:
    rows = " UNION ALL ".join(
        _status_of(t, plan.longest(t.name), coarsened(plan, t.name), emptied(plan, t.name)) for t in catalog.stamped
    )
    return f"""CREATE OR REPLACE FUNCTION troth.retention_status()
RETURNS TABLE (table_name text, rows bigint, due bigint, fine bigint, oldest timestamptz, next_due timestamptz)
LANGUAGE sql STABLE {SECURE} AS $$ {rows} $$"""


def _status_of(table: Table, retention: Retention, coarsenings: Iterable[Coarsening], empty: Sequence[str]) -> str:
    lasts = f"({alive(retention)}) AND b.bound_until > statement_timestamp()"
    end = f"least({ends(retention)}, b.bound_until)"
    changing = [f"NOT {in_time(each)}" for each in coarsenings] + ([_filled(empty)] if empty else [])
    fine = " OR ".join(changing) or "false"
    return (
        f"SELECT '{table.name}'::text, count(*), count(*) FILTER (WHERE NOT ({lasts})),"
        f" count(*) FILTER (WHERE ({lasts}) AND ({fine})), min(at),"
        f" min(e.nd) FILTER (WHERE e.nd > statement_timestamp() AND isfinite(e.nd))"
        f" FROM troth.{table.name} LEFT JOIN {bound(table.name, shorter(retention) or 'false')}"
        f" ON bound.bound_subject = {table.name}.subject"
        f" CROSS JOIN LATERAL (SELECT CASE WHEN bound.bound_subject IS NULL THEN 'infinity' ELSE {UNTIL} END)"
        f" AS b (bound_until) CROSS JOIN LATERAL (SELECT {end}) AS e (nd)"
    )


def _overdue(plan: Plan) -> str:
    # What was past every window an hour ago already: since then every sweep has left it.
    before = "(statement_timestamp() - interval '1 hour')"
    over = {kept.table: f"NOT ({alive(kept)}) OR {lapsed(kept)}" for kept in plan.retention}
    tables = " UNION ALL ".join(
        f"SELECT '{table}'::text, EXISTS (SELECT 1 FROM troth.{table}"
        f" WHERE {past.replace('statement_timestamp()', before)})"
        for table, past in over.items()
    )
    return f"""CREATE OR REPLACE FUNCTION troth.overdue() RETURNS TABLE (table_name text, overdue boolean)
LANGUAGE sql STABLE {SECURE} AS $$ {tables or "SELECT ''::text, false WHERE false"} $$"""


def keyed(table: Table, left: str, right: str) -> str:
    """Return that two rows of a table are the same."""
    return " AND ".join(f"{left}.{column} = {right}.{column}" for column in table.key)
