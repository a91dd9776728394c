-- The digest of the invitation by which somebody joined: who opens its link again is told that they used it, and nobody else is. It
-- goes with the membership.
ALTER TABLE troth.membership ADD COLUMN joined_by bytea;
