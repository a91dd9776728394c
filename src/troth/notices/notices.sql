-- name: post
SELECT troth.post(%(subject)s, %(address)s, %(template)s, %(facts)s)

-- name: due
SELECT subject, notice, address, template, facts, tries FROM troth.notice
WHERE next_try_at <= statement_timestamp() ORDER BY next_try_at LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: delivered
DELETE FROM troth.notice WHERE subject = %(subject)s AND notice = %(notice)s

-- name: failed
UPDATE troth.notice SET tries = tries + 1, next_try_at = statement_timestamp() + %(wait)s
WHERE subject = %(subject)s AND notice = %(notice)s
