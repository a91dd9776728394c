-- name: permit_application
SELECT troth.permit_application(%(application)s, %(asked)s, %(chosen)s)

-- name: renew_application
SELECT troth.renew_application(%(application)s, %(kept)s, %(until)s)

-- name: end_application
SELECT troth.end_application(%(application)s)

-- name: application_standing
SELECT claims, purposes FROM troth.application_standing(%(subject)s, %(application)s)

-- name: application_users
SELECT answer, whose FROM troth.application_users(%(application)s, %(after)s, %(most)s)

-- name: use_application
SELECT troth.use_application(%(subject)s, %(application)s, %(known_as)s)

-- name: live_grant
SELECT given.application, known.name, given.offered, given.claims, given.purposes, given.at, given.used_at, given.until, given.expires_at,
    known.removed_at
FROM troth.application_grant AS given JOIN troth.application AS known ON known.application = given.application
WHERE given.application = %(application)s AND given.until IS NULL AND coalesce(given.expires_at > statement_timestamp(), true)

-- name: newest_grant
-- The last answer to an application, over or not.
SELECT given.application, known.name, given.offered, given.claims, given.purposes, given.at, given.used_at,
    coalesce(given.until, CASE WHEN given.expires_at <= statement_timestamp() THEN given.expires_at END) AS until, given.expires_at,
    known.removed_at
FROM troth.application_grant AS given JOIN troth.application AS known ON known.application = given.application
WHERE given.application = %(application)s ORDER BY given.at DESC, given.answer DESC LIMIT 1

-- name: grants
SELECT given.application, known.name, given.offered, given.claims, given.purposes, given.at, given.used_at,
    coalesce(given.until, CASE WHEN given.expires_at <= statement_timestamp() THEN given.expires_at END) AS until, given.expires_at,
    known.removed_at
FROM troth.application_grant AS given JOIN troth.application AS known ON known.application = given.application
ORDER BY 8 DESC NULLS FIRST, given.at DESC

-- name: claimed
-- What a purpose may know of one person: its role's own view shows nothing of those who are not in it.
SELECT {column} FROM {table} WHERE subject = %(subject)s
