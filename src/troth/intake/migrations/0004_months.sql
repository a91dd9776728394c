-- What applications send is cut into months, as accesses are, so that a month that is past every window goes at once. The rows
-- are moved; rules, grants and triggers are the plan's, which is carried out again after every migration.
ALTER TABLE troth.crash NO FORCE ROW LEVEL SECURITY;
ALTER TABLE troth.feature_use NO FORCE ROW LEVEL SECURITY;
-- squawk-ignore renaming-table
ALTER TABLE troth.crash RENAME TO crash_whole;
-- squawk-ignore renaming-table
ALTER TABLE troth.feature_use RENAME TO feature_use_whole;
-- squawk-ignore renaming-object
ALTER TABLE troth.crash_whole RENAME CONSTRAINT crash_pkey TO crash_whole_pkey;
-- squawk-ignore renaming-object
ALTER TABLE troth.feature_use_whole RENAME CONSTRAINT feature_use_pkey TO feature_use_whole_pkey;
-- squawk-ignore renaming-object
ALTER INDEX troth.crash_at RENAME TO crash_whole_at;
-- squawk-ignore renaming-object
ALTER INDEX troth.feature_use_at RENAME TO feature_use_whole_at;

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
) PARTITION BY RANGE (at);
CREATE INDEX crash_at ON troth.crash (at, subject);
CREATE TABLE troth.crash_other PARTITION OF troth.crash DEFAULT WITH (fillfactor = 95);

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
) PARTITION BY RANGE (at);
CREATE INDEX feature_use_at ON troth.feature_use (at, subject);
CREATE TABLE troth.feature_use_other PARTITION OF troth.feature_use DEFAULT WITH (fillfactor = 95);

-- A month for each in which something happened, named and bounded as the keeper does it.
DO $$
DECLARE
    parent text;
    month date;
BEGIN
    FOR parent, month IN
        SELECT DISTINCT 'crash', date_trunc('month', at AT TIME ZONE 'UTC')::date FROM troth.crash_whole
        UNION SELECT DISTINCT 'feature_use', date_trunc('month', at AT TIME ZONE 'UTC')::date FROM troth.feature_use_whole
    LOOP
        EXECUTE format(
            'CREATE TABLE troth.%I PARTITION OF troth.%I FOR VALUES FROM (%L) TO (%L) WITH (fillfactor = 95)',
            parent || to_char(month, '_YYYY_MM'), parent, month || ' 00:00+00', (month + interval '1 month')::date || ' 00:00+00'
        );
    END LOOP;
END
$$;

INSERT INTO troth.crash (
    subject, at, uses, id, application, fingerprint, kind, message, stack, release, environment, ended_at
)
SELECT subject, at, uses, id, application, fingerprint, kind, message, stack, release, environment, ended_at
FROM troth.crash_whole;
INSERT INTO troth.feature_use (subject, at, uses, id, application, feature, outcome, ended_at)
SELECT subject, at, uses, id, application, feature, outcome, ended_at FROM troth.feature_use_whole;

-- The views of purposes go with what they looked at, and are made again over what took its place.
-- squawk-ignore ban-drop-table
DROP TABLE troth.crash_whole CASCADE;
-- squawk-ignore ban-drop-table
DROP TABLE troth.feature_use_whole CASCADE;
