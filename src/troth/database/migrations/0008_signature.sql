-- Who signed a version: the operator's key (Ed25519) of that day, and whoever countersigned it on taking the service over.
CREATE TABLE troth.policy_signature (
    version integer NOT NULL REFERENCES troth.policy_version (version),
    signer bytea NOT NULL CHECK (length(signer) = 32),
    signature bytea NOT NULL CHECK (length(signature) = 64),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (version, signer)
);
