-- name: confirm_fates
SELECT troth.confirm_fates(%(subject)s, %(told)s)

-- name: end_subject
SELECT troth.end_subject(%(subject)s, %(reason)s)

-- name: note_export
SELECT troth.note_export(%(rows)s)

-- name: retention_said
SELECT relation, greatest(days, after_end, 0) FROM troth.version_retention WHERE version = %(version)s
