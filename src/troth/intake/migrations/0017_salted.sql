-- Of which day the salt is that made the bits of a count: those of different days are never taken together.
-- Migrations run before anybody is served.
-- squawk-ignore adding-not-nullable-field, adding-field-with-default
ALTER TABLE troth.rollup ADD COLUMN salted date NOT NULL DEFAULT (statement_timestamp() AT TIME ZONE 'UTC')::date;
UPDATE troth.rollup SET salted = (hour AT TIME ZONE 'UTC')::date;
-- What the keeper looks for, whose words go with their day.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX rollup_named ON troth.rollup (salted) WHERE application <> '' AND value NOT IN ('', 'other');
-- What pages ask for: one thing that was counted, over a span.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX rollup_told ON troth.rollup (dimension, kind, hour);
-- The keeper makes them anew, asking more.
-- squawk-ignore ban-drop-function
DROP FUNCTION IF EXISTS troth.roll(timestamptz [], text [], text [], text [], text [], bigint [], bigint []),
troth.rolled(text [], text, timestamptz, text);
