-- The moment at which an answer to an application ends by itself; without one it holds until its person ends it. `until` says when
-- an answer did end: at that moment, or before it.
ALTER TABLE troth.application_grant ADD COLUMN expires_at timestamptz;
-- An application's list of its users goes through standing answers one after the other.
CREATE UNIQUE INDEX application_grant_listed ON troth.application_grant (application, answer) WHERE until IS NULL;
