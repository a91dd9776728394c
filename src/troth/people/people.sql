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
SELECT 1 FROM troth.people_account WHERE is_operator LIMIT 1
