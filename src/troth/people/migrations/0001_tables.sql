-- Whose data: a person, an anonymous identifier, or nobody (visitors, who have no subject of their own).
CREATE TABLE troth.subject (
    subject uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('person', 'anonymous', 'nobody')),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz
);
INSERT INTO troth.subject (subject, kind) VALUES ('00000000-0000-0000-0000-000000000000', 'nobody');

CREATE TABLE troth.person (
    subject uuid PRIMARY KEY REFERENCES troth.subject (subject),
    email text CHECK (length(email) <= 254),
    name text CHECK (length(name) <= 200),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 85);

CREATE TABLE troth.device (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    device uuid NOT NULL,
    browser text,
    system text,
    kind text,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, device)
) WITH (fillfactor = 85);
