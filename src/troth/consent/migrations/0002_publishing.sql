-- Versions that somebody on the operator's staff proposes, in the words that would be in force, and what became of them.
CREATE TABLE troth.policy_proposal (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    proposal uuid NOT NULL DEFAULT uuidv7() UNIQUE,
    source text NOT NULL,
    terms text NOT NULL,
    digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    terms_digest text NOT NULL CHECK (terms_digest ~ '^[0-9a-f]{64}$'),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    closed_at timestamptz,
    outcome text CHECK (outcome IN ('published', 'refused', 'withdrawn')),
    sentence text NOT NULL DEFAULT '',
    PRIMARY KEY (subject, proposal)
);
CREATE INDEX policy_proposal_open ON troth.policy_proposal (digest) WHERE closed_at IS NULL;

-- Who else agreed to put exactly these words into force.
CREATE TABLE troth.policy_approval (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    proposal uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (subject, proposal)
);
CREATE INDEX policy_approval_proposal ON troth.policy_approval (proposal);
