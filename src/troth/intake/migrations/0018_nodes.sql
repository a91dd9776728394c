-- How each process that stores does, by its own word: counts, and nobody's data. One that is silent for a day is forgotten.
CREATE TABLE troth.intake_node (
    node uuid PRIMARY KEY,
    started timestamptz NOT NULL CHECK (isfinite(started)),
    seen timestamptz NOT NULL,
    latest timestamptz CHECK (isfinite(latest)),
    commits bigint NOT NULL CHECK (commits BETWEEN 0 AND 1000000000000000),
    -- What waits and was turned away, in the order in which the process tells it.
    figures bigint [] NOT NULL CHECK (cardinality(figures) = 7 AND 0 <= ALL (figures) AND 1000000000000000 >= ALL (figures))
);
