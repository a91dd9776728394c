-- Changes of owner: the version that the successor signed, the keys before and after, and the ledger's entry with the proof that
-- the old ledger key stands for it.
CREATE TABLE troth.owner_change (
    entry bigint PRIMARY KEY,
    version integer NOT NULL REFERENCES troth.policy_version (version),
    old_operator bytea NOT NULL CHECK (length(old_operator) = 32),
    old_ledger bytea NOT NULL CHECK (length(old_ledger) = 32),
    old_receipts bytea NOT NULL CHECK (length(old_receipts) = 32),
    operator bytea NOT NULL UNIQUE CHECK (length(operator) = 32),
    ledger bytea NOT NULL CHECK (length(ledger) = 32),
    receipts bytea NOT NULL CHECK (length(receipts) = 32),
    leaf text,
    proof text,
    at timestamptz NOT NULL DEFAULT statement_timestamp()
);
