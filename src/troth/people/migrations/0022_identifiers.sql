-- Anonymous identifiers are told from people by their number alone: they are the greatest, and only they are.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE troth.subject ADD CONSTRAINT subject_told_apart CHECK (
    (kind = 'anonymous') = (subject >= 'ffffffff-ffff-8000-8000-000000000000')
);

-- A browser that is known by one. Rows of a table like this are removed when their consent ends.
CREATE TABLE troth.identifier (
    subject uuid PRIMARY KEY REFERENCES troth.subject (subject) CHECK (subject >= 'ffffffff-ffff-8000-8000-000000000000'),
    digest bytea CHECK (length(digest) = 32),
    until timestamptz NOT NULL,
    asked_at timestamptz,
    tied_at timestamptz,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 85);
CREATE INDEX identifier_until ON troth.identifier (until);

-- What somebody tied to their account; an identifier is tied once, which the functions see to behind its own row.
CREATE TABLE troth.tied (
    subject uuid NOT NULL REFERENCES troth.subject (subject) CHECK (subject < 'ffffffff-ffff-8000-8000-000000000000'),
    identifier uuid NOT NULL REFERENCES troth.subject (subject) CHECK (identifier >= 'ffffffff-ffff-8000-8000-000000000000'),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (subject, identifier)
);
CREATE INDEX tied_identifier ON troth.tied (identifier);
