-- name: speak_for_directory
SELECT troth.use_directory(%(listing)s)

-- name: directory_entries
-- Row rules say whose: those of the organization whose token the transaction carries, and none that have ended. A condition
-- whose parameter is null is none; PostgreSQL plans each call anew, and knows it. A page is found in an index alone, and
-- only its rows are read.
SELECT held.entry, held.user_name, held.external_id, held.email, held.email_kind, held.email_first, held.display_name, held.full_name,
    held.given_name, held.family_name, held.employee_number, held.active, held.version, held.at, held.changed_at, known.name{fields}
FROM (
    SELECT e.entry FROM troth.directory_entry AS e
    WHERE (%(entry)s::uuid IS NULL OR e.entry = %(entry)s)
      AND (%(user)s::text IS NULL OR e.user_key = lower(%(user)s))
      AND (%(user_begins)s::text IS NULL OR e.user_key ^@ lower(%(user_begins)s))
      AND (%(external)s::text IS NULL OR e.external_id = %(external)s)
      AND (%(email)s::text IS NULL OR e.email_key = lower(%(email)s))
      AND (%(after)s::uuid IS NULL OR e.entry > %(after)s)
    ORDER BY e.entry LIMIT %(limit)s OFFSET %(offset)s
) AS page
JOIN troth.directory_entry AS held ON held.entry = page.entry
LEFT JOIN troth.membership AS known ON known.subject = held.subject AND known.organization = held.organization
{told}
ORDER BY held.entry

-- name: directory_entries_counted
SELECT count(*) FROM troth.directory_entry

-- name: directory_entries_named
-- Whom a name finds: one that the directory wrote, or, of who has joined, their own.
SELECT held.entry FROM troth.directory_entry AS held
WHERE (%(name)s::text IS NULL OR held.name_key = lower(%(name)s))
  AND (%(name_begins)s::text IS NULL OR held.name_key ^@ lower(%(name_begins)s))
UNION
SELECT held.entry FROM troth.membership AS known
JOIN troth.directory_entry AS held ON held.subject = known.subject AND held.organization = known.organization
WHERE (%(name)s::text IS NULL OR known.sought = lower(%(name)s))
  AND (%(name_begins)s::text IS NULL OR known.sought ^@ lower(%(name_begins)s))
ORDER BY 1 LIMIT %(limit)s

-- name: directory_entries_listed
SELECT held.entry, held.user_name, held.external_id, held.email, held.email_kind, held.email_first, held.display_name, held.full_name,
    held.given_name, held.family_name, held.employee_number, held.active, held.version, held.at, held.changed_at, known.name{fields}
FROM troth.directory_entry AS held
LEFT JOIN troth.membership AS known ON known.subject = held.subject AND known.organization = held.organization
{told}
WHERE held.entry = ANY (%(entries)s) ORDER BY held.entry

-- name: directory_held
-- A field that the organization holds: of a member as it stands there, before as the directory supplied it.
, CASE WHEN known.subject IS NULL THEN waiting.{field} ELSE known.{field} END

-- name: directory_told
-- A field that the person tells, and the policy shows to administrators.
, told.{field}

-- name: directory_waiting
LEFT JOIN troth.directory_awaited AS waiting ON waiting.subject = held.subject AND waiting.organization = held.organization

-- name: directory_profile
-- One person's profile for each row: the row rule asks a function, of nobody else's.
LEFT JOIN LATERAL (SELECT {columns} FROM troth.profile AS own WHERE own.subject = held.subject OFFSET 0) AS told ON true

-- name: groups_of_entries
SELECT inside.entry, known.grouping, known.name FROM troth.directory_grouped AS inside
JOIN troth.directory_group AS known ON known.organization = inside.organization AND known.grouping = inside.grouping
WHERE inside.entry = ANY (%(entries)s) ORDER BY known.grouping

-- name: provision
SELECT troth.provision(%(told)s)

