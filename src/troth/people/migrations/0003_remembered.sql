-- Browsers that are remembered (P15): of the token in a browser's cookie only a digest is here, and it changes at each use.
CREATE TABLE troth.remembered (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    family uuid NOT NULL DEFAULT gen_random_uuid(),
    digest bytea NOT NULL,
    digest_before bytea,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    turned_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    until timestamptz NOT NULL,
    PRIMARY KEY (subject, family)
);
CREATE INDEX remembered_family ON troth.remembered (family);
CREATE INDEX remembered_until ON troth.remembered (until);
