-- A device's identifier is random, so that its plain digest cannot be guessed back.
ALTER TABLE troth.device ADD COLUMN hashed bytea GENERATED ALWAYS AS (sha256(uuid_send(device))) STORED;
