"""The functions whose bodies name every stamped table: stamping, restamping, ending, removing, sweeping."""

from collections.abc import Iterator

from troth.policy.catalog import Catalog, Function, Table
from troth.policy.meaning import Occasion
from troth.policy.plan import Plan, Retention

SECURE = "SECURITY DEFINER SET search_path = ''"
#: Rows that one call of `sweep` takes from a table, so that no transaction grows long.
BATCH = 5000
#: People that one call folds or erases, each of whom holds up the inserts of a bucket until it ends.
PEOPLE = 500
NOBODY = "'00000000-0000-0000-0000-000000000000'"
LIVE = "(SELECT coalesce(bit_or(1::bigint << u.bit), 0) FROM troth.unit AS u WHERE u.retired_at IS NULL)"


def routines(plan: Plan, catalog: Catalog) -> Iterator[Function]:
    """Yield them, all owned by the stamper."""
    for table in catalog.stamped:
        if table.inserter is None:
            yield Function(f"stamp_{table.name}", "", "stamper", (), _stamp(table))
    yield Function("restamp", "uuid, bigint", "stamper", (), _restamp(catalog))
    yield Function("end_rows", "uuid", "stamper", (), _end_rows(plan, catalog))
    yield Function("remove_subject", "uuid", "stamper", (), _remove(catalog))
    yield Function("sweep", "", "stamper", ("steward",), _sweep(plan, catalog))
    yield Function("misstamped", "", "stamper", ("steward",), _misstamped(catalog))


def hours(days: int) -> str:
    """Write days as hours: taking days from a time goes through the calendar, row by row, at ten times the cost."""
    return f"interval '{days * 24} hours'"


def _key(table: Table, left: str, right: str) -> str:
    return " AND ".join(f"{left}.{column} = {right}.{column}" for column in table.key)


def _stamp(table: Table) -> str:
    # Lock first, judge in a statement of its own: a snapshot taken before the lock would miss a withdrawal that
    # committed while we waited. Rows whose hint was right are not written again, nor even looked up.
    key = ", ".join(f"fresh.{column}" for column in table.key)
    return f"""CREATE OR REPLACE FUNCTION troth.stamp_{table.name}() RETURNS trigger
LANGUAGE plpgsql VOLATILE {SECURE} SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7276, bucket) FROM (
        SELECT DISTINCT uuid_hash(subject) & 1023 AS bucket FROM fresh ORDER BY 1
    ) AS buckets;
    WITH wrong AS MATERIALIZED (
        SELECT {key}, coalesce(truth.uses, 0) AS stamp
        FROM fresh LEFT JOIN troth.permitted AS truth ON truth.subject = fresh.subject
        WHERE fresh.uses <> coalesce(truth.uses, 0)
    )
    UPDATE troth.{table.name} AS stored SET uses = wrong.stamp FROM wrong WHERE {_key(table, "stored", "wrong")};
    RETURN NULL;
END
$$"""


def _restamp(catalog: Catalog) -> str:
    updates = "\n".join(
        f"    UPDATE troth.{table.name} SET uses = stamp WHERE subject = whose AND uses <> stamp;"
        for table in catalog.stamped
    )
    return f"""CREATE OR REPLACE FUNCTION troth.restamp(whose uuid, stamp bigint) RETURNS void
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
BEGIN
{updates}
END
$$"""


def _alive(retention: Retention) -> str:
    """Return whether some use of a row still lasts."""
    parts = []
    if retention.days is not None:
        parts.append(f"at > statement_timestamp() - {hours(retention.days)}")
    if retention.after_end is not None:
        parts.append(f"ended_at IS NULL OR ended_at > statement_timestamp() - {hours(retention.after_end)}")
    if retention.consented:
        names = ", ".join(f"'{purpose}'" for purpose in retention.consented)
        bits = (
            "(SELECT coalesce(bit_or(1::bigint << u.bit), 0) FROM troth.unit AS u"
            f" WHERE u.retired_at IS NULL AND u.purpose IN ({names}))"
        )
        parts.append(f"ended_at IS NULL AND uses & {bits} <> 0")
    return " OR ".join(f"({part})" for part in parts) or "false"


def _end_rows(plan: Plan, catalog: Catalog) -> str:
    steps = []
    for table in catalog.stamped:
        kept = any(r.table == table.name and (r.days or r.after_end) for r in plan.retention)
        if kept:
            steps.append(f"    UPDATE troth.{table.name} SET ended_at = statement_timestamp() WHERE subject = whose;")
        else:
            steps.append(f"    DELETE FROM troth.{table.name} WHERE subject = whose;")
    body = "\n".join(steps)
    return f"""CREATE OR REPLACE FUNCTION troth.end_rows(whose uuid) RETURNS void
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
BEGIN
{body}
END
$$"""


def _remove(catalog: Catalog) -> str:
    tables = [
        t.name for t in catalog if t.bound and t.name != "subject" and any(c.name == "subject" for c in t.columns)
    ]
    deletes = "\n".join(f"    DELETE FROM troth.{name} WHERE subject = whose;" for name in tables)
    return f"""CREATE OR REPLACE FUNCTION troth.remove_subject(whose uuid) RETURNS void
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
BEGIN
{deletes}
    DELETE FROM troth.subject WHERE subject = whose;
END
$$"""


