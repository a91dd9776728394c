-- name: staff_roles
-- The roles that somebody holds on the operator's staff now.
CREATE OR REPLACE FUNCTION troth.staff_roles(whose uuid) RETURNS text []
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT ARRAY(SELECT held.role FROM troth.staff AS held WHERE held.subject = whose AND held.until IS NULL ORDER BY 1)
$$;

-- name: secured
-- Whether the viewer showed a second factor in this session, and has one still.
CREATE OR REPLACE FUNCTION troth.secured() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(troth.token_level(current_setting('troth.token', true)) > 1, false) AND EXISTS (
        SELECT FROM troth.people_account AS account JOIN troth.mfa_authenticator AS held ON held.user_id = account.id
        WHERE account.subject = troth.viewer() AND held.type IN ('totp', 'webauthn')
    )
$$;

-- name: staff_viewer
-- The viewer, who holds one of these roles now and showed a second factor; for anybody else there is nothing here (TR040;
-- TR065 for whoever holds one and showed none).
CREATE OR REPLACE FUNCTION troth.staff_viewer(wanted text []) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.viewer();
BEGIN
    IF whose IS NULL OR NOT troth.staff_roles(whose) && wanted THEN
        RAISE EXCEPTION 'there is nothing here for you' USING ERRCODE = 'TR040';
    ELSIF NOT troth.secured() THEN
        RAISE EXCEPTION 'whoever is on the staff shows a second factor' USING ERRCODE = 'TR065';
    END IF;
    RETURN whose;
END
$$;

-- name: has_owner
-- Whether the service has an owner, so that the first link opens nothing any more.
CREATE OR REPLACE FUNCTION troth.has_owner() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (SELECT FROM troth.staff WHERE role = 'owner' AND until IS NULL)
$$;

