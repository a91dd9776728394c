CREATE TABLE troth.agreement (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    agreement uuid NOT NULL DEFAULT uuidv7(),
    version integer NOT NULL REFERENCES troth.policy_version (version),
    policy_digest text NOT NULL,
    terms_digest text NOT NULL,
    how text NOT NULL,
    wording text NOT NULL,
    language text NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, agreement)
) WITH (fillfactor = 85);

-- Consents, withdrawals, objections, and permissions that lift an objection; the newest of a purpose counts.
CREATE TABLE troth.choice (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    choice uuid NOT NULL DEFAULT uuidv7(),
    purpose text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('consent', 'withdrawal', 'objection', 'permission')),
    version integer NOT NULL REFERENCES troth.policy_version (version),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, choice)
) WITH (fillfactor = 85);

-- The one truth behind the stamps: for each subject the bits of the units it is in.
CREATE TABLE troth.permitted (
    subject uuid PRIMARY KEY REFERENCES troth.subject (subject),
    uses bigint NOT NULL
);
INSERT INTO troth.permitted (subject, uses) VALUES ('00000000-0000-0000-0000-000000000000', 0);
