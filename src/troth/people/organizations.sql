-- name: my_organizations
-- Those that the viewer is in, read as a member of them.
SELECT o.organization, o.name, o.asking, o.at FROM troth.organization AS o ORDER BY lower(o.name), o.organization

-- name: joined_by
-- Which organization the viewer is in by an invitation that they used.
SELECT organization FROM troth.membership WHERE joined_by = sha256(convert_to(%(token)s, 'UTF8')) AND ended_at IS NULL

-- name: my_memberships
-- The viewer's own rows: which role in which organization.
SELECT organization, role, at FROM troth.membership WHERE ended_at IS NULL

-- name: organization_fates
SELECT organization, name, fate, heir, others FROM troth.organization_fates()

-- name: organization_fates_of
SELECT organization, name, fate, heir, others FROM troth.organization_fates_of(%(subject)s)

-- name: my_requests
SELECT organization, at FROM troth.join_request ORDER BY at

-- name: roles_of
SELECT role, may FROM troth.organization_role WHERE organization = %(organization)s
ORDER BY role NOT IN ('owner', 'administrator', 'member'), cardinality(may) DESC, role

-- name: members_of
-- A page of members in the order of their names, beginning behind one; `sought` is what a name begins with. The scan
-- begins where such names do: PostgreSQL begins it at the row comparison, whatever else it knows.
SELECT subject, role, name, sought FROM troth.membership
WHERE organization = %(organization)s
  AND (sought, subject) > (greatest(%(after)s::text, %(sought)s::text), %(subject)s) AND sought ^@ %(sought)s
ORDER BY organization, sought, subject LIMIT %(most)s

-- name: members_unnamed
-- The same where the policy shows administrators no names.
SELECT subject, role, NULL AS name, '' AS sought FROM troth.membership
WHERE organization = %(organization)s AND subject > %(subject)s ORDER BY subject LIMIT %(most)s

-- name: member_of
SELECT subject, role, name, sought FROM troth.membership WHERE organization = %(organization)s AND subject = %(subject)s

-- name: mirrored
-- The viewer's own row, as an administrator reads it.
SELECT subject, role, name, sought FROM troth.membership
WHERE organization = %(organization)s AND subject = troth.viewer()

-- name: invitations_of
SELECT invitation, domain, role, joins, at, until FROM troth.invitation
WHERE organization = %(organization)s AND until > statement_timestamp() ORDER BY at DESC

-- name: requests_of
SELECT subject, name, at FROM troth.join_request WHERE organization = %(organization)s ORDER BY at, subject LIMIT 100

-- name: found_organization
SELECT troth.found_organization(%(name)s)

-- name: set_organization
SELECT troth.set_organization(%(organization)s, %(name)s, %(asking)s)

-- name: set_role
SELECT troth.set_role(%(organization)s, %(role)s, %(may)s)

-- name: drop_role
SELECT troth.drop_role(%(organization)s, %(role)s)

-- name: invite
SELECT troth.invite(%(organization)s, %(token)s, %(address)s, %(language)s, %(role)s, %(joins)s, %(days)s)

-- name: uninvite
SELECT troth.uninvite(%(organization)s, %(invitation)s)

-- name: invitation_of
SELECT organization, name, role, may, until FROM troth.invitation_of(%(token)s)

-- name: join_by_invitation
SELECT troth.join_by_invitation(%(token)s)

-- name: asked_organization
SELECT name FROM troth.asked_organization(%(organization)s)

-- name: ask_to_join
SELECT troth.ask_to_join(%(organization)s)

-- name: withdraw_request
SELECT troth.withdraw_request(%(organization)s)

-- name: answer_request
SELECT troth.answer_request(%(organization)s, %(subject)s, %(role)s)

-- name: give_role
SELECT troth.give_role(%(organization)s, %(subject)s, %(role)s)

-- name: remove_member
SELECT troth.remove_member(%(organization)s, %(subject)s)

-- name: hand_over
SELECT troth.hand_over(%(organization)s, %(subject)s)

-- name: leave_organization
SELECT troth.leave_organization(%(organization)s)

-- name: delete_organization
SELECT troth.delete_organization(%(organization)s)