-- name: first_owner
-- Whoever came by the first link owns the service, where nobody does. Raises TR041 where somebody does.
CREATE OR REPLACE FUNCTION troth.first_owner(whose uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF troth.has_owner() THEN
        RAISE EXCEPTION 'the service has an owner' USING ERRCODE = 'TR041';
    END IF;
    INSERT INTO troth.staff (subject, role) VALUES (whose, 'owner');
    PERFORM troth.record('staff-joined', whose, whose, '{"owner": true}');
END
$$;

-- name: invite_staff
-- An owner invites an address to roles; the mail is on its way with the same commit. Raises TR040, TR043 for no such role.
CREATE OR REPLACE FUNCTION troth.invite_staff(
    address text, wanted text [], token_digest bytea, until timestamptz, mail jsonb
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.staff_viewer('{owner}');
BEGIN
    IF cardinality(wanted) = 0 OR NOT wanted <@ '{owner,support,publisher,analyst,auditor}'::text [] THEN
        RAISE EXCEPTION 'there is no such role' USING ERRCODE = 'TR043';
    END IF;
    DELETE FROM troth.staff_invitation WHERE lower(email) = lower(address) OR expires_at <= statement_timestamp();
    INSERT INTO troth.staff_invitation (digest, email, roles, expires_at) VALUES (token_digest, address, wanted, until);
    PERFORM troth.post('00000000-0000-0000-0000-000000000000', address, 'mail', mail);
    PERFORM troth.record('staff-invited', who, NULL, (SELECT jsonb_object_agg(r, true) FROM unnest(wanted) AS r));
END
$$;

-- name: staff_invitations
-- The invitations that nobody has accepted, for owners.
CREATE OR REPLACE FUNCTION troth.staff_invitations()
RETURNS TABLE (invitation uuid, email text, roles text [], expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT asked.invitation, asked.email, asked.roles, asked.expires_at
    FROM troth.staff_invitation AS asked
    WHERE asked.expires_at > statement_timestamp() AND troth.staff_viewer('{owner}') IS NOT NULL
    ORDER BY asked.invitation DESC
$$;

-- name: withdraw_invitation
CREATE OR REPLACE FUNCTION troth.withdraw_invitation(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.staff_viewer('{owner}');
BEGIN
    DELETE FROM troth.staff_invitation WHERE invitation = which;
    IF FOUND THEN
        PERFORM troth.record('staff-uninvited', who, NULL, '{}');
    END IF;
END
$$;

-- name: invitation_roles
-- What the viewer was invited to by the link with this token; nothing when it is not theirs: it is for one address.
CREATE OR REPLACE FUNCTION troth.invitation_roles(token text) RETURNS text []
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT asked.roles FROM troth.staff_invitation AS asked
    WHERE asked.digest = sha256(convert_to(token, 'UTF8')) AND asked.expires_at > statement_timestamp()
      AND EXISTS (
          SELECT FROM troth.people_account AS account
          JOIN troth.account_emailaddress AS held ON held.user_id = account.id AND held.verified
          WHERE account.subject = troth.viewer() AND lower(held.email) = lower(asked.email)
      )
$$;

-- name: accept_invitation
-- The viewer joins the staff with what they were invited to. Raises TR040 when the link is not for them.
CREATE OR REPLACE FUNCTION troth.accept_invitation(token text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    whose uuid := troth.viewer();
    wanted text [] := troth.invitation_roles(token);
BEGIN
    DELETE FROM troth.staff_invitation WHERE digest = sha256(convert_to(token, 'UTF8')) AND wanted IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is nothing here for you' USING ERRCODE = 'TR040';
    END IF;
    INSERT INTO troth.staff (subject, role) SELECT whose, unnest(wanted) ON CONFLICT DO NOTHING;
    PERFORM troth.record('staff-joined', whose, whose, (SELECT jsonb_object_agg(r, true) FROM unnest(wanted) AS r));
END
$$;

-- name: staff_members
-- The staff with their names, for owners: of nobody else is a name told.
CREATE OR REPLACE FUNCTION troth.staff_members() RETURNS TABLE (subject uuid, name text, role text, at timestamptz, until timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT held.subject, person.name, held.role, held.at, held.until
    FROM troth.staff AS held LEFT JOIN troth.person AS person ON person.subject = held.subject
    WHERE troth.staff_viewer('{owner}') IS NOT NULL ORDER BY held.subject, held.at
$$;

-- name: give_staff_role
-- An owner gives a role to somebody on the staff. Raises TR040, TR042 for who is not on it, TR043 for no such role.
CREATE OR REPLACE FUNCTION troth.give_staff_role(whom uuid, wanted text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.staff_viewer('{owner}');
BEGIN
    IF NOT ARRAY[wanted] <@ '{owner,support,publisher,analyst,auditor}'::text [] THEN
        RAISE EXCEPTION 'there is no such role' USING ERRCODE = 'TR043';
    END IF;
    IF cardinality(troth.staff_roles(whom)) = 0 THEN
        RAISE EXCEPTION 'they are not on the staff' USING ERRCODE = 'TR042';
    END IF;
    INSERT INTO troth.staff (subject, role) VALUES (whom, wanted) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM troth.record('staff-role-given', who, whom, jsonb_build_object('role', wanted));
    END IF;
END
$$;

-- name: end_staff_role
-- An owner ends a role; it opens nothing from the next statement on. Raises TR040, TR042, TR044 for the last owner.
CREATE OR REPLACE FUNCTION troth.end_staff_role(whom uuid, which text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.staff_viewer('{owner}');
BEGIN
    -- Two owners who end each other wait for one another here, and the second finds the first gone.
    PERFORM FROM troth.staff WHERE role = 'owner' AND until IS NULL ORDER BY subject FOR UPDATE;
    who := troth.staff_viewer('{owner}');
    IF which = 'owner' AND NOT EXISTS (
        SELECT FROM troth.staff WHERE role = 'owner' AND until IS NULL AND subject <> whom
    ) THEN
        RAISE EXCEPTION 'a service has an owner' USING ERRCODE = 'TR044';
    END IF;
    UPDATE troth.staff SET until = clock_timestamp() WHERE subject = whom AND role = which AND until IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'they do not have this role' USING ERRCODE = 'TR042';
    END IF;
    PERFORM troth.record('staff-role-ended', who, whom, jsonb_build_object('role', which));
END
$$;
