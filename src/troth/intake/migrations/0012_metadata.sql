-- What applications say of events in their own words, by the schema that they declared.
ALTER TABLE troth.activity ADD COLUMN metadata jsonb CHECK (jsonb_typeof(metadata) = 'object');
ALTER TABLE troth.feature_use ADD COLUMN metadata jsonb CHECK (jsonb_typeof(metadata) = 'object');
ALTER TABLE troth.transaction ADD COLUMN metadata jsonb CHECK (jsonb_typeof(metadata) = 'object');
