-- Organizations, what their roles may do, who is in them, who is invited, and who asks to be let in.
CREATE TABLE troth.organization (
    organization uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    asking boolean NOT NULL DEFAULT false,
    at timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- see: its members, as the policy shows them to administrators; invite; members: admit, remove, give roles; roles: its
-- name and roles; own: hand it over, delete it. Every organization has an owner, an administrator and a member.
CREATE TABLE troth.organization_role (
    organization uuid NOT NULL REFERENCES troth.organization (organization) ON DELETE CASCADE,
    role text NOT NULL CHECK (length(role) BETWEEN 1 AND 60),
    may text [] NOT NULL CHECK (may <@ ARRAY['see', 'invite', 'members', 'roles', 'own']),
    PRIMARY KEY (organization, role)
);

-- A person's row in an organization. `name` is kept the same as the person's by the database; `sought` finds it in any case.
CREATE TABLE troth.membership (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    organization uuid NOT NULL REFERENCES troth.organization (organization),
    role text NOT NULL,
    name text,
    sought text GENERATED ALWAYS AS (coalesce(lower(name), '')) STORED,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, organization),
    FOREIGN KEY (organization, role) REFERENCES troth.organization_role (organization, role)
) WITH (fillfactor = 85);
CREATE INDEX membership_listed ON troth.membership (organization, sought, subject);
CREATE INDEX membership_roles ON troth.membership (organization, role);

-- An invitation by mail, which one person can use, or a link for several. Only the digest of its token is here. Whose an
-- address is may not be known yet: it goes when the invitation is used, withdrawn, or past its end.
CREATE TABLE troth.invitation (
    invitation uuid PRIMARY KEY DEFAULT uuidv7(),
    organization uuid NOT NULL REFERENCES troth.organization (organization) ON DELETE CASCADE,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    address text CHECK (length(address) <= 254),
    domain text,
    role text NOT NULL,
    joins smallint NOT NULL CHECK (joins BETWEEN 1 AND 1000),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    until timestamptz NOT NULL CHECK (until <= at + interval '31 days'),
    FOREIGN KEY (organization, role) REFERENCES troth.organization_role (organization, role) ON DELETE CASCADE
);
CREATE UNIQUE INDEX invitation_digest ON troth.invitation (digest);
CREATE INDEX invitation_listed ON troth.invitation (organization, at);
CREATE INDEX invitation_until ON troth.invitation (until);

CREATE TABLE troth.join_request (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    organization uuid NOT NULL REFERENCES troth.organization (organization),
    name text,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, organization)
) WITH (fillfactor = 85);
CREATE INDEX join_request_listed ON troth.join_request (organization, at, subject);
