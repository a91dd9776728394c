-- What the operator announces: by language its subject and text. How far the outbox was filled stands beside it, in the order of
-- subjects; nobody is named who got it.
CREATE TABLE troth.announcement (
    announcement uuid PRIMARY KEY DEFAULT uuidv7(),
    texts jsonb NOT NULL,
    after uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    queued bigint NOT NULL DEFAULT 0,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    done_at timestamptz,
    stopped_at timestamptz
);
CREATE INDEX announcement_open ON troth.announcement (at) WHERE done_at IS NULL;
