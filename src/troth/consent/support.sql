-- name: ask_access
SELECT troth.ask_access(%(email)s, %(reason)s, %(ticket)s, %(areas)s, %(hours)s, %(mail)s)

-- name: accesses_asked
SELECT access, reason, ticket, asked_areas, asked_hours, at, areas, allowed_at, declined_at, until, ended_at FROM troth.accesses_asked()

-- name: look
SELECT troth.look(%(access)s, %(area)s)

-- name: carry_look
SELECT set_config('troth.token', %(token)s, true), set_config('troth.look', %(look)s, true)

-- name: seen_rows
-- What the policy shows of one table, while a look is carried: the row rule says whose.
SELECT {columns} FROM troth.{table} ORDER BY {key} DESC LIMIT 200

-- name: leave_access
SELECT troth.leave_access(%(access)s)

-- name: answer_access
SELECT troth.answer_access(%(access)s, %(areas)s, %(hours)s)

-- name: narrow_access
SELECT troth.narrow_access(%(access)s, %(areas)s, %(hours)s)

-- name: end_access
SELECT troth.end_access(%(access)s)

-- name: accesses_of_me
SELECT access, name, reason, ticket, asked_areas, asked_hours, at, areas, allowed_at, declined_at, until, ended_at
FROM troth.accesses_of_me()

-- name: looks_at_me
SELECT access, area, rows, at FROM troth.support_look ORDER BY look DESC LIMIT 500

-- name: attention
SELECT asked, until FROM troth.attention(%(subject)s)
