-- name: permit_application
SELECT troth.permit_application(%(application)s, %(asked)s, %(chosen)s)

-- name: end_application
SELECT troth.end_application(%(application)s)

-- name: application_standing
SELECT claims, purposes FROM troth.application_standing(%(subject)s, %(application)s)

-- name: use_application
SELECT troth.use_application(%(subject)s, %(application)s, %(known_as)s)

-- name: live_grant
SELECT given.application, known.name, given.offered, given.claims, given.purposes, given.at, given.used_at, given.until
FROM troth.application_grant AS given JOIN troth.application AS known ON known.application = given.application
WHERE given.application = %(application)s AND given.until IS NULL

-- name: grants
SELECT given.application, known.name, given.offered, given.claims, given.purposes, given.at, given.used_at, given.until
FROM troth.application_grant AS given JOIN troth.application AS known ON known.application = given.application
ORDER BY given.until DESC NULLS FIRST, given.at DESC

-- name: claimed
-- What a purpose may know of one person: its role's own view shows nothing of those who are not in it.
SELECT {column} FROM {table} WHERE subject = %(subject)s
