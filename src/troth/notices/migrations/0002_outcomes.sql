-- A notice of a send to many waits behind those that somebody waits for; `batch` names the send.
ALTER TABLE troth.notice ADD COLUMN batch uuid;
-- The outbox is nearly empty when a service starts, and nobody delivers before it is up to date.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX troth.notice_due;
CREATE INDEX notice_due ON troth.notice (next_try_at) WHERE batch IS NULL;
CREATE INDEX notice_due_of_many ON troth.notice (next_try_at, notice) WHERE batch IS NOT NULL;

-- What became of a notice once it is not in the outbox any more: handed to the mail server, given up, or come back.
CREATE TABLE troth.notice_outcome (
    subject uuid NOT NULL,
    notice uuid NOT NULL,
    batch uuid,
    template text,
    outcome text CHECK (outcome IN ('sent', 'failed', 'bounced')),
    said text CHECK (said ~ '^[0-9.]{1,11}$'),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, notice)
) WITH (fillfactor = 85);
CREATE INDEX notice_outcome_named ON troth.notice_outcome (notice);
CREATE INDEX notice_outcome_at ON troth.notice_outcome (at);

-- How many of a send, and how many of all others (the nil UUID), ended how. What came back was counted as sent before.
CREATE TABLE troth.notice_tally (
    batch uuid NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('sent', 'failed', 'bounced', 'withdrawn')),
    many bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (batch, outcome)
) WITH (fillfactor = 50);
