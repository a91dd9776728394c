-- The Merkle tree over the entries, in the tiles in which it is published (https://c2sp.org/tlog-tiles); all of it can be made
-- again from the entries.
CREATE TABLE troth.ledger_tile (
    level smallint NOT NULL CHECK (level >= 0),
    number bigint NOT NULL CHECK (number >= 0),
    hashes bytea NOT NULL CHECK (length(hashes) % 32 = 0 AND length(hashes) BETWEEN 32 AND 8192),
    PRIMARY KEY (level, number)
);

-- The newest signed head of each origin; a restored copy of the ledger goes on under an origin of its own.
CREATE TABLE troth.ledger_checkpoint (
    origin text PRIMARY KEY,
    size bigint NOT NULL CHECK (size > 0),
    root bytea NOT NULL CHECK (length(root) = 32),
    note text NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp()
);
