-- What a person lets another person see. It begins as an offer behind a link, of which only the digest is here until somebody
-- answers; an offer to an address is for who has proven that address. Narrowing or renewing one ends it and begins another.
CREATE TABLE troth.person_grant (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    given uuid NOT NULL DEFAULT uuidv7(),
    receiver uuid REFERENCES troth.subject (subject),
    address text CHECK (length(address) <= 254),
    link bytea CHECK (length(link) = 32),
    categories text [] NOT NULL CHECK (cardinality(categories) > 0),
    records text [],
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    agreed uuid,
    version integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    accepted_at timestamptz,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL CHECK (until > since AND until <= since + interval '366 days'),
    used_at timestamptz,
    over_at timestamptz,
    over_by text CHECK (over_by IN ('giver', 'receiver', 'changed', 'agreement')),
    PRIMARY KEY (subject, given)
);
CREATE INDEX person_grant_receiver ON troth.person_grant (receiver) WHERE receiver IS NOT NULL;
CREATE INDEX person_grant_link ON troth.person_grant (link) WHERE link IS NOT NULL;

-- That somebody looked at what they are granted: inserted by whoever looks, so that nobody waits for them, and moved into the
-- grant and the ledger within a minute.
CREATE TABLE troth.person_grant_use (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    looked uuid NOT NULL DEFAULT uuidv7(),
    given uuid NOT NULL,
    receiver uuid NOT NULL REFERENCES troth.subject (subject),
    category text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subject, looked)
);
CREATE INDEX person_grant_use_receiver ON troth.person_grant_use (receiver);

-- What the operator proposed and the person accepted or declined: a purpose that needs their yes, or what of them one of the
-- operator's people may see. `wordings` are the sentences to be shown, by language; the answer names the one that was.
CREATE TABLE troth.agreed_permission (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    agreed uuid NOT NULL DEFAULT uuidv7(),
    address text NOT NULL CHECK (length(address) <= 254),
    receiver uuid REFERENCES troth.subject (subject),
    purpose text,
    categories text [] CHECK (cardinality(categories) > 0),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    terms text NOT NULL CHECK (length(terms) <= 2000),
    days integer NOT NULL CHECK (days BETWEEN 1 AND 366),
    ends text NOT NULL CHECK (ends IN ('at once', 'with notice', 'at its end')),
    notice integer NOT NULL CHECK (notice BETWEEN 0 AND 90),
    wordings jsonb NOT NULL,
    version integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    answer text CHECK (answer IN ('accepted', 'declined')),
    answered_at timestamptz,
    language text,
    until timestamptz,
    choice uuid,
    over_at timestamptz,
    over_by text CHECK (over_by IN ('person', 'operator', 'time')),
    PRIMARY KEY (subject, agreed),
    CHECK ((purpose IS NULL) <> (categories IS NULL)),
    CHECK (purpose IS NULL OR ends = 'at once')
);
CREATE INDEX agreed_permission_receiver ON troth.agreed_permission (receiver) WHERE receiver IS NOT NULL;
