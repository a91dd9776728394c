-- What applications send of people: a table for each kind of event. What every row rule reads stands first.
CREATE TABLE troth.crash (
    subject uuid NOT NULL,
    at timestamptz NOT NULL,
    uses bigint NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    day date NOT NULL GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED,
    application text NOT NULL CHECK (length(application) <= 60),
    fingerprint text CHECK (length(fingerprint) <= 64),
    kind text CHECK (length(kind) <= 200),
    message text CHECK (length(message) <= 2000),
    stack text CHECK (length(stack) <= 20000),
    release text CHECK (length(release) <= 200),
    environment text CHECK (length(environment) <= 100),
    ended_at timestamptz,
    PRIMARY KEY (subject, at, application, id)
) WITH (fillfactor = 85);
CREATE INDEX crash_at ON troth.crash (at, subject);

CREATE TABLE troth.feature_use (
    subject uuid NOT NULL,
    at timestamptz NOT NULL,
    uses bigint NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    day date NOT NULL GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED,
    application text NOT NULL CHECK (length(application) <= 60),
    feature text CHECK (length(feature) <= 100),
    outcome text CHECK (length(outcome) <= 100),
    ended_at timestamptz,
    PRIMARY KEY (subject, at, application, id)
) WITH (fillfactor = 85);
CREATE INDEX feature_use_at ON troth.feature_use (at, subject);

-- Keyed digests of what each event was called by its sender, and of what it said: nothing is stored twice under one name.
CREATE TABLE troth.intake_taken (
    key bytea PRIMARY KEY CHECK (length(key) = 32),
    body bytea NOT NULL CHECK (length(body) = 32),
    at timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE INDEX intake_taken_at ON troth.intake_taken (at);

-- How many events about a person were refused on a day, by reason and clause, for that person alone.
CREATE TABLE troth.refused_event (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    day date NOT NULL,
    kind text NOT NULL CHECK (length(kind) <= 40),
    reason text NOT NULL CHECK (length(reason) <= 100),
    clause text NOT NULL CHECK (length(clause) <= 100),
    count bigint NOT NULL,
    PRIMARY KEY (subject, day, kind, reason, clause)
);

-- The operator's counts say of which kind, and by which clause. Migrations run before anybody is served.
ALTER TABLE troth.intake_count ADD COLUMN kind text NOT NULL DEFAULT '';
ALTER TABLE troth.intake_count ADD COLUMN clause text NOT NULL DEFAULT '';
-- squawk-ignore ban-drop-constraint
ALTER TABLE troth.intake_count DROP CONSTRAINT intake_count_pkey;
-- squawk-ignore adding-serial-primary-key-field, disallowed-unique-constraint, constraint-missing-not-valid
ALTER TABLE troth.intake_count ADD PRIMARY KEY (day, outcome, kind, reason, clause);
