-- Behind everything else, since the row rules read what stands in front. It is a time of UTC by its expression, which with a time
-- zone would not be immutable. Migrations run before anybody is served.
-- squawk-ignore adding-field-with-default, prefer-timestamp-tz
ALTER TABLE troth.access ADD COLUMN hour timestamp GENERATED ALWAYS AS (date_trunc('hour', at AT TIME ZONE 'UTC')) STORED;
