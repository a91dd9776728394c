-- A device's identifier is random, so that its plain digest cannot be guessed back. Migrations run before anybody is served.
-- squawk-ignore adding-field-with-default
ALTER TABLE troth.device ADD COLUMN hashed bytea GENERATED ALWAYS AS (sha256(uuid_send(device))) STORED;
