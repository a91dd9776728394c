-- name: claim
SELECT troth.claim(%(subject)s)

-- name: add_subject
INSERT INTO troth.subject (subject, kind) VALUES (%(subject)s, 'person')

-- name: add_person
INSERT INTO troth.person (subject, email) VALUES (%(subject)s, %(email)s)

-- name: add_named_person
INSERT INTO troth.person (subject, email, name) VALUES (%(subject)s, %(email)s, %(name)s)

-- name: record
SELECT troth.record(%(action)s, %(actor)s, %(subject)s, %(facts)s)

-- name: forget_unagreed
SELECT troth.forget_unagreed(%(subject)s)

-- name: correct_name
UPDATE troth.person SET name = %(name)s WHERE name IS DISTINCT FROM %(name)s

-- name: profile
SELECT subject, email, name, at FROM troth.person

-- name: devices
SELECT device, browser, system, kind, at FROM troth.device ORDER BY at DESC

-- name: open_token
SELECT troth.open_token(%(subject)s, %(digest)s, %(until)s)

-- name: close_token
SELECT troth.close_token(%(digest)s)

-- name: close_tokens
SELECT troth.close_tokens(%(subject)s)

-- name: operator_exists
SELECT 1 WHERE troth.has_owner()

-- name: correct_email
UPDATE troth.person SET email = %(email)s WHERE subject = %(subject)s

-- name: remember
INSERT INTO troth.remembered (subject, digest, until) VALUES (%(subject)s, %(digest)s, %(until)s) RETURNING family

-- name: remembered_family
-- `turning`: so soon after a turn another request of the same browser may still carry the token before.
SELECT subject, digest, digest_before, turned_at > statement_timestamp() - make_interval(secs => %(grace)s) AS turning
FROM troth.remembered WHERE family = %(family)s AND until > statement_timestamp() FOR UPDATE

-- name: turn_family
UPDATE troth.remembered
SET digest = %(digest)s, digest_before = digest, turned_at = statement_timestamp() WHERE family = %(family)s

-- name: forget_family
DELETE FROM troth.remembered WHERE family = %(family)s

-- name: forget_families
DELETE FROM troth.remembered WHERE subject = %(subject)s

-- name: forget_outlasted
DELETE FROM troth.remembered WHERE until < statement_timestamp()

-- name: remembered_browsers
SELECT at, turned_at, until FROM troth.remembered ORDER BY turned_at DESC
