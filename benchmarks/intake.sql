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
