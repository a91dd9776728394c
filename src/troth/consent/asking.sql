-- name: open_question
SELECT troth.open_question(%(purpose)s)

-- name: close_question
SELECT troth.close_question(%(purpose)s)

-- name: questions
SELECT question, purpose, at, closed_at, yes, no FROM troth.questions()

-- name: asking
SELECT purpose, open, may, kind, at FROM troth.asking(%(days)s)
