-- How often what happened, by hour and by words of bounded vocabularies; of nobody. `people` is a sketch of 64 bits, in which each
-- person of a day sets one: there were at least as many as it has bits, and who they were nothing tells once the day's salt is gone.
CREATE TABLE troth.rollup (
    hour timestamptz NOT NULL,
    kind text NOT NULL CHECK (length(kind) <= 40),
    application text NOT NULL CHECK (length(application) <= 60),
    dimension text NOT NULL CHECK (length(dimension) <= 20),
    value text NOT NULL CHECK (length(value) <= 100),
    count bigint NOT NULL,
    people bigint NOT NULL,
    PRIMARY KEY (hour, kind, application, dimension, value)
);

-- What turns a person into a bit, for one day.
CREATE TABLE troth.rollup_salt (
    day date PRIMARY KEY,
    salt uuid NOT NULL DEFAULT gen_random_uuid()
);
