-- What the operator's staff asked people to see, and what became of it: asked until it is answered or a week has passed;
-- allowed until some moment, or ended before it; or declined. One whose address nobody has is asked of nobody.
CREATE TABLE troth.support_access (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    access uuid NOT NULL DEFAULT uuidv7() UNIQUE,
    asker uuid NOT NULL,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    ticket text NOT NULL CHECK (length(ticket) BETWEEN 1 AND 60),
    asked_areas text [] NOT NULL CHECK (cardinality(asked_areas) BETWEEN 1 AND 20),
    asked_hours smallint NOT NULL CHECK (asked_hours BETWEEN 1 AND 72),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    areas text [] NOT NULL DEFAULT '{}' CHECK (areas <@ asked_areas),
    allowed_at timestamptz,
    declined_at timestamptz,
    until timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (subject, access)
);
CREATE INDEX support_access_asker ON troth.support_access (asker, at);

-- Every look: committed before a row can be seen, and good for the very next transaction of the same session.
CREATE TABLE troth.support_look (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    look uuid NOT NULL DEFAULT uuidv7(),
    access uuid NOT NULL,
    digest bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    area text NOT NULL,
    rows bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    session integer NOT NULL,
    turn text NOT NULL,
    PRIMARY KEY (subject, look)
);
