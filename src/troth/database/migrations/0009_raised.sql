-- What the operator asked beyond the computed verdict: 2 that people are told, 3 that they agree again.
-- squawk-ignore adding-field-with-default
ALTER TABLE troth.policy_version ADD COLUMN raised integer NOT NULL DEFAULT 0;
