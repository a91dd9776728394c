-- How each process that stores does, by its own word: counts, and nobody's data. One that is silent for a day is forgotten.
CREATE TABLE troth.intake_node (
    node uuid PRIMARY KEY,
    started timestamptz NOT NULL,
    seen timestamptz NOT NULL,
    latest timestamptz,
    commits bigint NOT NULL,
    figures jsonb NOT NULL CHECK (pg_column_size(figures) < 2000)
);
