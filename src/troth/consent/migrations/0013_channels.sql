-- How people are told of a version: as the policy said that they had agreed to. By message nobody is written to: the pages tell them.
ALTER TABLE troth.policy_telling ADD COLUMN channel text NOT NULL DEFAULT 'e-mail';
ALTER TABLE troth.policy_telling ADD CONSTRAINT policy_telling_channel CHECK (channel IN ('e-mail', 'letter', 'message')) NOT VALID;
