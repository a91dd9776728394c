-- What a directory says that its organization holds of whoever has not joined: a column for each field that it holds, which the
-- keeper adds. When they join it becomes their membership's.
CREATE TABLE troth.directory_awaited (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    organization uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    changed_at timestamptz,
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, organization),
    FOREIGN KEY (subject, organization) REFERENCES troth.directory_entry (subject, organization) ON DELETE CASCADE
) WITH (fillfactor = 85);
