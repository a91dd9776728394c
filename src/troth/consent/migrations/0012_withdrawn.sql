-- Whoever was told of a version is told that it does not take effect: the telling that such mails take back.
ALTER TABLE troth.policy_telling ADD COLUMN withdraws uuid;
CREATE UNIQUE INDEX policy_telling_withdraws ON troth.policy_telling (withdraws);
-- A few rows, and read by the keeper alone.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX troth.policy_telling_in_force;
CREATE UNIQUE INDEX policy_telling_in_force ON troth.policy_telling (version) WHERE scheduled IS NULL AND withdraws IS NULL;
-- What was withdrawn before anybody was told of that is no news.
INSERT INTO troth.policy_telling (version, withdraws, since, done_at)
SELECT told.version, told.telling, told.at, statement_timestamp() FROM troth.policy_telling AS told
JOIN troth.policy_scheduled AS waited ON waited.scheduled = told.scheduled WHERE waited.outcome <> 'published';
