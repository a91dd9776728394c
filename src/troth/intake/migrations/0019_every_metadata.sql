-- What applications say in their own words of every kind of event, and how a page was asked for and answered.
ALTER TABLE troth.crash ADD COLUMN metadata jsonb CHECK (jsonb_typeof(metadata) = 'object');
ALTER TABLE troth.location ADD COLUMN metadata jsonb CHECK (jsonb_typeof(metadata) = 'object');
ALTER TABLE troth.page_view ADD COLUMN metadata jsonb CHECK (jsonb_typeof(metadata) = 'object');
ALTER TABLE troth.page_view ADD COLUMN method text CHECK (length(method) <= 20);
ALTER TABLE troth.page_view ADD COLUMN status smallint CHECK (status BETWEEN 100 AND 599);
