-- Since when each field that an organization holds of a member is what it is.
ALTER TABLE troth.membership ADD COLUMN since jsonb NOT NULL DEFAULT '{}';

-- What a member asks their organization to correct. What is wanted stands in a column of the held field's own name, type and
-- category, which the keeper adds; in none of them, emptiness is wanted. It goes with the membership.
CREATE TABLE troth.correction (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    correction uuid NOT NULL DEFAULT uuidv7(),
    organization uuid NOT NULL,
    field text NOT NULL CHECK (field ~ '^[a-z][a-z0-9_]{0,39}$'),
    reason text CHECK (length(reason) BETWEEN 1 AND 1000),
    outcome text CHECK (outcome IN ('corrected', 'declined', 'withdrawn')),
    answer text CHECK (length(answer) BETWEEN 1 AND 1000),
    answered_at timestamptz,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, organization, correction),
    FOREIGN KEY (subject, organization) REFERENCES troth.membership (subject, organization) ON DELETE CASCADE
) WITH (fillfactor = 85);
CREATE INDEX correction_listed ON troth.correction (organization, at);
CREATE UNIQUE INDEX correction_open ON troth.correction (subject, organization, field) WHERE outcome IS NULL;
