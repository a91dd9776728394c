-- How surely whoever holds a token signed in (NIST SP 800-63B): 2 where a second factor was shown, else 1.
ALTER TABLE troth.request_token ADD COLUMN level smallint NOT NULL DEFAULT 1 CHECK (level IN (1, 2));
