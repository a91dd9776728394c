-- name: newest_key
SELECT max(signs_from) FROM troth.signing_key HAVING count(*) > 0

-- name: retire_keys
UPDATE troth.signing_key SET shown_until = %(until)s WHERE shown_until IS NULL

-- name: forget_keys
DELETE FROM troth.signing_key WHERE shown_until <= %(now)s

-- name: forget_every_key
DELETE FROM troth.signing_key

-- name: add_key
INSERT INTO troth.signing_key (kid, sealed, signs_from) VALUES (%(kid)s, %(sealed)s, %(begins)s)

-- name: signing_keys
SELECT kid, sealed, signs_from, shown_until FROM troth.signing_key ORDER BY signs_from DESC

-- name: add_application
INSERT INTO troth.application (application, name, manifest, purposes, claims, events)
VALUES (%(application)s, %(name)s, %(manifest)s, %(purposes)s, %(claims)s, %(events)s)

-- name: add_sending_key
INSERT INTO troth.application_key (digest, application) SELECT %(digest)s, application FROM troth.application
WHERE application = %(application)s AND removed_at IS NULL AND events <> '{}'

-- name: end_sending_keys
UPDATE troth.application_key SET ended_at = statement_timestamp() WHERE application = %(application)s AND ended_at IS NULL

-- name: add_client
INSERT INTO troth.allauth_idp_oidc_client (
    id, name, secret, scopes, default_scopes, type, grant_types, redirect_uris, cors_origins, allow_uri_wildcards,
    response_types, skip_consent, created_at, data
) VALUES (
    %(application)s, %(name)s, %(secret)s, %(scopes)s, %(scopes)s, %(kind)s, %(grants)s, %(redirects)s, %(origins)s, false,
    'code', false, statement_timestamp(), %(data)s
)

-- name: change_secret
UPDATE troth.allauth_idp_oidc_client SET secret = %(secret)s WHERE id = %(application)s AND type = 'confidential'

-- name: remove_application
UPDATE troth.application SET removed_at = statement_timestamp() WHERE application = %(application)s AND removed_at IS NULL

-- name: end_grants
UPDATE troth.application_grant SET until = least(clock_timestamp(), expires_at)
WHERE application = %(application)s AND until IS NULL

-- name: remove_tokens
DELETE FROM troth.allauth_idp_oidc_token WHERE client_id = %(application)s

-- name: remove_codes
DELETE FROM troth.application_code WHERE application = %(application)s

-- name: remove_browsers
DELETE FROM troth.application_browser WHERE application = %(application)s

-- name: remove_spent
DELETE FROM troth.application_spent WHERE application = %(application)s

-- name: remove_client
DELETE FROM troth.allauth_idp_oidc_client WHERE id = %(application)s

-- name: applications
SELECT application, name, manifest, purposes, claims, events, registered_at FROM troth.application
WHERE removed_at IS NULL ORDER BY name, application

-- name: application
SELECT application, name, manifest, purposes, claims, events, registered_at FROM troth.application
WHERE removed_at IS NULL AND application = %(application)s

-- name: keep_code
INSERT INTO troth.application_code (
    code, subject, application, redirect_uri, scopes, nonce, challenge, signed_in_at, family, expires_at
) VALUES (
    %(code)s, %(subject)s, %(application)s, %(redirect_uri)s, %(scopes)s, %(nonce)s, %(challenge)s, %(signed_in_at)s,
    gen_random_uuid(), statement_timestamp() + make_interval(secs => %(seconds)s)
) ON CONFLICT DO NOTHING

-- name: held_code
-- Whoever brings a code waits for whoever brought it before. Used ones are known for another day.
SELECT subject, application, redirect_uri, scopes, nonce, challenge, signed_in_at, family, used_at IS NOT NULL AS used
FROM troth.application_code
WHERE code = %(code)s AND application = %(application)s AND (used_at IS NOT NULL OR expires_at > statement_timestamp()) FOR UPDATE

-- name: use_code
UPDATE troth.application_code SET used_at = statement_timestamp()
WHERE code = %(code)s AND application = %(application)s AND used_at IS NULL

-- name: forget_codes
DELETE FROM troth.application_code WHERE expires_at <= statement_timestamp() - interval '1 day'

-- name: spend
INSERT INTO troth.application_spent (digest, subject, application, family, expires_at)
VALUES (%(digest)s, %(subject)s, %(application)s, %(family)s, %(expires_at)s) ON CONFLICT DO NOTHING

-- name: spent
SELECT subject, family FROM troth.application_spent WHERE digest = %(digest)s AND application = %(application)s

-- name: forget_spent
DELETE FROM troth.application_spent WHERE expires_at <= statement_timestamp()

-- name: forget_tokens
DELETE FROM troth.allauth_idp_oidc_token WHERE expires_at <= statement_timestamp()

-- name: end_family
DELETE FROM troth.allauth_idp_oidc_token WHERE client_id = %(application)s AND data ->> 'family' = %(family)s::text

-- name: address_proven
SELECT address.verified FROM troth.account_emailaddress AS address
JOIN troth.people_account AS account ON account.id = address.user_id
WHERE account.subject = %(subject)s AND lower(address.email) = lower(%(email)s)
