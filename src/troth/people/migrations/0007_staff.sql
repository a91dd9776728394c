-- Who of the operator's staff may do what, since when and until when; the ended ones are the history.
CREATE TABLE troth.staff (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    given uuid NOT NULL DEFAULT uuidv7(),
    role text NOT NULL CHECK (role IN ('owner', 'support', 'publisher', 'analyst', 'auditor')),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    until timestamptz,
    PRIMARY KEY (subject, given)
);
CREATE UNIQUE INDEX staff_live ON troth.staff (subject, role) WHERE until IS NULL;

-- Who was invited to the staff, and by which digest of the link's token; it goes when they accept, or after its time.
CREATE TABLE troth.staff_invitation (
    invitation uuid PRIMARY KEY DEFAULT uuidv7(),
    digest bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    email text NOT NULL CHECK (length(email) <= 254),
    roles text [] NOT NULL CHECK (cardinality(roles) BETWEEN 1 AND 5),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    expires_at timestamptz NOT NULL
);

-- Whoever was the operator until now owns the service.
INSERT INTO troth.staff (subject, role) SELECT subject, 'owner' FROM troth.people_account WHERE is_operator;
