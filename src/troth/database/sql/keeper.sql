-- name: open_requests
SELECT request, kind, payload, signature FROM troth.keeper_request
WHERE answered_at IS NULL ORDER BY asked_at LIMIT 10

-- name: answer_request
UPDATE troth.keeper_request SET answered_at = statement_timestamp(), granted = %(granted)s, answer = %(answer)s
WHERE request = %(request)s

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

-- name: sweep
SELECT troth.sweep()

-- name: databases
SELECT 1 FROM pg_database WHERE datname = %(name)s

-- name: end_old_snapshots
-- A role may choose REPEATABLE READ; withdrawal bites there too once the snapshot is older than five seconds.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename <> ALL(%(machine)s) AND starts_with(usename, current_database() || '_')
  AND backend_xmin IS NOT NULL AND state LIKE 'idle in transaction%%'
  AND xact_start < clock_timestamp() - interval '5 seconds'
