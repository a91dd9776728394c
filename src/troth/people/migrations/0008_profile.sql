-- What a person tells of themselves: the columns are the fields that the operator declares, which the keeper adds.
CREATE TABLE troth.profile (
    subject uuid PRIMARY KEY REFERENCES troth.subject (subject),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 85);

-- How a declared field is shown: its column stands in `troth.declaration`, with its type and category.
CREATE TABLE troth.profile_field (
    field text PRIMARY KEY CHECK (field ~ '^[a-z][a-z0-9_]{0,39}$'),
    place integer NOT NULL,
    holder text NOT NULL CHECK (holder IN ('person', 'organization')),
    occasion text NOT NULL CHECK (occasion IN ('sign-up', 'profile')),
    required boolean NOT NULL,
    labels jsonb NOT NULL,
    words jsonb NOT NULL
);