-- name: change_entry
SELECT troth.change_entry(%(entry)s, %(told)s, %(version)s)

-- name: remove_entry
SELECT troth.remove_entry(%(entry)s, %(version)s)

-- name: read_entry
SELECT troth.read_entry(%(entry)s)

-- name: directory_groups
SELECT held.grouping, held.name, held.external_id, held.version, held.at, held.changed_at FROM troth.directory_group AS held
WHERE (%(grouping)s::uuid IS NULL OR held.grouping = %(grouping)s)
  AND (%(name)s::text IS NULL OR held.name_key = lower(%(name)s))
  AND (%(name_begins)s::text IS NULL OR held.name_key ^@ lower(%(name_begins)s))
  AND (%(external)s::text IS NULL OR held.external_id = %(external)s)
  AND (%(after)s::uuid IS NULL OR held.grouping > %(after)s)
  AND (%(member)s::uuid IS NULL OR held.grouping IN (SELECT inside.grouping FROM troth.directory_grouped AS inside WHERE inside.entry = %(member)s))
ORDER BY held.grouping LIMIT %(limit)s OFFSET %(offset)s

-- name: directory_groups_counted
SELECT count(*) FROM troth.directory_group

-- name: members_of_groups
SELECT inside.grouping, inside.entry FROM troth.directory_grouped AS inside
WHERE inside.grouping = ANY (%(groupings)s) ORDER BY inside.entry LIMIT %(limit)s

-- name: add_grouping
SELECT troth.add_grouping(%(name)s, %(external)s)

-- name: change_grouping
SELECT troth.change_grouping(%(grouping)s, %(name)s, %(external)s, %(added)s::uuid[], %(removed)s::uuid[], %(version)s)

-- name: remove_grouping
SELECT troth.remove_grouping(%(grouping)s, %(version)s)

-- name: open_directory
SELECT troth.open_directory(%(organization)s, %(name)s, %(digest)s, %(days)s)

-- name: end_directory
SELECT troth.end_directory(%(token)s)

-- name: directory_tokens
SELECT token, name, at, until, used_at, listed_at, ended_at FROM troth.directory_token
WHERE organization = %(organization)s ORDER BY at DESC

-- name: last_listed
SELECT max(listed_at) FROM troth.directory_token WHERE organization = %(organization)s

-- name: my_offers
SELECT entry, organization, organization_name, domain_held, user_name, email, display_name, employee_number, at, declined,
    fields
FROM troth.my_offers()

-- name: join_entry
SELECT troth.join_entry(%(entry)s)

-- name: decline_entry
SELECT troth.decline_entry(%(entry)s)

-- name: my_entries
SELECT organization, entry, user_name, external_id, email, employee_number, joined_at, changed_at FROM troth.directory_entry
ORDER BY joined_at

-- name: my_acts
SELECT organization, kind, at FROM troth.directory_act WHERE organization = %(organization)s ORDER BY act DESC LIMIT 50

-- name: due_offers
SELECT subject, email, organization_name FROM troth.due_offers()

-- name: end_unsupplied
SELECT troth.end_unsupplied()

-- name: claim_domain
SELECT troth.claim_domain(%(organization)s, %(domain)s, %(value)s)

-- name: drop_domain
SELECT troth.drop_domain(%(organization)s, %(domain)s)

-- name: recheck_domain
SELECT troth.recheck_domain(%(organization)s, %(domain)s)

-- name: domains
SELECT domain, value, at, held_since, checked_at, missed FROM troth.domain WHERE organization = %(organization)s ORDER BY domain

-- name: due_domains
SELECT organization, domain, value FROM troth.domain WHERE next_check_at <= statement_timestamp() ORDER BY next_check_at LIMIT 20

-- name: judge_domain
SELECT troth.judge_domain(%(organization)s, %(domain)s, %(found)s)

-- name: organization_named
SELECT name FROM troth.organization WHERE organization = %(organization)s
