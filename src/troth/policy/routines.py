"""The functions whose bodies name every stamped table: stamping, restamping, ending, removing, sweeping."""

from collections.abc import Iterator, Mapping

from troth.policy import retaining
from troth.policy.audiences import STAFF, areas
from troth.policy.bound import until
from troth.policy.catalog import Catalog, Function, Table
from troth.policy.meaning import Occasion
from troth.policy.planned import Plan
from troth.policy.quoting import literal, quoted
from troth.policy.refusing import declined, judged, refusing
from troth.policy.retaining import BATCH, keyed
from troth.policy.subjects import NOBODY

SECURE = "SECURITY DEFINER SET search_path = ''"
#: People that one call folds or erases, each of whom holds up the inserts of a bucket until it ends.
PEOPLE = 500
#: The sign of a stamp, which no unit's bit can be: the row came from a browser whose signal objects.
MARK = "(1::bigint << 63)"
#: What a row must satisfy for a purpose to which the signal objects.
UNMARKED = "uses >= 0"
LIVE = "(SELECT coalesce(bit_or(1::bigint << u.bit), 0) FROM troth.unit AS u WHERE u.retired_at IS NULL)"


def routines(plan: Plan, catalog: Catalog, bits: Mapping[str, int]) -> Iterator[Function]:
    """Yield them, all owned by the stamper; `bits` names the place of each purpose's bit."""
    for table in catalog.stamped:
        if table.inserter is None:
            yield Function(f"stamp_{table.name}", "", "stamper", (), _stamp(plan, table, bits))
    yield Function("restamp", "uuid, bigint", "stamper", (), _restamp(catalog))
    yield Function("end_rows", "uuid", "stamper", (), _end_rows(plan, catalog))
    yield Function("remove_subject", "uuid", "stamper", (), _remove(catalog))
    yield Function("sweep", "", "stamper", ("steward",), _sweep(catalog))
    yield from retaining.functions(plan, catalog)
    yield Function("empty_own", "text, text", "stamper", ("self",), _empty_own(plan))
    yield Function(
        "remove_own", "text, timestamp with time zone, uuid", "stamper", ("self",), _remove_own(plan, catalog)
    )
    yield Function(
        "uses_of_own", "text[], timestamp with time zone[], uuid[]", "stamper", ("self",), _uses_of_own(catalog)
    )
    yield Function("misstamped", "", "stamper", ("steward",), _misstamped(catalog))
    yield Function("rows_in_area", "uuid, text", "stamper", ("warden",), _rows_in_area(plan, catalog))
    yield Function("in_force", "text", "stamper", ("stamper",), _in_force(plan))
    yield Function("may_tie", "", "stamper", ("stamper",), _may_tie(plan))


def _stamp(plan: Plan, table: Table, bits: Mapping[str, int]) -> str:
    # Lock first, judge in a statement of its own: a snapshot taken before the lock would miss a withdrawal that
    # committed while we waited. Rows whose hint was right are not written again, nor even looked up.
    key = ", ".join(f"fresh.{column}" for column in table.key)
    known = "FROM fresh LEFT JOIN troth.permitted AS truth ON truth.subject = fresh.subject"
    misled = f"fresh.uses & ~{MARK} <> coalesce(truth.uses, 0)"
    refused = declined(plan, table, bits) if judged(table) else "false"
    return f"""CREATE OR REPLACE FUNCTION troth.stamp_{table.name}() RETURNS trigger
LANGUAGE plpgsql VOLATILE {SECURE} SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
DECLARE misled boolean; declined boolean;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7276, bucket) FROM (
        SELECT DISTINCT uuid_hash(subject) & 1023 AS bucket FROM fresh ORDER BY 1
    ) AS buckets;
    SELECT bool_or({misled}), bool_or({refused}) INTO misled, declined {known};
{refusing(table) if judged(table) else ""}    IF misled THEN
        WITH wrong AS MATERIALIZED (
            SELECT {key}, coalesce(truth.uses, 0) | (fresh.uses & {MARK}) AS stamp {known} WHERE {misled}
        )
        UPDATE troth.{table.name} AS stored SET uses = wrong.stamp FROM wrong WHERE {keyed(table, "stored", "wrong")};
    END IF;
    RETURN NULL;
END
$$"""


def _restamp(catalog: Catalog) -> str:
    updates = "\n".join(
        f"    UPDATE troth.{table.name} SET uses = stamp | (uses & {MARK})"
        f" WHERE subject = whose AND uses & ~{MARK} <> stamp;"
        for table in catalog.stamped
    )
    return f"""CREATE OR REPLACE FUNCTION troth.restamp(whose uuid, stamp bigint) RETURNS void
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
BEGIN
{updates}
END
$$"""


