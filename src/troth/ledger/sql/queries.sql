-- name: call_record
SELECT troth.record(%(action)s, %(actor)s, %(subject)s, %(facts)s)

-- name: entries
-- In order, from `after` on; the caller asks again with the last index it saw.
SELECT index, at, action, actor, subject, facts, previous, hash
FROM troth.ledger_entry WHERE index > %(after)s ORDER BY index LIMIT %(limit)s

-- name: newest_entries
SELECT index, at, action, actor, subject, facts, previous, hash
FROM troth.ledger_entry WHERE index < %(before)s ORDER BY index DESC LIMIT %(limit)s

-- name: entries_about
-- The salts that a role can see decide: as `self`, only those of the viewer.
SELECT entry.index, entry.at, entry.action, entry.actor, entry.subject, entry.facts, entry.previous, entry.hash
FROM troth.ledger_salt AS salted JOIN troth.ledger_entry AS entry ON entry.index = salted.entry
WHERE salted.subject = %(subject)s AND entry.index < %(before)s ORDER BY entry.index DESC LIMIT %(limit)s

-- name: entries_by_action
-- The entries of some actions with a person's salt of each, whether they did it or it concerns them.
SELECT entry.index, entry.at, entry.action, entry.actor, entry.subject, entry.facts, entry.previous, entry.hash, salted.salt
FROM troth.ledger_salt AS salted JOIN troth.ledger_entry AS entry ON entry.index = salted.entry
WHERE salted.subject = %(subject)s AND entry.action = ANY (%(actions)s) ORDER BY entry.index

-- name: newest_index
SELECT index FROM troth.ledger_entry ORDER BY index DESC LIMIT 1

-- name: checkpoint
-- The newest signed head, whatever its origin.
SELECT origin, size, root, note FROM troth.ledger_checkpoint ORDER BY at DESC, size DESC LIMIT 1

-- name: keep_checkpoint
INSERT INTO troth.ledger_checkpoint AS held (origin, size, root, note)
VALUES (%(origin)s, %(size)s, %(root)s, %(note)s)
ON CONFLICT (origin) DO UPDATE SET
    size = excluded.size, root = excluded.root, note = excluded.note, at = statement_timestamp()
WHERE held.size < excluded.size

-- name: sign_checkpoint_again
UPDATE troth.ledger_checkpoint SET note = %(note)s WHERE origin = %(origin)s

-- name: tile
SELECT hashes FROM troth.ledger_tile WHERE level = %(level)s AND number = %(number)s

-- name: keep_tile
INSERT INTO troth.ledger_tile (level, number, hashes) VALUES (%(level)s, %(number)s, %(hashes)s)
ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes
