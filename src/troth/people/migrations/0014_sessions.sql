-- Where somebody is signed in: only what a clause collects on sign-in. Ending a session is removing its row, its viewer's
-- token and the browser that it was remembered by. An address is as exact as the policy says.
CREATE TABLE troth.session (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    session uuid NOT NULL,
    viewer bytea,
    family uuid,
    device uuid,
    browser text CHECK (length(browser) <= 200),
    system text CHECK (length(system) <= 200),
    kind text CHECK (length(kind) <= 40),
    ip inet,
    network cidr GENERATED ALWAYS AS (
        network(set_masklen(ip, CASE family(ip) WHEN 4 THEN 24 ELSE 48 END))
    ) STORED,
    used_at timestamptz,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, session)
) WITH (fillfactor = 85);
CREATE INDEX session_viewer ON troth.session (viewer);

-- What the hardware tells, what its person calls it, when it was last used.
ALTER TABLE troth.device ADD COLUMN model text CHECK (length(model) <= 200);
ALTER TABLE troth.device ADD COLUMN name text CHECK (length(name) <= 100);
ALTER TABLE troth.device ADD COLUMN used_at timestamptz;
