-- What programs did or met, as applications tell it of people who use them. What every row rule reads stands first.
CREATE TABLE troth.activity (
    subject uuid NOT NULL,
    at timestamptz NOT NULL,
    uses bigint NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    day date NOT NULL GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED,
    application text NOT NULL CHECK (length(application) <= 60),
    event text CHECK (length(event) <= 200),
    severity text CHECK (length(severity) <= 20),
    message text CHECK (length(message) <= 2000),
    release text CHECK (length(release) <= 200),
    environment text CHECK (length(environment) <= 100),
    ended_at timestamptz,
    PRIMARY KEY (subject, at, application, id)
) PARTITION BY RANGE (at);
CREATE INDEX activity_at ON troth.activity (at, subject);
CREATE TABLE troth.activity_other PARTITION OF troth.activity DEFAULT WITH (fillfactor = 95);
