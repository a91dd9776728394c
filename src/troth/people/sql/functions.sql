-- name: viewer_organizations
-- The organizations that the viewer is in; empty where there is no viewer.
CREATE OR REPLACE FUNCTION troth.viewer_organizations() RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(array_agg(m.organization), '{}') FROM troth.membership AS m
    WHERE m.subject = troth.viewer() AND m.ended_at IS NULL
$$;

-- name: administered_organizations
-- The organizations whose members the viewer sees as an administrator.
CREATE OR REPLACE FUNCTION troth.administered_organizations() RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(array_agg(m.organization), '{}') FROM troth.membership AS m
    JOIN troth.organization_role AS r ON (r.organization, r.role) = (m.organization, m.role)
    WHERE m.subject = troth.viewer() AND m.ended_at IS NULL AND 'see' = ANY (r.may)
$$;

-- name: powers_in
-- What somebody's role lets them do in an organization; null where they are not in it.
CREATE OR REPLACE FUNCTION troth.powers_in(org uuid, whose uuid) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT r.may FROM troth.membership AS m
    JOIN troth.organization_role AS r ON (r.organization, r.role) = (m.organization, m.role)
    WHERE m.organization = org AND m.subject = whose AND m.ended_at IS NULL
$$;

-- name: in_office
-- Whether somebody administers an organization that another is in.
CREATE OR REPLACE FUNCTION troth.in_office(org uuid, who uuid, whom uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce('see' = ANY (troth.powers_in(org, who)), false) AND troth.powers_in(org, whom) IS NOT NULL
$$;

-- name: acting_in
-- The viewer, who may do `power` in an organization, which is theirs alone to change until this transaction ends. Raises
-- TR003 without a viewer, TR040 where they are not in it or it is not there, TR041 when their role does not let them.
CREATE OR REPLACE FUNCTION troth.acting_in(org uuid, power text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.viewer(); may text[];
BEGIN
    IF who IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    PERFORM 1 FROM troth.organization WHERE organization = org FOR NO KEY UPDATE;
    may := troth.powers_in(org, who);
    IF may IS NULL THEN
        RAISE EXCEPTION 'there is no such organization' USING ERRCODE = 'TR040';
    ELSIF NOT power = ANY (may) THEN
        RAISE EXCEPTION 'the role does not allow it' USING ERRCODE = 'TR041';
    END IF;
    RETURN who;
END
$$;

-- name: offered_role
-- Refuse a role that is not there (TR045), or that may do more than whoever gives it (TR041).
CREATE OR REPLACE FUNCTION troth.offered_role(org uuid, called text, who uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE may text[] := (SELECT r.may FROM troth.organization_role AS r WHERE r.organization = org AND r.role = called);
BEGIN
    IF may IS NULL THEN
        RAISE EXCEPTION 'there is no such role' USING ERRCODE = 'TR045';
    ELSIF NOT may <@ troth.powers_in(org, who) THEN
        RAISE EXCEPTION 'nobody gives what they may not do themselves' USING ERRCODE = 'TR041';
    END IF;
END
$$;

-- name: entered
-- Make somebody a member. Raises TR044 when they are one, TR047 when they are in too many organizations.
CREATE OR REPLACE FUNCTION troth.entered(org uuid, whose uuid, as_role text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM troth.membership AS m WHERE m.subject = whose AND m.organization = org) THEN
        RAISE EXCEPTION 'they are a member already' USING ERRCODE = 'TR044';
    ELSIF (SELECT count(*) FROM troth.membership AS m WHERE m.subject = whose) >= 100 THEN
        RAISE EXCEPTION 'nobody is in more than 100 organizations' USING ERRCODE = 'TR047';
    END IF;
    INSERT INTO troth.membership (subject, organization, role) VALUES (whose, org, as_role);
    DELETE FROM troth.join_request AS j WHERE j.subject = whose AND j.organization = org;
END
$$;

-- name: told_of
-- The ledger's word for an organization: the digest of its identifier, which is random.
CREATE OR REPLACE FUNCTION troth.told_of(org uuid) RETURNS jsonb
LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT jsonb_build_object('organization', encode(sha256(uuid_send(org)), 'hex'))
$$;

-- name: found_organization
CREATE OR REPLACE FUNCTION troth.found_organization(called text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.viewer(); org uuid;
BEGIN
    IF who IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    INSERT INTO troth.organization (name) VALUES (called) RETURNING organization INTO org;
    INSERT INTO troth.organization_role (organization, role, may) VALUES
        (org, 'owner', '{see,invite,members,roles,own}'), (org, 'administrator', '{see,invite,members,roles}'),
        (org, 'member', '{}');
    PERFORM troth.entered(org, who, 'owner');
    PERFORM troth.record('organization-founded', who, who, troth.told_of(org));
    RETURN org;
END
$$;

-- name: set_organization
-- What it calls itself, and whether people may ask to join.
CREATE OR REPLACE FUNCTION troth.set_organization(org uuid, called text, open boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.acting_in(org, 'roles');
BEGIN
    UPDATE troth.organization SET name = called, asking = open WHERE organization = org;
    PERFORM troth.record('organization-changed', who, who, troth.told_of(org));
END
$$;

-- name: set_role
-- Make a role of the organization's own, or change what it may do; never more than whoever makes it may.
CREATE OR REPLACE FUNCTION troth.set_role(org uuid, called text, allowed text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.acting_in(org, 'roles'); mine text[] := troth.powers_in(org, who);
BEGIN
    IF called IN ('owner', 'administrator', 'member') OR 'own' = ANY (allowed) OR NOT allowed <@ mine
       OR EXISTS (
           SELECT 1 FROM troth.organization_role AS r WHERE r.organization = org AND r.role = called AND NOT r.may <@ mine
       )
    THEN
        RAISE EXCEPTION 'nobody gives what they may not do themselves' USING ERRCODE = 'TR041';
    ELSIF (SELECT count(*) FROM troth.organization_role AS r WHERE r.organization = org) >= 30 THEN
        RAISE EXCEPTION 'there are 30 roles already' USING ERRCODE = 'TR047';
    END IF;
    INSERT INTO troth.organization_role AS r (organization, role, may) VALUES (org, called, allowed)
    ON CONFLICT (organization, role) DO UPDATE SET may = excluded.may;
    PERFORM troth.record('role-set', who, who, troth.told_of(org));
END
$$;

-- name: drop_role
-- Raises TR046 while somebody has it.
CREATE OR REPLACE FUNCTION troth.drop_role(org uuid, called text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.acting_in(org, 'roles');
BEGIN
    PERFORM troth.offered_role(org, called, who);
    IF called IN ('owner', 'administrator', 'member')
       OR EXISTS (SELECT 1 FROM troth.membership AS m WHERE m.organization = org AND m.role = called)
    THEN
        RAISE EXCEPTION 'somebody has this role' USING ERRCODE = 'TR046';
    END IF;
    DELETE FROM troth.organization_role AS r WHERE r.organization = org AND r.role = called;
    PERFORM troth.record('role-removed', who, who, troth.told_of(org));
END
$$;

-- name: invite
-- By mail to an address, with the token on its way in the outbox alone, or, without an address, by a link for `many`.
CREATE OR REPLACE FUNCTION troth.invite(
    org uuid, token text, to_address text, spoken text, as_role text, many integer, days integer
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.acting_in(org, 'invite'); made uuid; mailed text := lower(to_address);
BEGIN
    PERFORM troth.offered_role(org, as_role, who);
    DELETE FROM troth.invitation AS i
    WHERE i.organization = org AND (i.until <= statement_timestamp() OR i.address = mailed);
    IF (SELECT count(*) FROM troth.invitation AS i WHERE i.organization = org) >= 200 THEN
        RAISE EXCEPTION 'there are 200 invitations already' USING ERRCODE = 'TR047';
    END IF;
    INSERT INTO troth.invitation (organization, digest, address, domain, role, joins, until)
    VALUES (org, sha256(convert_to(token, 'UTF8')), mailed, split_part(mailed, '@', 2), as_role,
            CASE WHEN mailed IS NULL THEN many ELSE 1 END, statement_timestamp() + make_interval(days => days))
    RETURNING invitation INTO made;
    IF mailed IS NOT NULL THEN
        PERFORM troth.post('00000000-0000-0000-0000-000000000000', mailed, 'invitation', jsonb_build_object(
            'token', token, 'language', spoken, 'days', days,
            'organization', (SELECT o.name FROM troth.organization AS o WHERE o.organization = org)));
    END IF;
    PERFORM troth.record('invited', who, who, troth.told_of(org) || jsonb_build_object('mail', mailed IS NOT NULL));
    RETURN made;
END
$$;

-- name: uninvite
CREATE OR REPLACE FUNCTION troth.uninvite(org uuid, which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.acting_in(org, 'invite');
BEGIN
    DELETE FROM troth.invitation AS i WHERE i.organization = org AND i.invitation = which;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such invitation' USING ERRCODE = 'TR043';
    END IF;
    PERFORM troth.record('invitation-withdrawn', who, who, troth.told_of(org));
END
$$;

-- name: invitation_of
-- What whoever holds a token is invited to: no row when it is unknown, used up or past its end.
CREATE OR REPLACE FUNCTION troth.invitation_of(token text)
RETURNS TABLE (organization uuid, name text, role text, may text[], until timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT i.organization, o.name, i.role, r.may, i.until FROM troth.invitation AS i
    JOIN troth.organization AS o ON o.organization = i.organization
    JOIN troth.organization_role AS r ON (r.organization, r.role) = (i.organization, i.role)
    WHERE i.digest = sha256(convert_to(token, 'UTF8')) AND i.until > statement_timestamp()
      AND troth.viewer() < 'ffffffff-ffff-8000-8000-000000000000'
$$;

-- name: join_by_invitation
-- The viewer joins. Raises TR043 when the token opens nothing.
CREATE OR REPLACE FUNCTION troth.join_by_invitation(token text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.viewer(); org uuid; called text; left_over integer; which uuid;
BEGIN
    IF who IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    SELECT i.organization INTO org FROM troth.invitation AS i WHERE i.digest = sha256(convert_to(token, 'UTF8'));
    PERFORM 1 FROM troth.organization AS o WHERE o.organization = org FOR NO KEY UPDATE;
    SELECT i.invitation, i.role, i.joins - 1 INTO which, called, left_over FROM troth.invitation AS i
    WHERE i.digest = sha256(convert_to(token, 'UTF8')) AND i.until > statement_timestamp() FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such invitation' USING ERRCODE = 'TR043';
    END IF;
    PERFORM troth.entered(org, who, called);
    UPDATE troth.membership AS m SET joined_by = sha256(convert_to(token, 'UTF8')) WHERE m.subject = who AND m.organization = org;
    IF left_over = 0 THEN
        DELETE FROM troth.invitation AS i WHERE i.invitation = which;
    ELSE
        UPDATE troth.invitation AS i SET joins = left_over WHERE i.invitation = which;
    END IF;
    PERFORM troth.record('organization-joined', who, who, troth.told_of(org));
    RETURN org;
END
$$;

-- name: asked_organization
-- What an organization that lets people ask is called; no row for any other, as for one that is not there.
CREATE OR REPLACE FUNCTION troth.asked_organization(org uuid) RETURNS TABLE (name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT o.name FROM troth.organization AS o WHERE o.organization = org AND o.asking AND troth.viewer() < 'ffffffff-ffff-8000-8000-000000000000'
$$;

-- name: ask_to_join
CREATE OR REPLACE FUNCTION troth.ask_to_join(org uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.viewer();
BEGIN
    IF who IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    ELSIF NOT EXISTS (SELECT 1 FROM troth.asked_organization(org)) THEN
        RAISE EXCEPTION 'there is no such organization' USING ERRCODE = 'TR040';
    ELSIF EXISTS (SELECT 1 FROM troth.membership AS m WHERE m.subject = who AND m.organization = org)
       OR EXISTS (SELECT 1 FROM troth.join_request AS j WHERE j.subject = who AND j.organization = org)
    THEN
        RAISE EXCEPTION 'they are a member already, or have asked' USING ERRCODE = 'TR044';
    ELSIF (SELECT count(*) FROM troth.join_request AS j WHERE j.subject = who) >= 20 THEN
        RAISE EXCEPTION 'nobody asks more than 20 organizations at a time' USING ERRCODE = 'TR047';
    END IF;
    INSERT INTO troth.join_request (subject, organization) VALUES (who, org);
    PERFORM troth.record('asked-to-join', who, who, troth.told_of(org));
END
$$;

-- name: withdraw_request
-- Whoever holds a token, agreed or not, asks no longer.
CREATE OR REPLACE FUNCTION troth.withdraw_request(org uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.holder();
BEGIN
    DELETE FROM troth.join_request AS j WHERE j.subject = who AND j.organization = org;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nobody asked' USING ERRCODE = 'TR045';
    END IF;
    PERFORM troth.record('request-withdrawn', who, who, troth.told_of(org));
END
$$;

-- name: answer_request
-- Admit somebody who asked, in a role, or refuse them (null).
CREATE OR REPLACE FUNCTION troth.answer_request(org uuid, whose uuid, as_role text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.acting_in(org, 'members');
BEGIN
    DELETE FROM troth.join_request AS j WHERE j.subject = whose AND j.organization = org AND j.ended_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nobody asked' USING ERRCODE = 'TR045';
    END IF;
    IF as_role IS NOT NULL THEN
        PERFORM troth.offered_role(org, as_role, who);
        PERFORM troth.entered(org, whose, as_role);
    END IF;
    PERFORM troth.record(
        CASE WHEN as_role IS NULL THEN 'request-refused' ELSE 'admitted' END, who, whose, troth.told_of(org)
    );
END
$$;

-- name: reached_member
-- Refuse to act on somebody who is no member (TR045), or who may do more than whoever acts (TR041).
CREATE OR REPLACE FUNCTION troth.reached_member(org uuid, whose uuid, who uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF troth.powers_in(org, whose) IS NULL THEN
        RAISE EXCEPTION 'there is no such member' USING ERRCODE = 'TR045';
    ELSIF NOT troth.powers_in(org, whose) <@ troth.powers_in(org, who) THEN
        RAISE EXCEPTION 'they may do more' USING ERRCODE = 'TR041';
    END IF;
END
$$;

-- name: keep_an_owner
-- Refuse that the last owner goes (TR042).
CREATE OR REPLACE FUNCTION troth.keep_an_owner(org uuid, whose uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM troth.membership AS m
        WHERE m.organization = org AND m.role = 'owner' AND m.subject <> whose AND m.ended_at IS NULL
    ) THEN
        RAISE EXCEPTION 'an organization keeps an owner' USING ERRCODE = 'TR042';
    END IF;
END
$$;

-- name: give_role
CREATE OR REPLACE FUNCTION troth.give_role(org uuid, whose uuid, as_role text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.acting_in(org, 'members');
BEGIN
    PERFORM troth.reached_member(org, whose, who);
    PERFORM troth.offered_role(org, as_role, who);
    IF 'own' = ANY (troth.powers_in(org, whose)) AND as_role <> 'owner' THEN
        PERFORM troth.keep_an_owner(org, whose);
    END IF;
    UPDATE troth.membership AS m SET role = as_role WHERE m.subject = whose AND m.organization = org;
    PERFORM troth.record('role-given', who, whose, troth.told_of(org));
END
$$;

-- name: remove_member
CREATE OR REPLACE FUNCTION troth.remove_member(org uuid, whose uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.acting_in(org, 'members');
BEGIN
    PERFORM troth.reached_member(org, whose, who);
    IF 'own' = ANY (troth.powers_in(org, whose)) THEN
        PERFORM troth.keep_an_owner(org, whose);
    END IF;
    DELETE FROM troth.membership AS m WHERE m.subject = whose AND m.organization = org;
    PERFORM troth.detach_entry(whose, org);
    PERFORM troth.record('member-removed', who, whose, troth.told_of(org));
END
$$;

-- name: hand_over
-- Another member becomes an owner, and the viewer an administrator.
CREATE OR REPLACE FUNCTION troth.hand_over(org uuid, whose uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.acting_in(org, 'own');
BEGIN
    IF whose = who THEN
        RAISE EXCEPTION 'there is no such member' USING ERRCODE = 'TR045';
    END IF;
    PERFORM troth.reached_member(org, whose, who);
    UPDATE troth.membership AS m SET role = CASE WHEN m.subject = whose THEN 'owner' ELSE 'administrator' END
    WHERE m.organization = org AND m.subject IN (whose, who);
    PERFORM troth.record('organization-handed-over', who, whose, troth.told_of(org));
END
$$;

-- name: leave_organization
-- Whoever holds a token, agreed or not, is in it no longer. Raises TR040, TR042 for the last who owns it.
CREATE OR REPLACE FUNCTION troth.leave_organization(org uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.holder();
BEGIN
    PERFORM 1 FROM troth.organization WHERE organization = org FOR NO KEY UPDATE;
    IF troth.powers_in(org, who) IS NULL THEN
        RAISE EXCEPTION 'there is no such organization' USING ERRCODE = 'TR040';
    ELSIF 'own' = ANY (troth.powers_in(org, who)) THEN
        PERFORM troth.keep_an_owner(org, who);
    END IF;
    DELETE FROM troth.membership AS m WHERE m.subject = who AND m.organization = org;
    PERFORM troth.detach_entry(who, org);
    PERFORM troth.record('organization-left', who, who, troth.told_of(org));
END
$$;

-- name: end_organization
-- Nothing of it is left; whoever was in it is so no longer.
CREATE OR REPLACE FUNCTION troth.end_organization(org uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM troth.join_request AS j WHERE j.organization = org;
    DELETE FROM troth.membership AS m WHERE m.organization = org;
    DELETE FROM troth.organization AS o WHERE o.organization = org
$$;

-- name: delete_organization
CREATE OR REPLACE FUNCTION troth.delete_organization(org uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.acting_in(org, 'own');
BEGIN
    PERFORM troth.end_organization(org);
    PERFORM troth.record('organization-deleted', who, who, troth.told_of(org));
END
$$;

-- name: forget_invitations
-- Remove invitations that are past their end, and with them addresses of people who never came.
CREATE OR REPLACE FUNCTION troth.forget_invitations() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM troth.invitation AS i WHERE i.until <= statement_timestamp()
$$;
