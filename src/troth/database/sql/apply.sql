-- name: newest_version
SELECT version, name, digest, terms_digest, source, terms, effective_on FROM troth.policy_version ORDER BY version DESC LIMIT 1

-- name: add_version
INSERT INTO troth.policy_version (version, name, digest, terms_digest, source, terms, effective_on, floor, raised)
VALUES (%(version)s, %(name)s, %(digest)s, %(terms_digest)s, %(source)s, %(terms)s, %(effective_on)s, %(floor)s, %(raised)s)

-- name: binding_versions
-- The versions that somebody may be bound to: those that somebody agreed to last, and the newest.
SELECT v.version, v.source FROM troth.policy_version AS v
WHERE EXISTS (SELECT FROM troth.permitted AS p WHERE p.agreed = v.version)
   OR v.version = (SELECT max(version) FROM troth.policy_version)

-- name: say_retention
INSERT INTO troth.version_retention AS r (version, relation, days, after_end, consented)
SELECT said.version, said.relation, said.days, said.after_end, string_to_array(said.consented, ' ')
FROM unnest(%(version)s::integer[], %(relation)s::text[], %(days)s::integer[], %(after_end)s::integer[], %(consented)s::text[])
    AS said (version, relation, days, after_end, consented)
ON CONFLICT (version, relation) DO UPDATE
SET days = excluded.days, after_end = excluded.after_end, consented = excluded.consented
WHERE (r.days, r.after_end, r.consented) IS DISTINCT FROM (excluded.days, excluded.after_end, excluded.consented)

-- name: live_units
SELECT purpose, edition, bit FROM troth.unit WHERE retired_at IS NULL

-- name: retire_unit
UPDATE troth.unit SET retired_at = statement_timestamp() WHERE purpose = %(purpose)s AND retired_at IS NULL

-- name: keep_unit
UPDATE troth.unit SET visits = %(visits)s, visited = visited OR %(visits)s WHERE purpose = %(purpose)s AND retired_at IS NULL AND visits <> %(visits)s

-- name: open_unit
-- The lowest bit that no unit holds; a retired unit holds its bit until a sweep has proved it absent.
INSERT INTO troth.unit (purpose, edition, bit, basis, since_version, visits, visited)
SELECT %(purpose)s, 1 + coalesce((SELECT max(edition) FROM troth.unit WHERE purpose = %(purpose)s), 0),
       (SELECT min(free) FROM generate_series(0, 62) AS free
        WHERE NOT EXISTS (SELECT 1 FROM troth.unit WHERE bit = free AND swept_at IS NULL)),
       %(basis)s, %(version)s, %(visits)s, %(visits)s

-- name: retired_unswept
SELECT count(*) FROM troth.unit WHERE retired_at IS NOT NULL AND swept_at IS NULL AND purpose = %(purpose)s

-- name: analysts
SELECT name, purpose FROM troth.analyst ORDER BY name

-- name: lock_appliers
SELECT pg_advisory_xact_lock(7275)

-- name: keep_appliers_out
-- Who compares reads the version and the catalog one after the other, and a switch between the two would be drift.
SELECT pg_advisory_xact_lock_shared(7275)

-- name: set_nobody
-- Visits of before keep their stamps; new ones get these. The bucket keeps inserts under way out of the flip.
WITH locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(7276, uuid_hash('00000000-0000-0000-0000-000000000000') & 1023)
)
UPDATE troth.permitted AS p SET uses = wanted.uses
FROM (SELECT coalesce(bit_or(1::bigint << bit), 0) AS uses FROM troth.unit WHERE retired_at IS NULL AND visits) AS wanted, locked
WHERE p.subject = '00000000-0000-0000-0000-000000000000' AND p.uses <> wanted.uses

-- name: wait_briefly
-- An autovacuum gives way only to who waits until a deadlock is looked for, which is later than anybody may wait here.
SELECT CASE WHEN has_parameter_privilege('deadlock_timeout', 'SET')
       THEN set_config('lock_timeout', %(longest)s, true) || set_config('deadlock_timeout', %(sooner)s, true)
       ELSE set_config('lock_timeout', %(at_last)s, true) END

-- name: end_blocking_readers
-- Purposes' sessions that hold what the switch needs, in transactions older than a second.
SELECT a.usename, pg_terminate_backend(a.pid)
FROM pg_stat_activity AS a
WHERE a.datname = current_database() AND starts_with(a.usename, current_database() || '_')
  AND a.usename <> ALL(%(machine)s) AND a.xact_start < clock_timestamp() - interval '1 second'
  AND EXISTS (SELECT 1 FROM pg_locks AS l WHERE l.pid = a.pid AND l.granted AND l.relation = ANY(%(relations)s::regclass[]::oid[]))

-- name: misstamped
SELECT table_name, rows FROM troth.misstamped() WHERE rows > 0

-- name: widened
-- Whose bits are not what agreements, choices and grants fold into; fewer than that hide, and come with the next fold. An account
-- that has ended keeps what it was in, without what it said.
WITH held AS (
    SELECT p.uses & ~troth.in_units(p.subject) AS beyond FROM troth.permitted AS p
    LEFT JOIN troth.subject AS s ON s.subject = p.subject
    WHERE s.ended_at IS NULL
)
SELECT unit.purpose, count(*) FROM troth.unit AS unit JOIN held ON (held.beyond >> unit.bit) & 1 = 1
WHERE unit.retired_at IS NULL GROUP BY unit.purpose ORDER BY unit.purpose

-- name: all_versions
SELECT version, name, digest, terms_digest, source, terms, effective_on, applied_at FROM troth.policy_version ORDER BY version DESC

-- name: declarations
SELECT declarer, tables FROM troth.declaration ORDER BY declarer

-- name: declare
INSERT INTO troth.declaration (declarer, tables, source) VALUES (%(declarer)s, %(tables)s, %(source)s)
ON CONFLICT (declarer) DO UPDATE SET tables = excluded.tables, source = excluded.source, at = statement_timestamp()

-- name: declared_source
SELECT source FROM troth.declaration WHERE declarer = %(declarer)s

-- name: undeclare
DELETE FROM troth.declaration WHERE declarer = %(declarer)s
