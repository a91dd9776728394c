-- Applications that sign people in. A claim is written `claim:category:purpose`: what it is called, what it holds, what for.
CREATE TABLE troth.application (
    application text PRIMARY KEY CHECK (application ~ '^[a-z][a-z0-9-]{2,59}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    manifest text NOT NULL,
    purposes text [] NOT NULL,
    claims text [] NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    removed_at timestamptz
);

-- What a person was asked to let an application see, and what of it they permitted. A new answer ends the one before; the
-- ended ones are the history.
CREATE TABLE troth.application_grant (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    answer uuid NOT NULL DEFAULT uuidv7(),
    application text NOT NULL REFERENCES troth.application (application),
    offered text [] NOT NULL,
    claims text [] NOT NULL CHECK (claims <@ offered),
    purposes text [] NOT NULL,
    version integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    used_at timestamptz,
    until timestamptz,
    PRIMARY KEY (subject, answer)
);
CREATE UNIQUE INDEX application_grant_live ON troth.application_grant (subject, application) WHERE until IS NULL;

-- Authorization codes (RFC 6749 section 4.1.2), by digest. A used one is remembered for a day, so that whoever
-- brings it again ends what was issued for it.
CREATE TABLE troth.application_code (
    code bytea PRIMARY KEY CHECK (length(code) = 32),
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    application text NOT NULL,
    redirect_uri text NOT NULL,
    scopes text [] NOT NULL,
    nonce text,
    challenge text NOT NULL CHECK (challenge ~ '^[A-Za-z0-9_-]{43}$'),
    signed_in_at timestamptz,
    family uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX application_code_subject ON troth.application_code (subject);

-- Refresh tokens that were turned in for new ones, by digest. Brought again, one ends its whole family (RFC 9700 section 4.14.2).
CREATE TABLE troth.application_spent (
    digest text PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{64}$'),
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    application text NOT NULL,
    family uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX application_spent_subject ON troth.application_spent (subject);

-- The keys that sign tokens, sealed with a key that derives from the place's secret: nodes agree, and a copy of the database
-- signs nothing.
CREATE TABLE troth.signing_key (
    kid text PRIMARY KEY,
    sealed bytea NOT NULL,
    signs_from timestamptz NOT NULL,
    shown_until timestamptz
);
