-- name: offer_grant
SELECT troth.offer_grant(%(categories)s, %(records)s, %(reason)s, %(since)s, %(until)s, %(link)s, %(address)s, %(mail)s)

-- name: offered
SELECT subject, given, giver, categories, records, reason, since, until FROM troth.offered(%(link)s)

-- name: answer_grant
SELECT troth.answer_grant(%(link)s, %(accepts)s)

-- name: end_grant
SELECT troth.end_grant(%(given)s)

-- name: change_grant
SELECT troth.change_grant(%(given)s, %(kept)s, %(records)s, %(until)s)

-- name: person_grants
-- Both what the viewer granted and what they were granted: row security shows no others.
SELECT held.subject, held.given, held.receiver, held.address, held.categories, held.records, held.reason, held.agreed,
    held.version, held.at, held.accepted_at, held.since, held.until,
    greatest(held.used_at, (
        SELECT max(late.at) FROM troth.person_grant_use AS late WHERE late.subject = held.subject AND late.given = held.given
    )) AS used_at, held.over_at, held.over_by,
    CASE WHEN held.subject = troth.viewer() THEN side.receiver ELSE side.giver END AS other,
    held.subject = troth.viewer() AS mine,
    held.receiver IS NOT NULL AND held.until > statement_timestamp()
        AND (held.over_at IS NULL OR held.over_at > statement_timestamp()) AS live,
    held.receiver IS NULL AND held.over_at IS NULL AND least(held.until, held.at + interval '14 days') > statement_timestamp() AS waiting
FROM troth.person_grant AS held LEFT JOIN troth.grant_sides() AS side ON side.given = held.given
ORDER BY held.over_at DESC NULLS FIRST, held.at DESC

-- name: may_see
SELECT via, clause, given, until FROM troth.may_see(%(whose)s, %(category)s)

-- name: shown_to_chosen
SELECT {columns} FROM {function}() WHERE subject = %(whose)s

-- name: own_records
-- The viewer's own records of one kind, as a person chooses among them: the newest, or those named alone.
SELECT {record}::text AS record, {columns} FROM {table}
WHERE subject = troth.viewer() AND (%(only)s::text [] IS NULL OR {record}::text = ANY (%(only)s))
ORDER BY {order} DESC, {record} DESC LIMIT %(most)s OFFSET %(behind)s

-- name: propose_permission
SELECT troth.propose_permission(
    %(address)s, %(purpose)s, %(categories)s, %(reason)s, %(terms)s, %(days)s, %(ends)s, %(notice)s, %(wordings)s, %(mail)s
)

-- name: propose_in_organization
SELECT troth.propose_in_organization(
    %(organization)s, %(member)s, %(categories)s, %(reason)s, %(terms)s, %(days)s, %(ends)s, %(notice)s, %(wordings)s, %(mail)s
)

-- name: answer_permission
SELECT troth.answer_permission(%(agreed)s, %(accepts)s, %(language)s, %(digest)s)

-- name: end_agreed
SELECT troth.end_agreed(%(agreed)s)

-- name: agreed_permissions
SELECT agreed, organization, address, purpose, categories, reason, terms, days, ends, notice, wordings, version, at, answer,
    answered_at, language, until, over_at, over_by
FROM troth.agreed_permission WHERE subject = troth.viewer() ORDER BY at DESC

-- name: proposed_to_member
SELECT agreed, %(organization)s::uuid AS organization, '' AS address, NULL AS purpose, categories, reason, terms, days, ends, notice,
    CASE WHEN wording IS NULL THEN '{}'::jsonb ELSE jsonb_build_object(language, wording) END AS wordings,
    version, at, answer, answered_at, language, until, over_at, over_by
FROM troth.proposed_to_member(%(organization)s, %(member)s) ORDER BY at DESC

-- name: proposed_permissions
SELECT agreed, NULL::uuid AS organization, address, purpose, categories, reason, terms, days, ends, notice,
    CASE WHEN wording IS NULL THEN '{}'::jsonb ELSE jsonb_build_object(language, wording) END AS wordings,
    version, at, answer, answered_at, language, until, over_at, over_by
FROM troth.proposed_permissions() ORDER BY at DESC
