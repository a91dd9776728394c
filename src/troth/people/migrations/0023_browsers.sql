-- An application that whoever uses a browser lets know it, without an account: with a code, which is taken once, for a token of its
-- own, of which the digest is stored. Another application's leads to the same identifier, and says so to nobody.
CREATE TABLE troth.application_browser (
    subject uuid NOT NULL REFERENCES troth.subject (subject) CHECK (subject >= 'ffffffff-ffff-8000-8000-000000000000'),
    application text NOT NULL REFERENCES troth.application (application),
    code bytea NOT NULL CHECK (length(code) = 32),
    redirect_uri text NOT NULL,
    challenge text NOT NULL CHECK (challenge ~ '^[A-Za-z0-9_-]{43}$'),
    code_until timestamptz NOT NULL,
    taken_at timestamptz,
    digest bytea CHECK (length(digest) = 32),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (subject, application)
);
CREATE UNIQUE INDEX application_browser_code ON troth.application_browser (code);
CREATE UNIQUE INDEX application_browser_digest ON troth.application_browser (digest);
CREATE INDEX application_browser_application ON troth.application_browser (application);
