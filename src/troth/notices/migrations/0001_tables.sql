-- The outbox: a notice is written in the action's own transaction and delivered afterwards.
CREATE TABLE troth.notice (
    subject uuid NOT NULL,
    notice uuid NOT NULL DEFAULT uuidv7(),
    address text NOT NULL,
    template text NOT NULL,
    facts jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    tries smallint NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (subject, notice)
);
CREATE INDEX notice_due ON troth.notice (next_try_at);
