-- name: empty
-- Nobody is left but the subject of visits, and so no row that holds a retired bit.
TRUNCATE troth.subject, troth.person, troth.permitted, troth.agreement, troth.access, troth.device, troth.choice CASCADE;
INSERT INTO troth.subject (subject, kind) VALUES ('00000000-0000-0000-0000-000000000000', 'nobody');
INSERT INTO troth.permitted (subject, uses)
SELECT '00000000-0000-0000-0000-000000000000', coalesce(bit_or(1::bigint << bit), 0)
FROM troth.unit WHERE retired_at IS NULL AND visits

-- name: sweep
SELECT troth.sweep()

-- name: fill
-- People who have agreed and are in everything, each with a person, an agreement and an access.
SET session_replication_role = replica;
SET synchronous_commit = off;
INSERT INTO troth.subject (subject, kind)
SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, 'person' FROM generate_series(1, %(people)s) AS i;
INSERT INTO troth.permitted (subject, uses)
SELECT subject, bits FROM troth.subject, (SELECT bit_or(1::bigint << bit) AS bits FROM troth.unit WHERE retired_at IS NULL) AS units
WHERE kind = 'person';
INSERT INTO troth.person (subject, email, uses)
SELECT subject, right(subject::text, 12) || '@harbor.example', uses FROM troth.permitted WHERE subject > '00000000-0000-4000-8000-000000000000';
INSERT INTO troth.agreement (subject, version, policy_digest, terms_digest, how, wording, language, uses)
SELECT subject, version, digest, terms_digest, 'benchmark', 'I agree.', 'en', uses
FROM troth.permitted, (SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1) AS newest
WHERE subject > '00000000-0000-4000-8000-000000000000';
INSERT INTO troth.access (subject, at, id, method, url, status, ip, uses)
SELECT subject, statement_timestamp() - (hashtext(subject::text) & 1048575) * interval '1 second', uuidv7(), 'GET', '/', 200, '192.0.2.7', uses
FROM troth.permitted WHERE subject > '00000000-0000-4000-8000-000000000000';
SET session_replication_role = origin;
SET synchronous_commit = on;
VACUUM ANALYZE troth.subject;
VACUUM ANALYZE troth.permitted;
VACUUM ANALYZE troth.person;
VACUUM ANALYZE troth.agreement;
VACUUM ANALYZE troth.access;
CHECKPOINT

-- name: counted
SELECT count(*) FROM troth.permitted WHERE subject <> '00000000-0000-0000-0000-000000000000'

-- name: in_purpose
SELECT count(*) FROM troth.access AS a, troth.unit AS u
WHERE u.purpose = %(purpose)s AND u.retired_at IS NULL AND (a.uses >> u.bit) & 1 = 1

-- name: read
SELECT url FROM access WHERE subject = %(subject)s

-- name: subjects
SELECT subject FROM troth.permitted WHERE subject <> '00000000-0000-0000-0000-000000000000' LIMIT 200

-- name: version
SELECT version()