def _end_rows(plan: Plan, catalog: Catalog) -> str:
    steps = []
    for table in catalog.stamped:
        kept = plan.longest(table.name)
        if kept.days or kept.after_end:
            steps.append(f"    UPDATE troth.{table.name} SET ended_at = statement_timestamp() WHERE subject = whose;")
            # What only the version in force keeps after the end goes with the account of whoever did not agree to it.
            over = f"{until(table.name)} <= statement_timestamp()"
            steps.append(f"    DELETE FROM troth.{table.name} WHERE subject = whose AND {over};")
        else:
            steps.append(f"    DELETE FROM troth.{table.name} WHERE subject = whose;")
    # What no purpose can be stamped for serves the account alone, and goes with it.
    steps += [
        f"    DELETE FROM troth.{t.name} WHERE {t.of('whose')};"
        for t in catalog
        if t.bound and t.personal and t.by_subject and not t.stamped
    ]
    body = "\n".join(steps)
    return f"""CREATE OR REPLACE FUNCTION troth.end_rows(whose uuid) RETURNS void
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
BEGIN
{body}
END
$$"""


def _remove(catalog: Catalog) -> str:
    tables = [t for t in catalog if t.bound and t.name != "subject" and any(c.name == "subject" for c in t.columns)]
    deletes = "\n".join(f"    DELETE FROM troth.{t.name} WHERE {t.of('whose')};" for t in tables)
    return f"""CREATE OR REPLACE FUNCTION troth.remove_subject(whose uuid) RETURNS void
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
BEGIN
{deletes}
    DELETE FROM troth.subject WHERE subject = whose;
END
$$"""