def _sweep(plan: Plan, catalog: Catalog) -> str:
    rows_left = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM troth.{t.name} AS r WHERE r.subject = s.subject)" for t in catalog.stamped
    )
    absent = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM troth.{t.name} AS r WHERE (r.uses >> u.bit) & 1 = 1)" for t in catalog.stamped
    )
    # Nothing here waits for somebody who waits for us: buckets in the order in which inserts take them, no row that
    # another holds, and the ledger, where everybody queues, at the very end.
    return f"""CREATE OR REPLACE FUNCTION troth.sweep() RETURNS bigint
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
DECLARE gone bigint := 0; erased bigint := 0; many bigint; whose uuid;
BEGIN
    FOR whose IN SELECT p.subject FROM troth.permitted AS p WHERE EXISTS (
        SELECT 1 FROM troth.unit AS u
        WHERE u.retired_at IS NOT NULL AND u.swept_at IS NULL AND (p.uses >> u.bit) & 1 = 1
    ) ORDER BY uuid_hash(p.subject) & 1023 LIMIT {PEOPLE} FOR UPDATE OF p SKIP LOCKED LOOP
        PERFORM troth.fold(whose);
    END LOOP;
{_forget_visits(catalog)}
    UPDATE troth.unit AS u SET swept_at = statement_timestamp()
    WHERE u.retired_at IS NOT NULL AND u.swept_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM troth.permitted AS p WHERE (p.uses >> u.bit) & 1 = 1) AND {absent};
{_end_stragglers(catalog)}
{_remove_expired(plan, catalog)}
    DELETE FROM troth.request_token WHERE expires_at <= statement_timestamp();
    FOR whose IN
        SELECT s.subject FROM troth.subject AS s WHERE s.ended_at IS NOT NULL AND {rows_left}
        LIMIT {PEOPLE} FOR UPDATE OF s SKIP LOCKED
    LOOP
        PERFORM troth.remove_subject(whose);
        erased := erased + 1;
    END LOOP;
    FOR many IN 1..erased LOOP
        PERFORM troth.record('erased', NULL, NULL, '{{}}');
    END LOOP;
    RETURN gone + erased;
END
$$"""


def _forget_visits(catalog: Catalog) -> str:
    """Return how retired bits leave the rows of visits, which belong to nobody who could be folded."""
    retired = "(SELECT coalesce(bit_or(1::bigint << u.bit), 0) FROM troth.unit AS u"
    retired += " WHERE u.retired_at IS NOT NULL AND u.swept_at IS NULL)"
    steps = []
    for table in catalog.stamped:
        if Occasion.VISIT in table.occasions:
            key = ", ".join(table.key)
            steps.append(f"""    UPDATE troth.{table.name} SET uses = uses & {LIVE} WHERE ({key}) IN (
        SELECT {key} FROM troth.{table.name}
        WHERE subject = {NOBODY}::uuid AND uses & {retired} <> 0 LIMIT {BATCH} FOR UPDATE SKIP LOCKED
    );""")
    return "\n".join(steps)


def _end_stragglers(catalog: Catalog) -> str:
    """Return how rows that arrived after their account ended, out of some queue, end with it."""
    return "\n".join(
        f"    UPDATE troth.{table.name} AS r SET ended_at = s.ended_at FROM troth.subject AS s"
        " WHERE s.ended_at > statement_timestamp() - interval '24 hours'"
        " AND r.subject = s.subject AND r.ended_at IS NULL;"
        for table in catalog.stamped
    )


def _remove_expired(plan: Plan, catalog: Catalog) -> str:
    steps = []
    for retention in plan.retention:
        table = catalog.table(retention.table)
        key = ", ".join(table.key)
        steps.append(
            f"""    DELETE FROM troth.{table.name} WHERE ({key}) IN (
        SELECT {key} FROM troth.{table.name} WHERE NOT ({_alive(retention)}) LIMIT {BATCH} FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS many = ROW_COUNT;
    gone := gone + many;"""
        )
    return "\n".join(steps)


def _misstamped(catalog: Catalog) -> str:
    counts = " UNION ALL ".join(
        f"SELECT '{t.name}'::text, count(*) FROM troth.{t.name} AS r LEFT JOIN troth.permitted AS p USING (subject)"
        # Visits of before a widening keep the stamps they had; what counts is that no live bit was added.
        f" WHERE CASE WHEN r.subject = {NOBODY}::uuid THEN r.uses & {LIVE} & ~coalesce(p.uses, 0) <> 0"
        f" ELSE r.uses <> coalesce(p.uses, 0) END"
        for t in catalog.stamped
    )
    return f"""CREATE OR REPLACE FUNCTION troth.misstamped() RETURNS TABLE (table_name text, rows bigint)
LANGUAGE sql STABLE {SECURE} AS $$ {counts} $$"""
