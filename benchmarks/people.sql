-- name: people
-- People who have agreed and are in everything.
SET session_replication_role = replica;
SET synchronous_commit = off;
INSERT INTO troth.subject (subject, kind)
SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, 'person' FROM generate_series(1, %(people)s) AS i;
INSERT INTO troth.permitted (subject, uses)
SELECT subject, bits FROM troth.subject, (SELECT bit_or(1::bigint << bit) AS bits FROM troth.unit WHERE retired_at IS NULL) AS units
WHERE kind = 'person';
INSERT INTO troth.agreement (subject, version, policy_digest, terms_digest, how, wording, language, uses)
SELECT subject, version, digest, terms_digest, 'benchmark', 'I agree.', 'en', uses
FROM troth.permitted, (SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1) AS newest
WHERE subject > '00000000-0000-4000-8000-000000000000';
SET session_replication_role = origin

-- name: organization
INSERT INTO troth.organization (organization, name) VALUES (%(organization)s, %(name)s)

-- name: role
INSERT INTO troth.organization_role (organization, role, may) VALUES (%(organization)s, %(role)s, %(may)s)

-- name: members
-- Its members, whom its directory supplied; the first owns it.
SET session_replication_role = replica;
INSERT INTO troth.membership (subject, organization, role, name, uses)
SELECT subject, %(organization)s, CASE WHEN subject = '00000000-0000-4000-8000-000000000001' THEN 'owner' ELSE 'member' END,
    left(md5(subject::text), 8) || ' Lindqvist', uses
FROM troth.permitted WHERE subject > '00000000-0000-4000-8000-000000000000' ORDER BY subject LIMIT %(members)s;
INSERT INTO troth.directory_entry (subject, organization, user_name, external_id, email, joined_at, uses)
SELECT subject, organization, 'user' || row_number() OVER (ORDER BY subject), 'x' || row_number() OVER (ORDER BY subject),
    right(subject::text, 12) || '@harbor.example', at, uses
FROM troth.membership WHERE organization = %(organization)s;
SET session_replication_role = origin

-- name: administrator
-- Somebody who signed up administers it, too, and people may ask to be let in.
SET session_replication_role = replica;
INSERT INTO troth.membership (subject, organization, role, name, uses)
SELECT subject, %(organization)s, 'administrator', 'Dana Moreau', uses FROM troth.permitted WHERE subject = %(subject)s;
UPDATE troth.organization SET asking = true WHERE organization = %(organization)s;
SET session_replication_role = origin

-- name: token
INSERT INTO troth.directory_token (organization, name, digest, until)
VALUES (%(organization)s, 'benchmark', sha256(convert_to(%(token)s, 'UTF8')), statement_timestamp() + interval '1 day')

-- name: viewer
INSERT INTO troth.request_token (hash, subject, expires_at, version)
SELECT sha256('viewer'), '00000000-0000-4000-8000-000000000001', statement_timestamp() + interval '1 day', max(version)
FROM troth.policy_version

-- name: settle
VACUUM (ANALYZE) troth.subject, troth.permitted, troth.agreement, troth.membership, troth.directory_entry, troth.request_token

-- name: unsettled
SELECT count(*) FROM pg_class WHERE oid = 'troth.directory_entry'::regclass AND relallvisible < relpages - 1
