-- name: accounts
-- Everybody gets an account with a verified address, which is where a mail goes.
SET session_replication_role = replica;
SET synchronous_commit = off;
INSERT INTO troth.people_account (subject, email, password, is_active, date_joined)
SELECT subject, email, '', true, statement_timestamp() FROM troth.person;
INSERT INTO troth.account_emailaddress (user_id, email, verified, "primary") SELECT id, email, true, true FROM troth.people_account;
SET session_replication_role = origin;
SET synchronous_commit = on;
VACUUM ANALYZE troth.people_account;
VACUUM ANALYZE troth.account_emailaddress

-- name: no_accounts
TRUNCATE troth.people_account, troth.account_emailaddress, troth.notice CASCADE

-- name: plain
-- What we are held against, in a database of its own: a schema that no policy knows would be taken away by a version.
CREATE TABLE address (subject uuid PRIMARY KEY, email text NOT NULL);
CREATE TABLE notice (
    subject uuid NOT NULL, notice uuid NOT NULL DEFAULT uuidv7(), address text NOT NULL, template text NOT NULL, facts jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(), PRIMARY KEY (subject, notice)
);
CREATE TABLE choice (
    subject uuid NOT NULL, choice uuid NOT NULL DEFAULT uuidv7(), purpose text NOT NULL, kind text NOT NULL, version integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (subject, choice)
)

-- name: plain_addresses
TRUNCATE address, notice;
INSERT INTO address (subject, email) SELECT subject, right(subject::text, 12) || '@harbor.example'
FROM (SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid AS subject FROM generate_series(1, %(people)s) AS i) AS made;
VACUUM ANALYZE address

-- name: plain_mails
-- The baseline: so many rows of an outbox, from a list of addresses in the order of people, and nothing asked.
WITH told AS (SELECT subject, email FROM address WHERE subject > %(after)s ORDER BY subject LIMIT %(many)s), put AS (
    INSERT INTO notice (subject, address, template, facts)
    SELECT subject, email, 'version', jsonb_build_object('version', 2, 'before', 1, 'batch', subject, 'language', 'en') FROM told
) SELECT max(subject::text)::uuid, count(*) FROM told

-- name: only_newest
-- Of all versions before it everybody was told.
UPDATE troth.policy_telling SET done_at = statement_timestamp()
WHERE version < (SELECT max(version) FROM troth.policy_version) AND done_at IS NULL

-- name: mails
SELECT troth.tell_some(%(many)s)

-- name: queued
SELECT count(*) FROM troth.notice WHERE batch IS NOT NULL

-- name: sent
TRUNCATE troth.notice

-- name: plain_sent
TRUNCATE notice

-- name: plain_choice
INSERT INTO choice (subject, purpose, kind, version) VALUES (%(subject)s, %(purpose)s, %(kind)s, 1)

-- name: last_choice
SELECT choice FROM troth.choice ORDER BY at DESC LIMIT 1

