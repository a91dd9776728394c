-- Policy versions as applied, in order. `floor` marks a version that asks everybody to agree (again).
CREATE TABLE troth.policy_version (
    version integer PRIMARY KEY CHECK (version > 0),
    name text NOT NULL,
    digest text NOT NULL UNIQUE CHECK (digest ~ '^[0-9a-f]{64}$'),
    terms_digest text NOT NULL CHECK (terms_digest ~ '^[0-9a-f]{64}$'),
    source text NOT NULL,
    terms text NOT NULL,
    effective_on date NOT NULL,
    floor boolean NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- A unit is what one can be in or out of: a purpose, in an edition that a widening version opens with a fresh bit.
-- `visits`: what visitors leave comes into it now; `visited`: it did under this version of it or an earlier one.
CREATE TABLE troth.unit (
    purpose text NOT NULL,
    edition integer NOT NULL CHECK (edition > 0),
    bit smallint NOT NULL CHECK (bit BETWEEN 0 AND 62),
    basis text NOT NULL CHECK (basis IN ('agreement', 'consent', 'legitimate interest')),
    since_version integer NOT NULL REFERENCES troth.policy_version (version) DEFERRABLE INITIALLY DEFERRED,
    visits boolean NOT NULL,
    visited boolean NOT NULL DEFAULT false CHECK (visited OR NOT visits),
    opened_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    retired_at timestamptz,
    swept_at timestamptz,
    PRIMARY KEY (purpose, edition)
);
CREATE UNIQUE INDEX unit_live ON troth.unit (purpose) WHERE retired_at IS NULL;
-- A bit belongs to one unit until a sweep has proved it absent everywhere.
CREATE UNIQUE INDEX unit_bit ON troth.unit (bit) WHERE swept_at IS NULL;

-- What proves a viewer: the SHA-256 of a random value that only the viewer's browser holds.
CREATE TABLE troth.request_token (
    hash bytea PRIMARY KEY CHECK (length(hash) = 32),
    subject uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    version integer NOT NULL
);
CREATE INDEX request_token_subject ON troth.request_token (subject);

-- What the keeper is asked to do; it checks the signature, acts and answers.
CREATE TABLE troth.keeper_request (
    request uuid PRIMARY KEY DEFAULT uuidv7(),
    kind text NOT NULL,
    payload text NOT NULL,
    signature bytea NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    answered_at timestamptz,
    granted boolean,
    answer jsonb
);
CREATE INDEX keeper_request_open ON troth.keeper_request (asked_at) WHERE answered_at IS NULL;

-- Analysts: login roles bound to one purpose.
CREATE TABLE troth.analyst (
    name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,29}$'),
    purpose text NOT NULL,
    added_at timestamptz NOT NULL DEFAULT statement_timestamp()
);
