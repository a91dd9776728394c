-- name: call_record
SELECT troth.record(%(action)s, %(actor)s, %(subject)s, %(facts)s)

-- name: entries
-- In order, from `after` on; the caller asks again with the last index it saw.
SELECT index, at, action, actor, subject, facts, previous, hash
FROM troth.ledger_entry WHERE index > %(after)s ORDER BY index LIMIT %(limit)s

-- name: entries_about
-- The salts that a role can see decide: as `self`, only those of the viewer.
SELECT entry.index, entry.at, entry.action, entry.actor, entry.subject, entry.facts, entry.previous, entry.hash
FROM troth.ledger_salt AS salted JOIN troth.ledger_entry AS entry ON entry.index = salted.entry
WHERE salted.subject = %(subject)s AND entry.index < %(before)s ORDER BY entry.index DESC LIMIT %(limit)s
