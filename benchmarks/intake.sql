-- name: plain
-- The baseline's tables: fourteen columns, and envelopes as they are; no index.
CREATE TABLE event (
    id uuid NOT NULL, at timestamptz NOT NULL, person text NOT NULL, kind text, event text, severity text, message text, release text,
    environment text, url text, browser text, system text, place text, provider text
);
CREATE TABLE envelope (id uuid NOT NULL, at timestamptz NOT NULL, said jsonb NOT NULL)

-- name: plain_stored
SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM envelope)

-- name: troth_stored
SELECT (SELECT count(*) FROM troth.activity) + (SELECT count(*) FROM troth.feature_use) + (SELECT count(*) FROM troth.crash)

-- name: use
-- Everybody uses the application, which knows them by a number.
INSERT INTO troth.application_grant (subject, application, offered, claims, purposes, version, known_as)
SELECT subject, %(application)s, '{}', '{}', '{provide,understand}', 1, 'person-' || row_number() OVER (ORDER BY subject) - 1
FROM troth.subject WHERE kind = 'person';
VACUUM ANALYZE troth.application_grant

-- name: checkpoint
CHECKPOINT

-- name: grow
-- So many events of people who are in everything, over the last four weeks, as if they had come through the gate.
SET session_replication_role = replica;
SET synchronous_commit = off;
INSERT INTO troth.activity (subject, at, uses, id, application, event, severity, message, release, environment)
SELECT given.subject, statement_timestamp() - (i %% (28 * 86400)) * interval '1 second', known.uses, uuidv7(), given.application,
       'job.finished', 'info', 'imported ' || i || ' rows in 4.2 s from a file', '1.4.2', 'production'
FROM generate_series(1, %(rows)s) AS i
JOIN troth.application_grant AS given ON given.known_as = 'person-' || (i * 7919::bigint) %% %(people)s
JOIN troth.permitted AS known ON known.subject = given.subject;
SET session_replication_role = origin;
VACUUM ANALYZE troth.activity;
CHECKPOINT
