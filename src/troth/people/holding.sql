-- name: held_of
-- What an organization holds of one member, and since when each, as a role reads it.
SELECT since, {columns} FROM troth.membership WHERE organization = %(organization)s AND subject = %(subject)s

-- name: told_by
-- What a member tells in their own profile, as a role reads it.
SELECT {columns} FROM troth.profile WHERE subject = %(subject)s

-- name: held_of_me
-- What each organization holds of the viewer.
SELECT organization, since, {columns} FROM troth.membership WHERE ended_at IS NULL

-- name: corrections_of_me
-- What the viewer asked to be corrected, the newest first.
SELECT subject, correction, organization, field, reason, outcome, answer, answered_at, at, {columns} FROM troth.correction
ORDER BY at DESC, correction LIMIT 200

-- name: corrections_asked
-- What members ask an organization to correct: who has waited longest first, then what was answered last.
SELECT subject, correction, organization, field, reason, outcome, answer, answered_at, at, {columns} FROM troth.correction
WHERE organization = %(organization)s AND outcome IS DISTINCT FROM 'withdrawn'
ORDER BY outcome IS NOT NULL, CASE WHEN outcome IS NULL THEN at END, answered_at DESC, correction LIMIT 100

-- name: names_of
SELECT subject, name FROM troth.membership WHERE organization = %(organization)s AND subject = ANY (%(subjects)s)

-- name: hold_field
SELECT troth.hold_field(%(organization)s, %(subject)s, %(field)s, %(value)s)

-- name: ask_correction
SELECT troth.ask_correction(%(organization)s, %(field)s, %(value)s, %(reason)s)

-- name: answer_correction
SELECT troth.answer_correction(%(organization)s, %(subject)s, %(correction)s, %(accepted)s, %(words)s)

-- name: withdraw_correction
SELECT troth.withdraw_correction(%(correction)s)
