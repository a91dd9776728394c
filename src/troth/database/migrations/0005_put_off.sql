-- When the keeper last found that a request must wait, as for a second person.
ALTER TABLE troth.keeper_request ADD COLUMN put_off_at timestamptz;
