-- Behind everything else, since the row rules read what stands in front.
ALTER TABLE troth.access ADD COLUMN hour timestamp GENERATED ALWAYS AS (date_trunc('hour', at AT TIME ZONE 'UTC')) STORED;
