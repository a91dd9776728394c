-- name: owner_changes
SELECT at, version, old_operator, old_ledger, old_receipts, operator, ledger, receipts, entry, leaf, proof
FROM troth.owner_change ORDER BY entry DESC

-- name: add_owner_change
INSERT INTO troth.owner_change (version, old_operator, old_ledger, old_receipts, operator, ledger, receipts, entry)
VALUES (%(version)s, %(old_operator)s, %(old_ledger)s, %(old_receipts)s, %(operator)s, %(ledger)s, %(receipts)s, %(entry)s)

-- name: agreed_change
-- The entry of the change that a key took over with, and whether the key before it has shown the entry.
SELECT entry, proof IS NOT NULL FROM troth.owner_change WHERE operator = %(operator)s

-- name: prove_owner_change
UPDATE troth.owner_change SET leaf = %(leaf)s, proof = %(proof)s WHERE entry = %(entry)s
