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
