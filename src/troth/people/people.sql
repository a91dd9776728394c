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

-- name: hold_name
SELECT troth.hold_name()

-- name: earlier_names
SELECT name, at FROM troth.earlier_name ORDER BY at DESC, earlier DESC

-- name: be_viewer
SELECT set_config('troth.token', %(token)s, true)

-- name: offer_link
SELECT troth.offer_link(%(digest)s)

-- name: offered_link
SELECT address, name FROM troth.offered_link(%(digest)s)

-- name: link_accounts
SELECT troth.link_accounts(%(digest)s, %(theirs)s)

-- name: unlink_account
SELECT troth.unlink_account(%(tie)s)

-- name: linked_accounts
SELECT tie, address, at FROM troth.linked_accounts()

-- name: profile
SELECT subject, email, name, at FROM troth.person

-- name: devices
SELECT device, browser, system, kind, model, name, used_at, at,
    device IS NOT DISTINCT FROM troth.device_of(current_setting('troth.token', true)) AS this
FROM troth.device ORDER BY coalesce(used_at, at) DESC

-- name: begin_session
INSERT INTO troth.session (subject, session, family, {columns})
VALUES (%(subject)s, %(session)s, %(family)s, {values})

-- name: carry_viewer
UPDATE troth.session SET viewer = %(digest)s WHERE subject = %(subject)s AND session = %(session)s

-- name: identify_session
SELECT troth.identify_session(%(subject)s, %(session)s, %(device)s)

-- name: note_session
UPDATE troth.session SET used_at = %(at)s WHERE subject = %(subject)s AND session = %(session)s

-- name: note_device
UPDATE troth.device AS used SET used_at = %(at)s FROM troth.session AS session
WHERE session.subject = %(subject)s AND session.session = %(session)s
  AND used.subject = session.subject AND used.device = session.device

-- name: session_lives
SELECT 1 FROM troth.session WHERE subject = %(subject)s AND session = %(session)s

-- name: device_of
SELECT troth.device_of(%(token)s)

-- name: close_sessions
SELECT troth.close_sessions(%(subject)s, %(session)s, %(others)s)

-- name: forget_old_sessions
SELECT troth.forget_old_sessions(make_interval(secs => %(seconds)s))

-- name: sessions
SELECT session, device, browser, system, kind, text(network) AS network, used_at, at,
    session IS NOT DISTINCT FROM troth.this_session() AS this
FROM troth.session ORDER BY coalesce(used_at, at) DESC

-- name: end_session
SELECT troth.end_session(%(session)s)

-- name: end_other_sessions
SELECT troth.end_other_sessions()

-- name: forget_device
SELECT troth.forget_device(%(device)s)

-- name: call_device
UPDATE troth.device SET name = %(name)s WHERE device = %(device)s

-- name: record_own
SELECT troth.record(%(action)s, troth.viewer(), troth.viewer(), '{}')

-- name: open_token
SELECT troth.open_token(%(subject)s, %(digest)s, %(until)s, %(level)s)

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
