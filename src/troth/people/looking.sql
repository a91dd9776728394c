-- name: look_at_members
SELECT troth.look_at_members(%(organization)s, %(whom)s, %(kind)s)

-- name: carry_look
SELECT set_config('troth.token', %(token)s, true), set_config('troth.look', coalesce(%(look)s::text, ''), true)

-- name: looks_at_me
SELECT look, organization, organization_name, who, kind, alone, at FROM troth.looks_at_me(%(before)s, %(most)s)

-- name: last_looks_at_me
SELECT organization, max(at) FROM troth.looks_at_me('infinity', NULL) GROUP BY organization
