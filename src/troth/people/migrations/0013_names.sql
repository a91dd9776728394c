-- A name that was replaced by another (P21).
CREATE TABLE troth.earlier_name (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    earlier uuid NOT NULL DEFAULT uuidv7(),
    name text CHECK (length(name) <= 200),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, earlier)
) WITH (fillfactor = 85);

-- Accounts that one person has proven to be theirs (P6); an account has one bond at most.
CREATE TABLE troth.linked (
    subject uuid PRIMARY KEY REFERENCES troth.subject (subject),
    tie uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    bond uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE INDEX linked_bond ON troth.linked (bond);

-- One side's proof of a link to come: the digest of a code that its person takes to the other side.
CREATE TABLE troth.link_offer (
    subject uuid PRIMARY KEY REFERENCES troth.subject (subject),
    digest bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    expires_at timestamptz NOT NULL
);
