-- name: confirm_fates
SELECT troth.confirm_fates(%(subject)s, %(told)s)

-- name: end_subject
SELECT troth.end_subject(%(subject)s, %(reason)s)

-- name: tell_closed
-- To the address of an account that has ended, where the policy keeps that a while longer: with the rest of it the notice goes.
SELECT troth.post(person.subject, %(address)s, 'mail', %(facts)s) FROM troth.person AS person WHERE person.subject = %(subject)s

-- name: note_export
SELECT troth.note_export(%(rows)s)

-- name: retention_said
SELECT relation, greatest(days, after_end, 0) FROM troth.version_retention WHERE version = %(version)s
