-- name: fate_of
-- What becomes of an organization when somebody's account ends: it is left; or, where nobody else owns it, whoever has administered
-- it longest becomes an owner, and one that nobody administers ends with its owner.
CREATE OR REPLACE FUNCTION troth.fate_of(org uuid, whose uuid) RETURNS TABLE (fate text, heir uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT CASE
        WHEN held.role <> 'owner' OR EXISTS (
            SELECT FROM troth.membership AS o
            WHERE o.organization = org AND o.role = 'owner' AND o.subject <> whose AND o.ended_at IS NULL
        ) THEN 'left'
        WHEN next.subject IS NULL THEN 'ends' ELSE 'handed on'
    END, next.subject
    FROM troth.membership AS held LEFT JOIN LATERAL (
        SELECT a.subject FROM troth.membership AS a
        WHERE a.organization = org AND a.role = 'administrator' AND a.subject <> whose AND a.ended_at IS NULL
        ORDER BY a.at, a.subject LIMIT 1
    ) AS next ON true
    WHERE held.organization = org AND held.subject = whose AND held.ended_at IS NULL
$$;

-- name: organization_fates_of
-- What would become of somebody's organizations, should their account end now: who inherits, and how many others are in what would
-- end.
CREATE OR REPLACE FUNCTION troth.organization_fates_of(whose uuid)
RETURNS TABLE (organization uuid, name text, fate text, heir uuid, others bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT o.organization, o.name, due.fate, CASE WHEN due.fate = 'handed on' THEN due.heir END, CASE WHEN due.fate = 'ends' THEN (
        SELECT count(*) FROM troth.membership AS also
        WHERE also.organization = m.organization AND also.subject <> m.subject AND also.ended_at IS NULL
    ) ELSE 0 END
    FROM troth.membership AS m JOIN troth.organization AS o ON o.organization = m.organization
    CROSS JOIN LATERAL troth.fate_of(m.organization, m.subject) AS due
    WHERE m.subject = whose AND m.ended_at IS NULL ORDER BY lower(o.name), o.organization
$$;

-- name: organization_fates
-- The same of the viewer's own.
CREATE OR REPLACE FUNCTION troth.organization_fates()
RETURNS TABLE (organization uuid, name text, fate text, heir uuid, others bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$ SELECT * FROM troth.organization_fates_of(troth.viewer()) $$;

-- name: confirm_fates
-- Hold somebody's organizations as they are until the transaction ends. Raises TR066 where something else would become of them than
-- was told: organization -> [fate, heir].
CREATE OR REPLACE FUNCTION troth.confirm_fates(whose uuid, told jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM 1 FROM troth.organization AS o
    WHERE o.organization IN (SELECT m.organization FROM troth.membership AS m WHERE m.subject = whose AND m.ended_at IS NULL)
    ORDER BY o.organization FOR NO KEY UPDATE;
    IF told IS DISTINCT FROM (
        SELECT coalesce(jsonb_object_agg(
            m.organization, jsonb_build_array(due.fate, CASE WHEN due.fate = 'handed on' THEN due.heir END)
        ), '{}')
        FROM troth.membership AS m CROSS JOIN LATERAL troth.fate_of(m.organization, whose) AS due
        WHERE m.subject = whose AND m.ended_at IS NULL
    ) THEN
        RAISE EXCEPTION 'something else would become of the organizations' USING ERRCODE = 'TR066';
    END IF;
END
$$;

-- name: leave_organizations
-- When an account ends, what becomes of the organizations that it owns. The rows themselves end, or go, with the account's others.
CREATE OR REPLACE FUNCTION troth.leave_organizations(whose uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE org uuid; due record;
BEGIN
    FOR org IN
        SELECT m.organization FROM troth.membership AS m WHERE m.subject = whose AND m.role = 'owner' ORDER BY 1
    LOOP
        PERFORM 1 FROM troth.organization WHERE organization = org FOR NO KEY UPDATE;
        SELECT told.fate, told.heir INTO due FROM troth.fate_of(org, whose) AS told;
        IF due.fate = 'ends' THEN
            PERFORM troth.end_organization(org);
        ELSIF due.fate = 'handed on' THEN
            UPDATE troth.membership AS m SET role = 'owner' WHERE m.organization = org AND m.subject = due.heir;
        END IF;
    END LOOP;
END
$$;
