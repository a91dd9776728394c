-- name: import_keys
-- Remember keys of imported lines and return those that were new.
CREATE OR REPLACE FUNCTION troth.import_keys(keys bytea[]) RETURNS SETOF bytea
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO troth.imported (key) SELECT DISTINCT unnest(keys) ORDER BY 1 ON CONFLICT DO NOTHING RETURNING key
$$;

-- name: forget_imported
-- Forget the keys of lines that were brought in so long ago: were they brought in again, they would be refused for their age.
CREATE OR REPLACE FUNCTION troth.forget_imported(longest interval) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM troth.imported WHERE at < statement_timestamp() - longest
$$;

-- name: count_outcomes
-- Add to the count of a day's outcomes (`refused`, `dropped`) of one kind, reason and clause, as far as these are known.
CREATE OR REPLACE FUNCTION troth.count_outcomes(of_outcome text, of_kind text, for_reason text, by_clause text, many bigint)
RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO troth.intake_count AS c (day, outcome, kind, reason, clause, count)
    VALUES ((statement_timestamp() AT TIME ZONE 'UTC')::date, of_outcome, of_kind, for_reason, by_clause, many)
    ON CONFLICT (day, outcome, kind, reason, clause) DO UPDATE SET count = c.count + excluded.count
$$;

-- name: beat
-- Note how a process does, of at most two hundred, forget those that have been silent for a day, and return how much was stored by
-- all of them.
CREATE OR REPLACE FUNCTION troth.beat(of_node uuid, since timestamptz, stored timestamptz, many bigint, told bigint [])
RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM troth.intake_node WHERE seen < statement_timestamp() - interval '24 hours';
    INSERT INTO troth.intake_node (node, started, seen, latest, commits, figures)
    SELECT of_node, since, statement_timestamp(), stored, many, told
    WHERE (SELECT count(*) FROM troth.intake_node AS other WHERE other.node <> of_node) < 200
    ON CONFLICT (node) DO UPDATE
        SET seen = excluded.seen, latest = excluded.latest, commits = excluded.commits, figures = excluded.figures;
    SELECT sum(commits)::bigint FROM troth.intake_node
$$;

-- name: uses_now
-- What rows of these may be used for now, nothing of whoever has ended, behind their buckets: nobody leaves a purpose before the caller's transaction ends.
CREATE OR REPLACE FUNCTION troth.uses_now(whose uuid []) RETURNS TABLE (subject uuid, uses bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7276, bucket) FROM (
        SELECT DISTINCT uuid_hash(each) & 1023 AS bucket FROM unnest(whose) AS each ORDER BY 1
    ) AS buckets;
    -- In a statement of its own, which sees what those committed for whom this one waited.
    RETURN QUERY SELECT truth.subject, truth.uses FROM troth.permitted AS truth
    JOIN troth.subject AS person ON person.subject = truth.subject AND person.ended_at IS NULL WHERE truth.subject = ANY (whose);
END
$$;
