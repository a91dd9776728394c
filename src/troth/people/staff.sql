-- name: staff_roles
SELECT troth.staff_roles(%(subject)s)

-- name: first_owner
SELECT troth.first_owner(%(subject)s)

-- name: invite_staff
SELECT troth.invite_staff(%(email)s, %(roles)s, %(digest)s, %(until)s, %(mail)s)

-- name: staff_invitations
SELECT invitation, email, roles, expires_at FROM troth.staff_invitations()

-- name: withdraw_invitation
SELECT troth.withdraw_invitation(%(invitation)s)

-- name: invitation_roles
SELECT troth.invitation_roles(%(token)s)

-- name: accept_invitation
SELECT troth.accept_invitation(%(token)s)

-- name: staff_members
SELECT subject, name, role, at, until FROM troth.staff_members()

-- name: give_staff_role
SELECT troth.give_staff_role(%(whom)s, %(role)s)

-- name: end_staff_role
SELECT troth.end_staff_role(%(whom)s, %(role)s)
