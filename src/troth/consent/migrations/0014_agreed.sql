-- The version that somebody agreed to last, beside what it lets: the agreement itself may be gone before the rows that it binds are.
ALTER TABLE troth.permitted ADD COLUMN agreed integer;
ALTER TABLE troth.permitted NO FORCE ROW LEVEL SECURITY;
ALTER TABLE troth.agreement NO FORCE ROW LEVEL SECURITY;
UPDATE troth.permitted AS p SET agreed = given.version
FROM (SELECT subject, max(version) AS version FROM troth.agreement GROUP BY subject) AS given
WHERE given.subject = p.subject;
ALTER TABLE troth.permitted FORCE ROW LEVEL SECURITY;
ALTER TABLE troth.agreement FORCE ROW LEVEL SECURITY;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX permitted_agreed ON troth.permitted (agreed);
