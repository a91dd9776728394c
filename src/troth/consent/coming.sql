-- name: untold
-- Published versions for which nobody decided yet whom to tell: each with what it follows, and since when it is news.
SELECT v.version, v.source, v.raised, NULL::uuid, (
        SELECT p.source FROM troth.policy_version AS p WHERE p.version < v.version ORDER BY p.version DESC LIMIT 1
    ), (SELECT max(s.at) FROM troth.policy_scheduled AS s JOIN troth.policy_telling AS t ON t.scheduled = s.scheduled
        WHERE s.version = v.version AND s.outcome = 'published')
FROM troth.policy_version AS v
WHERE NOT EXISTS (SELECT FROM troth.policy_telling AS t WHERE t.version = v.version AND t.scheduled IS NULL AND t.withdraws IS NULL)
UNION ALL
SELECT s.version, s.source, s.raised, s.scheduled, (SELECT p.source FROM troth.policy_version AS p ORDER BY p.version DESC LIMIT 1), NULL
FROM troth.policy_scheduled AS s
WHERE s.closed_at IS NULL AND NOT EXISTS (SELECT FROM troth.policy_telling AS t WHERE t.scheduled = s.scheduled)

-- name: begin_telling
-- Nobody is written to where no notice is owed, nor where it is owed by message, which the pages tell.
INSERT INTO troth.policy_telling (version, scheduled, since, channel, done_at) VALUES (%(version)s, %(scheduled)s,
    coalesce(%(since)s, '-infinity'::timestamptz), coalesce(%(channel)s, 'e-mail'),
    CASE WHEN coalesce(%(channel)s, 'message') = 'message' THEN statement_timestamp() END)
ON CONFLICT DO NOTHING

-- name: begin_withdrawing
-- Of each version that some people were told of and that does not take effect, they are told that.
INSERT INTO troth.policy_telling (version, withdraws, since, channel)
SELECT told.version, told.telling, told.at, told.channel FROM troth.policy_telling AS told
JOIN troth.policy_scheduled AS waited ON waited.scheduled = told.scheduled
WHERE told.told > 0 AND waited.outcome IN ('withdrawn', 'refused')
ON CONFLICT DO NOTHING

-- name: tellings
SELECT telling, version, told, at, done_at,
    CASE WHEN withdraws IS NOT NULL THEN 'withdrawn' WHEN scheduled IS NOT NULL THEN 'ahead' ELSE 'in force' END, channel
FROM troth.policy_telling WHERE told > 0 OR done_at IS NULL OR channel = 'message'
ORDER BY at DESC LIMIT %(most)s

-- name: tell_some
SELECT troth.tell_some(%(many)s)

-- name: list_letters
SELECT letter, subject, before, language, withdrawn FROM troth.list_letters(%(telling)s, %(many)s)

-- name: settle_letters
SELECT troth.settle_letters(%(telling)s, %(letters)s, %(how)s)

-- name: agree_ahead
SELECT troth.agree_ahead(%(version)s, %(policy)s, %(terms)s, %(wording)s, %(language)s)

-- name: bind_one
SELECT troth.bind_one(%(subject)s)

-- name: forget_ahead
SELECT troth.forget_ahead(%(subject)s)

-- name: unagree_ahead
SELECT troth.unagree_ahead()

-- name: agreed_ahead
SELECT version, at FROM troth.agreement_ahead

-- name: bind_ahead
SELECT troth.bind_ahead(%(many)s)
