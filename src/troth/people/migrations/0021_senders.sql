-- What applications send: with which keys, which kinds of events they declared, and what each of them calls a person.
CREATE TABLE troth.application_key (
    digest bytea PRIMARY KEY CHECK (length(digest) = 32),
    application text NOT NULL REFERENCES troth.application (application),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz
);
CREATE INDEX application_key_of ON troth.application_key (application);
ALTER TABLE troth.application ADD COLUMN events text [] NOT NULL DEFAULT '{}';
-- Migrations run before anybody is served.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE troth.application_grant ADD COLUMN known_as text CHECK (length(known_as) <= 64);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX application_grant_known ON troth.application_grant (application, known_as) WHERE until IS NULL;
