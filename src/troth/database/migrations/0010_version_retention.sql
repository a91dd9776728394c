-- How long each version keeps rows of each table: whoever has not agreed to the one in force is bound to what their own says. It comes
-- out of the versions' texts, and is written anew whenever a policy is carried out. Nothing here is about anybody.
CREATE TABLE troth.version_retention (
    version integer NOT NULL REFERENCES troth.policy_version (version),
    relation text NOT NULL,
    days integer CHECK (days >= 0),
    after_end integer CHECK (after_end >= 0),
    consented text [] NOT NULL,
    PRIMARY KEY (version, relation)
);
