-- Versions that wait for their day: what will be in force then, signed by the operator's key, and what became of it.
CREATE TABLE troth.policy_scheduled (
    scheduled uuid PRIMARY KEY DEFAULT uuidv7(),
    version integer NOT NULL CHECK (version > 0),
    source text NOT NULL,
    terms text NOT NULL,
    digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    terms_digest text NOT NULL CHECK (terms_digest ~ '^[0-9a-f]{64}$'),
    effective_on date NOT NULL,
    verdict integer NOT NULL CHECK (verdict BETWEEN 0 AND 4),
    raised integer NOT NULL CHECK (raised IN (0, 2, 3)),
    signature bytea NOT NULL CHECK (length(signature) = 64),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    closed_at timestamptz,
    outcome text CHECK (outcome IN ('published', 'refused', 'withdrawn')),
    sentence text NOT NULL DEFAULT ''
);
-- One at a time, so that what comes next is one thing.
CREATE UNIQUE INDEX policy_scheduled_one ON troth.policy_scheduled ((true)) WHERE closed_at IS NULL;

-- What the operator asks beyond the computed verdict: 2 that people are told, 3 that they agree again.
ALTER TABLE troth.policy_proposal ADD COLUMN raised integer NOT NULL DEFAULT 0;
ALTER TABLE troth.policy_proposal ADD CONSTRAINT policy_proposal_raised CHECK (raised IN (0, 2, 3)) NOT VALID;
-- Whom it would touch, counted by the keeper when it was proposed.
ALTER TABLE troth.policy_proposal ADD COLUMN counts jsonb;
-- The keeper makes them anew, asking more.
-- squawk-ignore ban-drop-function
DROP FUNCTION IF EXISTS troth.propose_policy(text, text), troth.proposals(), troth.proposal_standing(text, text);
