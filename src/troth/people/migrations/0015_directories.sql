-- Organizations' directories (SCIM): who may speak for one, what it supplied of people, and which domains an organization holds.
CREATE TABLE troth.directory_token (
    token uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization uuid NOT NULL REFERENCES troth.organization (organization) ON DELETE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    digest bytea NOT NULL CHECK (length(digest) = 32),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    until timestamptz NOT NULL CHECK (until <= at + interval '367 days'),
    used_at timestamptz,
    listed_at timestamptz,
    ended_at timestamptz
);
CREATE UNIQUE INDEX directory_token_digest ON troth.directory_token (digest);
CREATE INDEX directory_token_listed ON troth.directory_token (organization, at);

-- What a directory supplied of one person. Until the person joins, the row has a subject of its own, which agreed to nothing
-- and is in no use; when they join it becomes theirs, without the names that the directory wrote: from then on theirs count.
-- squawk-ignore ban-drop-constraint
ALTER TABLE troth.subject DROP CONSTRAINT subject_kind_check;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE troth.subject ADD CONSTRAINT subject_kind_check CHECK (kind IN ('person', 'anonymous', 'nobody', 'supplied'));
CREATE INDEX subject_supplied ON troth.subject (at) WHERE kind = 'supplied';

CREATE TABLE troth.directory_entry (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    organization uuid NOT NULL REFERENCES troth.organization (organization) ON DELETE CASCADE,
    entry uuid NOT NULL DEFAULT uuidv7(),
    user_name text NOT NULL CHECK (length(user_name) BETWEEN 1 AND 254),
    external_id text CHECK (length(external_id) <= 254),
    email text CHECK (length(email) <= 254),
    email_kind text CHECK (length(email_kind) <= 40),
    email_first boolean,
    display_name text CHECK (length(display_name) <= 200),
    full_name text CHECK (length(full_name) <= 200),
    given_name text CHECK (length(given_name) <= 200),
    family_name text CHECK (length(family_name) <= 200),
    employee_number text CHECK (length(employee_number) <= 100),
    active boolean,
    joined_at timestamptz,
    offered_at timestamptz,
    offer_due boolean NOT NULL DEFAULT false,
    declined_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    changed_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    user_key text COLLATE "C" GENERATED ALWAYS AS (lower(user_name)) STORED,
    email_key text COLLATE "C" GENERATED ALWAYS AS (lower(email)) STORED,
    name_key text COLLATE "C" GENERATED ALWAYS AS (lower(display_name)) STORED,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, organization)
) WITH (fillfactor = 85);
CREATE INDEX directory_entry_listed ON troth.directory_entry (organization, entry) WHERE ended_at IS NULL;
CREATE INDEX directory_entry_user ON troth.directory_entry (organization, user_key, entry) WHERE ended_at IS NULL;
CREATE INDEX directory_entry_external ON troth.directory_entry (organization, external_id, entry) WHERE ended_at IS NULL;
CREATE INDEX directory_entry_name ON troth.directory_entry (organization, name_key, entry) WHERE ended_at IS NULL;
CREATE INDEX directory_entry_email ON troth.directory_entry (email_key, organization) WHERE ended_at IS NULL;
CREATE INDEX directory_entry_due ON troth.directory_entry (changed_at) WHERE offer_due;

-- The organization's own groups, and who its directory says is in them.
CREATE TABLE troth.directory_group (
    organization uuid NOT NULL REFERENCES troth.organization (organization) ON DELETE CASCADE,
    grouping uuid NOT NULL DEFAULT uuidv7(),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 254),
    external_id text CHECK (length(external_id) <= 254),
    version integer NOT NULL DEFAULT 1,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    name_key text COLLATE "C" GENERATED ALWAYS AS (lower(name)) STORED,
    PRIMARY KEY (organization, grouping)
);
CREATE INDEX directory_group_name ON troth.directory_group (organization, name_key, grouping);
CREATE INDEX directory_group_external ON troth.directory_group (organization, external_id, grouping);

CREATE TABLE troth.directory_grouped (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    organization uuid NOT NULL,
    grouping uuid NOT NULL,
    entry uuid NOT NULL,
    PRIMARY KEY (subject, organization, grouping),
    FOREIGN KEY (organization, grouping) REFERENCES troth.directory_group (organization, grouping) ON DELETE CASCADE,
    FOREIGN KEY (subject, organization) REFERENCES troth.directory_entry (subject, organization) ON DELETE CASCADE
);
CREATE INDEX directory_grouped_listed ON troth.directory_grouped (organization, grouping, entry);

-- What a directory did about one person, so that the person sees it: which attributes, never their values.
CREATE TABLE troth.directory_act (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    act uuid NOT NULL DEFAULT uuidv7(),
    organization uuid NOT NULL REFERENCES troth.organization (organization) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('supplied', 'changed', 'read', 'suspended', 'removed', 'grouped', 'ungrouped')),
    token uuid REFERENCES troth.directory_token (token) ON DELETE SET NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subject, act)
);
CREATE INDEX directory_act_organization ON troth.directory_act (organization);

-- Domains that an organization says are its own. A domain is held once the value was found where only its holder can put it.
CREATE TABLE troth.domain (
    organization uuid NOT NULL REFERENCES troth.organization (organization) ON DELETE CASCADE,
    domain text COLLATE "C" NOT NULL CHECK (length(domain) BETWEEN 3 AND 253 AND domain = lower(domain)),
    value text NOT NULL CHECK (length(value) BETWEEN 32 AND 80),
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    held_since timestamptz,
    seen_at timestamptz,
    checked_at timestamptz,
    next_check_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    missed smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (organization, domain)
);
CREATE UNIQUE INDEX domain_held ON troth.domain (domain) WHERE held_since IS NOT NULL;
CREATE INDEX domain_due ON troth.domain (next_check_at);
