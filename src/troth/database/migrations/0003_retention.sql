-- What retention runs did, counted as they go: a run that was killed leaves its counts to the next. Nothing here is
-- about anybody. A day after its end a run is forgotten; the ledger keeps what it removed.
CREATE TABLE troth.retention_run (
    run uuid NOT NULL,
    table_name text NOT NULL,
    removed bigint NOT NULL,
    coarsened bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    finished_at timestamptz,
    PRIMARY KEY (run, table_name)
);
