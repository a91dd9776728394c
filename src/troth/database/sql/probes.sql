-- name: probe_limits
SELECT set_config('statement_timeout', '3s', true), set_config('lock_timeout', '500ms', true)

-- name: probe_read
SELECT seen.{column} FROM {schema}.{table} AS seen LIMIT 0

-- name: probe_months
-- The month that a row of now goes to, with the partition for what has none; and whether one ends after the next month began.
SELECT array_agg(c.relname) FILTER (WHERE b.ends IS NULL OR b.ends > statement_timestamp() AND b.ends <= b.began + interval '1 month'),
       coalesce(bool_or(b.ends > b.began + interval '1 month'), false)
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid CROSS JOIN LATERAL (
    SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz AS ends,
           date_trunc('month', statement_timestamp(), 'UTC') AS began
) AS b
WHERE i.inhparent = %(parent)s::regclass

-- name: probe_any
-- Whoever has a right to any column may ask this.
SELECT FROM {schema}.{table} LIMIT 0

-- name: probe_read_all
SELECT * FROM {schema}.{table} LIMIT 0

-- name: probe_row
SELECT 1 FROM {schema}.{table} LIMIT 1

-- name: probe_update
UPDATE troth.{table} SET {column} = NULL WHERE false

-- name: probe_insert
INSERT INTO troth.{table} ({column}) SELECT NULL WHERE false

-- name: probe_delete
DELETE FROM troth.{table} WHERE false

-- name: probe_become
SET LOCAL ROLE {role}

-- name: probe_call
-- Nothing is called: that it may be called is looked at before it is found that no row calls it.
SELECT troth.{function}({arguments}) WHERE false

-- name: probe_temporary
CREATE TEMPORARY TABLE troth_probe (a integer)

-- name: probe_table
CREATE TABLE {schema}.troth_probe (a integer)

-- name: probe_schema
CREATE SCHEMA troth_probe

-- name: probe_block
DO $$ BEGIN END $$

-- name: probe_older
-- Rows that a purpose sees, and that are older than its window.
SELECT 1 FROM {schema}.{table} WHERE at <= statement_timestamp() - make_interval(hours => %(hours)s) LIMIT 1

-- name: probe_subjects
-- Whose rows a purpose sees: of some of them, so that a large table takes no longer than a small one.
SELECT DISTINCT subject FROM (SELECT subject FROM {schema}.{table} LIMIT 2000) AS seen LIMIT 200

-- name: probe_subjects_again
SELECT DISTINCT subject FROM {schema}.{table} WHERE subject = ANY(%(subjects)s)

-- name: probe_standings
-- What each is in, and whether an agreement stands (it ends with the account).
SELECT whose, stands.uses, stands.version > 0
FROM unnest(%(subjects)s::uuid[]) AS whose CROSS JOIN LATERAL troth.standing(whose) AS stands

-- name: probe_token
SELECT set_config('troth.token', %(token)s, true)

-- name: probe_viewer
SELECT troth.viewer()

-- name: probe_types
SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped

-- name: probe_store
INSERT INTO troth.{table} ({columns}) VALUES ({values})

-- name: probe_tail
-- The last entries, each recomputed from its row as `record` says that it is made, and linked to the one before.
WITH tail AS (
    SELECT * FROM troth.ledger_entry ORDER BY index DESC LIMIT 200
), linked AS (
    SELECT *, lag(hash) OVER (ORDER BY index) AS before, lag(index) OVER (ORDER BY index) + 1 AS follows FROM tail
)
SELECT index FROM linked WHERE previous <> coalesce(before, previous) OR index <> coalesce(follows, index)
    OR hash <> sha256('\x01'::bytea || previous || sha256('\x00'::bytea || convert_to(
        '{{"action":"' || action
        || '","actor":' || coalesce('"' || encode(actor, 'hex') || '"', 'null')
        || ',"at":' || (extract(epoch FROM at) * 1000000)::bigint
        || ',"facts":{{' || coalesce((SELECT string_agg('"' || fact.key || '":' || fact.value, ',' ORDER BY fact.key COLLATE "C")
                                      FROM jsonb_each(facts) AS fact), '')
        || '}},"index":' || index
        || ',"subject":' || coalesce('"' || encode(subject, 'hex') || '"', 'null')
        || '}}', 'UTF8')))
ORDER BY index LIMIT 1

-- name: probe_outbox
-- How many mails nobody has tried for ten minutes after they were due, and how many were tried in vain for an hour. Letters wait
-- for people.
SELECT count(*) FILTER (WHERE next_try_at < statement_timestamp() - interval '10 minutes'),
       count(*) FILTER (WHERE tries > 0 AND at < statement_timestamp() - interval '1 hour')
FROM troth.notice WHERE channel = 'e-mail'

-- name: probe_overdue
SELECT table_name FROM troth.overdue() WHERE overdue ORDER BY table_name LIMIT 1

-- name: probe_encrypted
SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()

-- name: write_probe
INSERT INTO troth.probe (name, ok, sentence, at) VALUES (%(name)s, %(ok)s, %(sentence)s, statement_timestamp())
ON CONFLICT (name) DO UPDATE SET ok = excluded.ok, sentence = excluded.sentence, at = excluded.at

-- name: forget_probes
DELETE FROM troth.probe WHERE name <> ALL(%(names)s)

-- name: latest_probes
SELECT name, ok, sentence, at FROM troth.probe

-- name: probe_held
-- Which checks are enforced.
SELECT c.relname, k.conname FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
WHERE c.relnamespace = 'troth'::regnamespace AND k.contype = 'c' AND k.conenforced
