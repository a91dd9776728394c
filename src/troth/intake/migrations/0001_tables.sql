-- Accesses, by month; precisions are stored columns of their own, so that a purpose can be granted them alone.
-- What every row rule reads stands first, of fixed width and never null: finding it behind the texts doubled a scan.
CREATE TABLE troth.access (
    subject uuid NOT NULL,
    at timestamptz NOT NULL,
    uses bigint NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    day date NOT NULL GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED,
    status smallint,
    method text CHECK (length(method) <= 20),
    url text CHECK (length(url) <= 2048),
    referrer text CHECK (length(referrer) <= 2048),
    ip inet,
    network cidr GENERATED ALWAYS AS (
        network(set_masklen(ip, CASE family(ip) WHEN 4 THEN 24 ELSE 48 END))
    ) STORED,
    browser text CHECK (length(browser) <= 200),
    system text CHECK (length(system) <= 200),
    kind text CHECK (length(kind) <= 40),
    ended_at timestamptz,
    PRIMARY KEY (subject, at, id)
) PARTITION BY RANGE (at);
-- The subject behind the time: a batch has one time, and its rows must still be found one by one.
CREATE INDEX access_at ON troth.access (at, subject);
CREATE TABLE troth.access_other PARTITION OF troth.access DEFAULT WITH (fillfactor = 95);

-- Keyed hashes of (source, line, occurrence) of imported log lines, so that nothing is stored twice.
CREATE TABLE troth.imported (
    key bytea PRIMARY KEY CHECK (length(key) = 32),
    at timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- What was refused or dropped, by reason and clause, never by content.
CREATE TABLE troth.intake_count (
    day date NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (day, outcome, reason)
);
