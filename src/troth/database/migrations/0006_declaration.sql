-- Tables and columns that were declared at run time (profile fields, applications' collections), told as a `governed.toml`
-- tells them, in JSON. The keeper alone writes here, in the transaction that makes them.
CREATE TABLE troth.declaration (
    declarer text PRIMARY KEY CHECK (declarer ~ '^[a-z][a-z0-9_-]{0,62}$'),
    tables text NOT NULL,
    source text NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp()
);
