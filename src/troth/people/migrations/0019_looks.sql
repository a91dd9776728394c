-- That somebody who administers an organization looks at its members, or with `whom` at one person in it: written down before
-- anything is seen, and read by that person. Of `digest` the value opened one transaction, the one that `session` and `turn` name.
CREATE TABLE troth.organization_look (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    look uuid NOT NULL DEFAULT uuidv7(),
    organization uuid NOT NULL,
    whom uuid REFERENCES troth.subject (subject),
    kind text NOT NULL CHECK (kind IN ('list', 'search', 'member', 'requests', 'corrections')),
    digest bytea NOT NULL CHECK (length(digest) = 32),
    session integer NOT NULL,
    turn text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subject, look)
);
CREATE INDEX organization_look_digest ON troth.organization_look (digest);
CREATE INDEX organization_look_whom ON troth.organization_look (whom, at) WHERE whom IS NOT NULL;
CREATE INDEX organization_look_listed ON troth.organization_look (organization, at) WHERE whom IS NULL;
CREATE INDEX organization_look_at ON troth.organization_look (at);
