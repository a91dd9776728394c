-- About where an address is, and whose network it is: a country (ISO 3166-1), perhaps with a city behind a stroke, and a name.
-- Migrations run before anybody is served.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE troth.access ADD COLUMN place text CHECK (place ~ '^[A-Z]{2}(/.{1,97})?$');
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE troth.access ADD COLUMN provider text CHECK (length(provider) <= 100);
