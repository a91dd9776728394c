-- name: post
SELECT troth.post(%(subject)s, %(address)s, %(template)s, %(facts)s)

-- name: room
-- Whether fewer than that many of those that are sent to many wait.
SELECT count(*) < %(room)s FROM (SELECT FROM troth.notice WHERE batch IS NOT NULL AND channel = 'e-mail' LIMIT %(room)s) AS waiting

-- name: due
-- Whoever waits for a notice is first in a line of their own.
SELECT subject, notice, address, template, facts, tries FROM troth.notice
WHERE next_try_at <= statement_timestamp() AND batch IS NULL AND channel = 'e-mail' ORDER BY next_try_at LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: due_of_many
SELECT subject, notice, address, template, facts, tries FROM troth.notice
WHERE next_try_at <= statement_timestamp() AND batch IS NOT NULL AND channel = 'e-mail' ORDER BY next_try_at, notice LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: settle
SELECT troth.settle_notice(%(subject)s, %(notice)s, %(how)s, %(reply)s)

-- name: defer
UPDATE troth.notice SET tries = tries + 1, next_try_at = statement_timestamp() + %(wait)s
WHERE subject = %(subject)s AND notice = %(notice)s

-- name: bounce
SELECT troth.bounce_notice(%(notice)s, %(reply)s)

-- name: sends
-- Of each send, and of all other notices (the nil UUID): how many ended how, how many wait, how many of those were tried.
SELECT batch, coalesce(sum(many) FILTER (WHERE outcome = 'sent'), 0), coalesce(sum(many) FILTER (WHERE outcome = 'failed'), 0),
    coalesce(sum(many) FILTER (WHERE outcome = 'bounced'), 0), coalesce(sum(many) FILTER (WHERE outcome = 'withdrawn'), 0),
    coalesce(sum(many) FILTER (WHERE outcome = 'waiting'), 0), coalesce(sum(many) FILTER (WHERE outcome = 'deferred'), 0)
FROM (
    SELECT batch, outcome, many FROM troth.notice_tally
    UNION ALL SELECT coalesce(batch, '00000000-0000-0000-0000-000000000000'), 'waiting', count(*) FROM troth.notice GROUP BY 1
    UNION ALL SELECT coalesce(batch, '00000000-0000-0000-0000-000000000000'), 'deferred', count(*)
        FROM troth.notice WHERE tries > 0 GROUP BY 1
) AS told GROUP BY batch

-- name: waiting
-- What is on its way to the viewer.
SELECT notice, template, CASE WHEN channel = 'letter' OR tries = 0 THEN 'queued' ELSE 'deferred' END AS status, NULL::text AS said, at FROM troth.notice
ORDER BY at DESC LIMIT %(most)s

-- name: outcomes
-- What became of what was sent to the viewer.
SELECT notice, template, outcome AS status, said, at FROM troth.notice_outcome ORDER BY at DESC LIMIT %(most)s
