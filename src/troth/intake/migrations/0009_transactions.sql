-- What people bought, sent or changed, and where they were, as applications tell it. What every row rule reads stands first.
CREATE TABLE troth.transaction (
    subject uuid NOT NULL,
    at timestamptz NOT NULL,
    uses bigint NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    day date NOT NULL GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED,
    application text NOT NULL CHECK (length(application) <= 60),
    item text CHECK (length(item) <= 200),
    -- As it was told, with no more places behind the point than any currency has.
    amount numeric CHECK (abs(amount) < 1e15 AND scale(amount) <= 4),
    currency text CHECK (currency ~ '^[A-Z]{3}$'),
    ended_at timestamptz,
    PRIMARY KEY (subject, at, application, id)
) PARTITION BY RANGE (at);
CREATE INDEX transaction_at ON troth.transaction (at, subject);
CREATE TABLE troth.transaction_other PARTITION OF troth.transaction DEFAULT WITH (fillfactor = 95);

-- A city is the south-west corner of a cell of a tenth of a degree, a region that of one degree: on the equator 11 and 111 kilometres wide.
CREATE TABLE troth.location (
    subject uuid NOT NULL,
    at timestamptz NOT NULL,
    uses bigint NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    day date NOT NULL GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED,
    -- A time of UTC by its expression, which with a time zone would not be immutable.
    -- squawk-ignore prefer-timestamp-tz
    hour timestamp NOT NULL GENERATED ALWAYS AS (date_trunc('hour', at AT TIME ZONE 'UTC')) STORED,
    application text NOT NULL CHECK (length(application) <= 60),
    latitude numeric(7, 5) CHECK (latitude BETWEEN -90 AND 90),
    longitude numeric(8, 5) CHECK (longitude BETWEEN -180 AND 180),
    city text GENERATED ALWAYS AS (
        round(floor(latitude * 10) / 10, 1)::text || ', ' || round(floor(longitude * 10) / 10, 1)::text
    ) STORED,
    region text GENERATED ALWAYS AS (floor(latitude)::text || ', ' || floor(longitude)::text) STORED,
    accuracy double precision CHECK (accuracy BETWEEN 0 AND 1e8),
    altitude double precision CHECK (altitude BETWEEN -1e6 AND 1e6),
    source text CHECK (length(source) <= 20),
    ended_at timestamptz,
    PRIMARY KEY (subject, at, application, id)
) PARTITION BY RANGE (at);
CREATE INDEX location_at ON troth.location (at, subject);
CREATE TABLE troth.location_other PARTITION OF troth.location DEFAULT WITH (fillfactor = 95);