def _sweep(catalog: Catalog) -> str:
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
DECLARE this uuid := uuidv7(); gone bigint; erased bigint := 0; whose uuid;
BEGIN
    FOR whose IN SELECT p.subject FROM troth.permitted AS p WHERE EXISTS (
        SELECT 1 FROM troth.unit AS u
        WHERE u.retired_at IS NOT NULL AND u.swept_at IS NULL AND (p.uses >> u.bit) & 1 = 1
    ) ORDER BY uuid_hash(p.subject) & 1023 LIMIT {PEOPLE} FOR UPDATE OF p SKIP LOCKED LOOP
        PERFORM troth.fold(whose);
    END LOOP;
    IF NOT FOUND THEN
        PERFORM troth.lapse_permissions();
    END IF;
{_forget_visits(catalog)}
    UPDATE troth.unit AS u SET swept_at = statement_timestamp()
    WHERE u.retired_at IS NOT NULL AND u.swept_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM troth.permitted AS p WHERE (p.uses >> u.bit) & 1 = 1) AND {absent};
{_end_stragglers(catalog)}
    gone := troth.retain(this);
    DELETE FROM troth.request_token WHERE hash IN (
        SELECT hash FROM troth.request_token WHERE expires_at <= statement_timestamp() FOR UPDATE SKIP LOCKED
    );
    FOR whose IN
        SELECT s.subject FROM troth.subject AS s WHERE s.ended_at IS NOT NULL AND {rows_left}
        LIMIT {PEOPLE} FOR UPDATE OF s SKIP LOCKED
    LOOP
        PERFORM troth.remove_subject(whose);
        erased := erased + 1;
    END LOOP;
    PERFORM troth.account_uses();
    FOR _ IN 1..erased LOOP
        PERFORM troth.record('erased', NULL, NULL, '{{}}');
    END LOOP;
    IF gone > 0 THEN
        PERFORM troth.end_run(this);
    END IF;
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
            steps.append(f"""    UPDATE troth.{table.name} SET uses = uses & ({LIVE} | {MARK}) WHERE ({key}) IN (
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


def _empty_own(plan: Plan) -> str:
    # A privilege on a column would let any value in: that only nothing may take its place is said here.
    steps = "\n".join(
        f"""    IF (which, what) = ({literal(own.table)}, {literal(own.column)}) THEN
        UPDATE troth.{own.table} SET {quoted(own.column)} = NULL
        WHERE subject = whose AND {quoted(own.column)} IS NOT NULL;
        RETURN FOUND;
    END IF;"""
        for own in {(own.table, own.column): own for own in plan.own if own.privilege == "delete"}.values()
    )
    return f"""CREATE OR REPLACE FUNCTION troth.empty_own(which text, what text) RETURNS boolean
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
DECLARE whose uuid := troth.viewer();
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
{steps}
    RAISE EXCEPTION 'the policy lets nobody delete this' USING ERRCODE = 'TR060';
END
$$"""


def _remove_own(plan: Plan, catalog: Catalog) -> str:
    steps = "\n".join(
        f"""    IF which = {literal(table.name)} THEN
        DELETE FROM troth.{quoted(table.name)} WHERE subject = whose AND at = moment AND id = what;
        IF FOUND THEN
            PERFORM troth.record('record-deleted', whose, whose, '{{}}');
            RETURN true;
        END IF;
        RETURN false;
    END IF;"""
        for table in catalog
        if table.records and plan.removable(table.name)
    )
    return f"""CREATE OR REPLACE FUNCTION troth.remove_own(which text, moment timestamptz, what uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
DECLARE whose uuid := troth.viewer();
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
{steps}
    RAISE EXCEPTION 'the policy lets nobody delete this' USING ERRCODE = 'TR060';
END
$$"""


def _uses_of_own(catalog: Catalog) -> str:
    # A viewer reads their rows, and of no row what it is stamped with: which purposes still read it, they are told.
    stamps = " ".join(
        f"WHEN {literal(table.name)} THEN (SELECT r.uses FROM troth.{quoted(table.name)} AS r"
        " WHERE r.subject = troth.viewer() AND r.at = asked.moment AND r.id = asked.what)"
        for table in catalog
        if table.records
    )
    return f"""CREATE OR REPLACE FUNCTION troth.uses_of_own(tables text [], moments timestamptz [], ids uuid [])
RETURNS TABLE (nth bigint, uses bigint)
LANGUAGE sql STABLE {SECURE} AS $$
    SELECT asked.nth, CASE asked.which {stamps} END
    FROM unnest(tables, moments, ids) WITH ORDINALITY AS asked (which, moment, what, nth)
$$"""


def _misstamped(catalog: Catalog) -> str:
    unvisited = f"{LIVE[:-1]} AND NOT u.visited)"
    counts = " UNION ALL ".join(
        f"SELECT '{t.name}'::text, count(*) FROM troth.{t.name} AS r LEFT JOIN troth.permitted AS p USING (subject)"
        # Visits of before keep the stamps they had; what counts is that no live bit was added.
        f" WHERE CASE WHEN r.subject = {NOBODY}::uuid THEN r.uses & {unvisited} <> 0"
        f" ELSE r.uses & ~{MARK} <> coalesce(p.uses, 0) END"
        for t in catalog.stamped
    )
    return f"""CREATE OR REPLACE FUNCTION troth.misstamped() RETURNS TABLE (table_name text, rows bigint)
LANGUAGE sql STABLE {SECURE} AS $$ {counts} $$"""


def _rows_in_area(plan: Plan, catalog: Catalog) -> str:
    """Return how many rows of a person a look at one area opens to the operator's staff."""
    bit = f"(SELECT u.bit FROM troth.unit AS u WHERE u.purpose = '{STAFF}' AND u.retired_at IS NULL)"
    counts = " ".join(
        f"+ CASE WHEN of_area = '{area}' THEN (SELECT count(*) FROM troth.{table.name}"
        f" WHERE subject = whose AND (uses >> {bit}) & 1 = 1 AND ended_at IS NULL) ELSE 0 END"
        for table in catalog.stamped
        if STAFF in plan.looking(table.name) and len(areas(table)) == 1
        for area in areas(table)
    )
    return f"""CREATE OR REPLACE FUNCTION troth.rows_in_area(whose uuid, of_area text) RETURNS bigint
LANGUAGE sql STABLE {SECURE} AS $$ SELECT 0::bigint {counts} $$"""


def _in_force(plan: Plan) -> str:
    # What a duty lets the service do, functions of the house ask for here; a policy without it answers no.
    names = ", ".join(f"'{duty}'" for duty in plan.duties)
    return f"""CREATE OR REPLACE FUNCTION troth.in_force(duty text) RETURNS boolean
LANGUAGE sql IMMUTABLE {SECURE} AS $$ SELECT duty = ANY (ARRAY[{names}]::text[]) $$"""


def _may_tie(plan: Plan) -> str:
    return f"""CREATE OR REPLACE FUNCTION troth.may_tie() RETURNS boolean
LANGUAGE sql IMMUTABLE {SECURE} AS $$ SELECT {"true" if plan.tying else "false"} $$"""
