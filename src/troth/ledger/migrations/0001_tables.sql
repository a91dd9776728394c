-- Append-only and hash-linked; who and whom are salted digests, so that an entry holds no personal data.
CREATE TABLE troth.ledger_entry (
    index bigint PRIMARY KEY CHECK (index >= 0),
    at timestamptz NOT NULL,
    action text NOT NULL,
    actor bytea,
    subject bytea,
    facts jsonb NOT NULL,
    previous bytea NOT NULL CHECK (length(previous) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32)
);

-- The salts that tie an entry to a person; erasing the person deletes them, and the chain still verifies.
CREATE TABLE troth.ledger_salt (
    subject uuid NOT NULL,
    entry bigint NOT NULL REFERENCES troth.ledger_entry (index),
    salt bytea NOT NULL CHECK (length(salt) = 32),
    PRIMARY KEY (subject, entry)
);
