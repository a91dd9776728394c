-- name: open_requests
-- One that waits for something stands behind the others, and is looked at again after two seconds, for a year.
SELECT request, kind, payload, signature FROM troth.keeper_request
WHERE answered_at IS NULL AND (put_off_at IS NULL OR put_off_at < statement_timestamp() - interval '2 seconds'
    AND asked_at > statement_timestamp() - interval '400 days')
ORDER BY put_off_at NULLS FIRST, asked_at LIMIT 10

-- name: put_off
UPDATE troth.keeper_request SET put_off_at = statement_timestamp() WHERE request = %(request)s

-- name: answer_request
-- What asked about a person named them: of that only a digest stays, enough to know the request again.
UPDATE troth.keeper_request SET answered_at = statement_timestamp(), granted = %(granted)s, answer = %(answer)s,
    payload = CASE WHEN starts_with(kind, 'rights.') THEN encode(sha256(convert_to(payload, 'UTF8')), 'hex') ELSE payload END
WHERE request = %(request)s

-- name: answered_before
-- Whoever may ask may also read what was asked: a signature holds for one request, not for its copies.
SELECT 1 FROM troth.keeper_request
WHERE kind = %(kind)s AND payload IN (%(payload)s, encode(sha256(convert_to(%(payload)s, 'UTF8')), 'hex')) AND answered_at IS NOT NULL LIMIT 1

-- name: answered_requests
-- The SHA-256 (hex) of what was asked and answered; of what asked about a person nothing else is there.
SELECT CASE WHEN starts_with(kind, 'rights.') AND payload ~ '^[0-9a-f]{64}$' THEN payload ELSE encode(sha256(convert_to(payload, 'UTF8')), 'hex') END
FROM troth.keeper_request WHERE answered_at IS NOT NULL

-- name: forget_answer
-- What an answer held stays only until it is read: an analyst's password is shown once.
UPDATE troth.keeper_request SET answer = '{}' WHERE answered_at < statement_timestamp() - interval '10 seconds' AND answer <> '{}'

-- name: ask
INSERT INTO troth.keeper_request (kind, payload, signature) VALUES (%(kind)s, %(payload)s, %(signature)s) RETURNING request

-- name: answer
SELECT granted, answer FROM troth.keeper_request WHERE request = %(request)s AND answered_at IS NOT NULL

-- name: add_analyst
INSERT INTO troth.analyst (name, purpose) VALUES (%(name)s, %(purpose)s) ON CONFLICT DO NOTHING

-- name: remove_analyst
DELETE FROM troth.analyst WHERE name = %(name)s

-- name: end_sessions
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %(role)s

-- name: fold_late
SELECT troth.fold_late()

-- name: sweep
SELECT troth.sweep()

-- name: swept
SELECT NOT EXISTS (SELECT FROM troth.unit WHERE retired_at IS NOT NULL AND swept_at IS NULL)

-- name: databases
SELECT 1 FROM pg_database WHERE datname = %(name)s

-- name: horizon
-- Statements that begin from now on see every transaction older than this one.
SELECT clock_timestamp(), pg_snapshot_xmin(pg_current_snapshot())::text

-- name: end_old_snapshots
-- A role may choose REPEATABLE READ; withdrawal bites there too once the snapshot is older than five seconds, whether it
-- is held idle or by keeping busy: its horizon is then older than one remembered from before the present statement.
-- A single statement sees what it began with; it may not take longer than `longest`, whatever timeout a role sets itself.
-- A snapshot older than its own transaction was taken over from another one, and could be handed on for ever.
SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a
CROSS JOIN LATERAL (
    SELECT min(h.moment) AS passed
    FROM unnest(%(moments)s::timestamptz[], %(horizons)s::text[]) AS h (moment, horizon)
    WHERE age(a.backend_xmin) > age(h.horizon::xid)
) AS horizon
WHERE a.datname = current_database() AND a.usename <> ALL(%(machine)s) AND starts_with(a.usename, current_database() || '_')
  AND a.backend_xmin IS NOT NULL
  AND (horizon.passed <= a.xact_start
       OR a.state LIKE 'idle in transaction%%' AND a.state_change < clock_timestamp() - interval '5 seconds'
       OR a.xact_start < clock_timestamp() - interval '5 seconds'
       AND (a.query_start < clock_timestamp() - make_interval(secs => %(longest)s) OR horizon.passed <= a.query_start))

-- name: migrated_by
-- What stood for the code that migrated last; nothing where the list of migrations is not there yet.
SELECT obj_description(c.oid, 'pg_class') FROM pg_class AS c
WHERE c.oid = to_regclass('troth.django_migrations') AND obj_description(c.oid, 'pg_class') IS NOT NULL

-- name: migrations
SELECT app, name FROM troth.django_migrations ORDER BY app, name, id

-- name: current_log
SELECT pg_current_logfile()

-- name: rotate_log
SELECT pg_rotate_logfile()
