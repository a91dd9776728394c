-- name: announce
SELECT troth.announce(%(texts)s)

-- name: announce_by_key
-- What the operator's key asks for, as the keeper.
INSERT INTO troth.announcement (texts) VALUES (%(texts)s)
RETURNING announcement, encode(sha256(convert_to(texts::text, 'UTF8')), 'hex')

-- name: stop_announcement
SELECT troth.stop_announcement(%(announcement)s)

-- name: announcements
SELECT announcement, texts, queued, at, done_at, stopped_at FROM troth.announcement ORDER BY at DESC LIMIT %(most)s

-- name: announcing
-- The send that comes first, and after whom it goes on.
SELECT announcement, after FROM troth.announcement WHERE done_at IS NULL ORDER BY at LIMIT 1

-- name: queue_announcement
SELECT troth.queue_announcement(%(announcement)s, %(after)s, %(people)s, %(last)s)

-- name: announced
SELECT texts FROM troth.announcement WHERE announcement = %(announcement)s AND stopped_at IS NULL

-- name: announced_to_some
-- As the purpose: those who permit it now, in the order of subjects.
SELECT subject FROM person WHERE subject > %(after)s AND email IS NOT NULL ORDER BY subject LIMIT %(many)s

-- name: announced_to
-- As the purpose: the address of somebody who permits it at this moment; of anybody else there is no row.
SELECT email FROM person WHERE subject = %(subject)s AND email IS NOT NULL

-- name: announced_to_many
SELECT count(*) FROM person WHERE email IS NOT NULL

-- name: stop_purpose
SELECT troth.stop_purpose(%(subject)s, %(purpose)s)
