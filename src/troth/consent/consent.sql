-- name: standing
SELECT agreed, uses, version FROM troth.standing(%(subject)s)

-- name: standing_of
SELECT subject, agreed, uses, version, troth.device_of(%(token)s), troth.token_level(%(token)s) FROM troth.standing_of(%(token)s)

-- name: agree
SELECT troth.agree(%(subject)s, %(version)s, %(policy)s, %(terms)s, %(how)s, %(wording)s, %(language)s)

-- name: note_decline
SELECT troth.record('version-declined', %(subject)s, %(subject)s,
    jsonb_build_object('version', %(version)s::bigint, 'policy', %(policy)s::text, 'terms', %(terms)s::text))

-- name: choose
SELECT troth.choose(%(purpose)s, %(kind)s, %(seen)s)

-- name: agreements
SELECT agreement, version, policy_digest, terms_digest, how, wording, language, at FROM troth.agreement ORDER BY at DESC

-- name: choices
SELECT choice, purpose, kind, version, at FROM troth.choice ORDER BY at DESC, choice DESC LIMIT %(most)s

-- name: viewer
SELECT troth.viewer()

-- name: recorded
-- The first entry of an action about the viewer since a moment: other salts than their own they do not see.
SELECT entry.index, entry.at, entry.action, entry.actor, entry.subject, entry.facts, entry.previous, entry.hash, salted.salt
FROM troth.ledger_salt AS salted JOIN troth.ledger_entry AS entry ON entry.index = salted.entry
WHERE entry.action = ANY(%(actions)s::text []) AND entry.at >= %(at)s AND entry.at < coalesce(%(before)s, 'infinity'::timestamptz)
  AND coalesce(entry.facts ->> 'purpose', %(purpose)s) = %(purpose)s
ORDER BY entry.index LIMIT 1

-- name: last_choices
SELECT purpose, choice FROM troth.last_choices()

-- name: units
-- Which live units the viewer is in.
SELECT unit.purpose, (permitted.uses >> unit.bit) & 1 = 1
FROM troth.unit AS unit CROSS JOIN troth.permitted AS permitted WHERE unit.retired_at IS NULL

-- name: count_person
SELECT count(*) FROM troth.person

-- name: count_earlier_name
SELECT count(*) FROM troth.earlier_name

-- name: count_session
SELECT count(*) FROM troth.session

-- name: count_device
SELECT count(*) FROM troth.device

-- name: count_access
SELECT count(*) FROM troth.access

-- name: count_crash
SELECT count(*) FROM troth.crash

-- name: count_activity
SELECT count(*) FROM troth.activity

-- name: count_feature_use
SELECT count(*) FROM troth.feature_use

-- name: count_page_view
SELECT count(*) FROM troth.page_view

-- name: count_transaction
SELECT count(*) FROM troth.transaction

-- name: count_location
SELECT count(*) FROM troth.location

-- name: count_agreement
SELECT count(*) FROM troth.agreement

-- name: count_choice
SELECT count(*) FROM troth.choice

-- name: identifier_of
SELECT subject, agreed, uses, since, until, asked FROM troth.identifier_of(%(token)s)

-- name: claim_identifier
SELECT troth.claim(%(subject)s)

-- name: add_identifier
INSERT INTO troth.subject (subject, kind) VALUES (%(subject)s, 'anonymous')

-- name: consent_of_identifier
SELECT troth.consent_of_identifier(%(subject)s, %(purposes)s)

-- name: known_by
INSERT INTO troth.identifier (subject, digest, until) VALUES (%(subject)s, %(digest)s, %(until)s)

-- name: open_known
SELECT troth.open_token(%(subject)s, %(digest)s, %(until)s)

-- name: note_asked
UPDATE troth.identifier SET asked_at = statement_timestamp() WHERE subject = %(subject)s

-- name: tie_identifier
SELECT troth.tie_identifier(%(browser)s)

-- name: untie_identifier
SELECT troth.untie_identifier(%(identifier)s)

-- name: tied_identifiers
SELECT identifier, since, until, at FROM troth.tied_identifiers()

-- name: look_at_tied
SELECT troth.look_at_tied(%(identifier)s, %(digest)s)

-- name: end_identifier
SELECT troth.end_identifier()

-- name: end_identifiers
SELECT troth.end_identifiers()

-- name: let_application_know
SELECT troth.let_application_know(%(application)s, %(code)s, %(address)s, %(challenge)s)

-- name: take_browser_code
SELECT troth.take_browser_code(%(application)s, %(code)s, %(address)s, %(verifier)s, %(digest)s)

-- name: knowing_browser
SELECT application, name, at FROM troth.knowing_browser()

-- name: end_application_browser
SELECT troth.end_application_browser(%(application)s)
