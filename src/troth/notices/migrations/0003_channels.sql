-- How a notice reaches its person: most as a mail; a letter waits for somebody of the staff to send it, and no mail server gets it.
ALTER TABLE troth.notice ADD COLUMN channel text NOT NULL DEFAULT 'e-mail';
ALTER TABLE troth.notice ADD CONSTRAINT notice_channel CHECK (channel IN ('e-mail', 'letter')) NOT VALID;
-- The outbox is nearly empty when a service starts, and nobody delivers before it is up to date.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX notice_letters ON troth.notice (batch, notice) WHERE channel = 'letter';
-- Whoever delivers walks past no letter.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX troth.notice_due;
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX troth.notice_due_of_many;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX notice_due ON troth.notice (next_try_at) WHERE batch IS NULL AND channel = 'e-mail';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX notice_due_of_many ON troth.notice (next_try_at, notice) WHERE batch IS NOT NULL AND channel = 'e-mail';
