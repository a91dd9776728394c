-- name: count_only
-- What follows reads, within the time that is left, as the role that stamps: keys, times and stamps, no value.
SELECT set_config('transaction_read_only', 'on', true), set_config('statement_timeout', %(left)s, true),
       set_config('role', %(role)s, true)

-- name: time_left
SELECT set_config('statement_timeout', %(left)s, true)

-- name: simulated_units
SELECT purpose, bit, since_version FROM troth.unit WHERE retired_at IS NULL

-- name: agreed_floor
-- The version in force, and the one that people must have agreed to.
SELECT coalesce(max(version), 0), coalesce(max(version) FILTER (WHERE floor), 1) FROM troth.policy_version

-- name: person_named
-- Somebody by subject, or by the address that they sign in with.
SELECT s.subject FROM troth.subject AS s WHERE s.kind <> 'nobody' AND (s.subject::text = lower(%(named)s)
    OR s.subject IN (SELECT p.subject FROM troth.person AS p WHERE lower(p.email) = lower(%(named)s))
    OR s.subject IN (SELECT p.subject FROM troth.people_account AS p WHERE lower(p.email) = lower(%(named)s))) LIMIT 2

-- name: record_simulation
SELECT troth.record('simulated', NULL, %(subject)s, %(facts)s)

-- name: viewing
-- Whether a viewer asks, about themselves.
SELECT session_user = current_database() || '_self'
