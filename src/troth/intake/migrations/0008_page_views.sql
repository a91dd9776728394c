-- Which pages of applications were shown to people who use them, as their browsers tell it. What every row rule reads stands first.
CREATE TABLE troth.page_view (
    subject uuid NOT NULL,
    at timestamptz NOT NULL,
    uses bigint NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    day date NOT NULL GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED,
    -- A time of UTC by its expression, which with a time zone would not be immutable.
    -- squawk-ignore prefer-timestamp-tz
    hour timestamp NOT NULL GENERATED ALWAYS AS (date_trunc('hour', at AT TIME ZONE 'UTC')) STORED,
    application text NOT NULL CHECK (length(application) <= 60),
    url text CHECK (length(url) <= 2048),
    referrer text CHECK (length(referrer) <= 2048),
    browser text CHECK (length(browser) <= 200),
    system text CHECK (length(system) <= 200),
    kind text CHECK (length(kind) <= 20),
    ended_at timestamptz,
    PRIMARY KEY (subject, at, application, id)
) PARTITION BY RANGE (at);
CREATE INDEX page_view_at ON troth.page_view (at, subject);
CREATE TABLE troth.page_view_other PARTITION OF troth.page_view DEFAULT WITH (fillfactor = 95);
