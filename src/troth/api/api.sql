-- name: bind
SELECT set_config('troth.token', %s, true)

-- name: standing
SELECT subject, agreed, uses, version, troth.device_of(%(token)s) AS device FROM troth.standing_of(%(token)s)

-- name: profile
SELECT subject, email, name, at FROM troth.person

-- name: accesses
SELECT at, method, url, status, referrer, host(ip) AS ip, text(network) AS network, place, provider, browser, system, kind
FROM troth.access WHERE (%(before)s::timestamptz IS NULL OR at < %(before)s) ORDER BY at DESC LIMIT 50

-- name: agreements
SELECT version, policy_digest, terms_digest, how, wording, language, at FROM troth.agreement ORDER BY at DESC

-- name: choices
SELECT choice, purpose, kind, version, at FROM troth.choice ORDER BY at DESC, choice DESC

-- name: choose
SELECT troth.choose(%s, %s, %s)

-- name: counting
-- Whoever looks at counts: nobody else is answered with a row.
SELECT troth.staff_viewer('{owner,analyst,auditor}')
