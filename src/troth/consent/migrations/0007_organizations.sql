-- A permission that somebody who administers an organization proposed to a member, and the grant that came of it: neither holds
-- longer than that they administer it and the member is in it. Where it was ended by `operator`, that is the side that proposed.
ALTER TABLE troth.agreed_permission ADD COLUMN organization uuid;
ALTER TABLE troth.person_grant ADD COLUMN organization uuid;
