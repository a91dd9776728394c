-- The version that somebody agreed to last, and the purposes to which they consented last, beside what both let: the record itself may
-- be gone before the rows that it binds are.
ALTER TABLE troth.permitted ADD COLUMN agreed integer, ADD COLUMN consents text [] NOT NULL DEFAULT '{}';
ALTER TABLE troth.permitted NO FORCE ROW LEVEL SECURITY;
ALTER TABLE troth.agreement NO FORCE ROW LEVEL SECURITY;
ALTER TABLE troth.choice NO FORCE ROW LEVEL SECURITY;
UPDATE troth.permitted AS p SET agreed = given.version
FROM (SELECT subject, max(version) AS version FROM troth.agreement GROUP BY subject) AS given
WHERE given.subject = p.subject;
UPDATE troth.permitted AS p SET consents = given.purposes
FROM (
    SELECT last.subject, array_agg(last.purpose ORDER BY last.purpose) AS purposes
    FROM (
        SELECT DISTINCT ON (c.subject, c.purpose) c.subject, c.purpose, c.kind FROM troth.choice AS c
        ORDER BY c.subject, c.purpose, c.at DESC, c.choice DESC
    ) AS last WHERE last.kind = 'consent' GROUP BY last.subject
) AS given
WHERE given.subject = p.subject;
ALTER TABLE troth.permitted FORCE ROW LEVEL SECURITY;
ALTER TABLE troth.agreement FORCE ROW LEVEL SECURITY;
ALTER TABLE troth.choice FORCE ROW LEVEL SECURITY;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX permitted_agreed ON troth.permitted (agreed);
