-- What retention runs did, counted as they go: a run that was killed leaves its counts to the next. Nothing here is
-- about anybody. A day after its end a run is forgotten; the ledger keeps what it removed. `reached` is the time of row up
-- to which the run has made coarse what must be.
CREATE TABLE troth.retention_run (
    run uuid NOT NULL,
    table_name text NOT NULL,
    removed bigint NOT NULL,
    coarsened bigint NOT NULL,
    reached timestamptz NOT NULL DEFAULT '-infinity',
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    finished_at timestamptz,
    PRIMARY KEY (run, table_name)
);
