-- Accesses, by month; precisions are stored columns of their own, so that a purpose can be granted them alone.
CREATE TABLE troth.access (
    subject uuid NOT NULL,
    at timestamptz NOT NULL,
    id uuid NOT NULL,
    method text CHECK (length(method) <= 20),
    url text CHECK (length(url) <= 2048),
    status smallint,
    referrer text CHECK (length(referrer) <= 2048),
    ip inet,
    network cidr GENERATED ALWAYS AS (
        network(set_masklen(ip, CASE family(ip) WHEN 4 THEN 24 ELSE 48 END))
    ) STORED,
    day date GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED,
    browser text CHECK (length(browser) <= 200),
    system text CHECK (length(system) <= 200),
    kind text CHECK (length(kind) <= 40),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, at, id)
) PARTITION BY RANGE (at);
CREATE INDEX access_at ON troth.access (at);
CREATE TABLE troth.access_other PARTITION OF troth.access DEFAULT WITH (fillfactor = 85);

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
