-- name: end_subject
SELECT troth.end_subject(%(subject)s, %(reason)s)
