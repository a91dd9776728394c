-- name: import_keys
-- Remember keys of imported lines and return those that were new.
CREATE OR REPLACE FUNCTION troth.import_keys(keys bytea[]) RETURNS SETOF bytea
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO troth.imported (key) SELECT DISTINCT unnest(keys) ORDER BY 1 ON CONFLICT DO NOTHING RETURNING key
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
