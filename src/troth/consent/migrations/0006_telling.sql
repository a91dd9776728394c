-- How far the mails about a published version got, in the order of subjects: before its day for one that waits, and once it is
-- in force for whoever agreed to an older one since.
CREATE TABLE troth.policy_telling (
    telling uuid PRIMARY KEY DEFAULT uuidv7(),
    version integer NOT NULL,
    scheduled uuid UNIQUE REFERENCES troth.policy_scheduled (scheduled),
    since timestamptz NOT NULL,
    after uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    told bigint NOT NULL DEFAULT 0,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    done_at timestamptz
);
CREATE UNIQUE INDEX policy_telling_in_force ON troth.policy_telling (version) WHERE scheduled IS NULL;
CREATE INDEX policy_telling_open ON troth.policy_telling (at) WHERE done_at IS NULL;
-- What was in force before anybody was told by mail is not news.
INSERT INTO troth.policy_telling (version, since, done_at)
SELECT version, applied_at, statement_timestamp() FROM troth.policy_version;

-- Agreements to a version that waits for its day: they bind from that day on, and nobody before it.
CREATE TABLE troth.agreement_ahead (
    subject uuid PRIMARY KEY REFERENCES troth.subject (subject),
    version integer NOT NULL,
    policy_digest text NOT NULL,
    terms_digest text NOT NULL,
    wording text NOT NULL,
    language text NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp()
);
