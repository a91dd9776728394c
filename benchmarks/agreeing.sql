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
TRUNCATE troth.people_account, troth.account_emailaddress, troth.notice, raw.address, raw.notice CASCADE

-- name: raw
CREATE SCHEMA raw;
CREATE TABLE raw.address (subject uuid PRIMARY KEY, email text NOT NULL);
CREATE TABLE raw.notice (
    subject uuid NOT NULL, notice uuid NOT NULL DEFAULT uuidv7(), address text NOT NULL, template text NOT NULL, facts jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(), PRIMARY KEY (subject, notice)
);
CREATE TABLE raw.choice (
    subject uuid NOT NULL, choice uuid NOT NULL DEFAULT uuidv7(), purpose text NOT NULL, kind text NOT NULL, version integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (subject, choice)
)

-- name: raw_addresses
INSERT INTO raw.address (subject, email) SELECT subject, email FROM troth.person;
VACUUM ANALYZE raw.address

-- name: raw_mails
-- The baseline: so many rows of an outbox, from a list of addresses in the order of people, and nothing asked.
WITH some AS (SELECT subject, email FROM raw.address WHERE subject > %(after)s ORDER BY subject LIMIT %(many)s), put AS (
    INSERT INTO raw.notice (subject, address, template, facts)
    SELECT subject, email, 'version', jsonb_build_object('version', 2, 'before', 1, 'batch', subject, 'language', 'en') FROM some
) SELECT max(subject::text)::uuid, count(*) FROM some

-- name: mails
SELECT troth.tell_some(%(many)s)

-- name: queued
SELECT count(*) FROM troth.notice WHERE batch IS NOT NULL

-- name: sent
TRUNCATE troth.notice, raw.notice

-- name: raw_choice
INSERT INTO raw.choice (subject, purpose, kind, version) VALUES (%(subject)s, %(purpose)s, %(kind)s, 1)

-- name: choices
SELECT count(*) FROM troth.choice
