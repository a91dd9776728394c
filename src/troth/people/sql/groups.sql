-- name: add_grouping
-- Raises TR050.
CREATE OR REPLACE FUNCTION troth.add_grouping(called text, external text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    which uuid := troth.directory_organization();
    made uuid;
BEGIN
    IF which IS NULL THEN
        RAISE EXCEPTION 'this token opens nothing' USING ERRCODE = 'TR050';
    END IF;
    INSERT INTO troth.directory_group (organization, name, external_id) VALUES (which, called, external) RETURNING grouping INTO made;
    PERFORM troth.record('directory-group-added', NULL, NULL, '{}');
    RETURN made;
END
$$;

-- name: change_grouping
-- A group gets this name, this external id, and, unless null, exactly these members. Raises TR050, TR052, TR053, TR057 for a
-- member that is no entry of this directory.
CREATE OR REPLACE FUNCTION troth.change_grouping(
    which_group uuid, called text, external text, added uuid[], removed uuid[], expected integer
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    which uuid := troth.directory_organization();
    known integer;
BEGIN
    IF which IS NULL THEN
        RAISE EXCEPTION 'this token opens nothing' USING ERRCODE = 'TR050';
    END IF;
    SELECT held.version INTO known FROM troth.directory_group AS held
    WHERE held.organization = which AND held.grouping = which_group FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such group' USING ERRCODE = 'TR052';
    ELSIF expected IS NOT NULL AND known <> expected THEN
        RAISE EXCEPTION 'the group has changed' USING ERRCODE = 'TR053';
    END IF;
    UPDATE troth.directory_group AS held
    SET name = called, external_id = external, version = held.version + 1, changed_at = clock_timestamp()
    WHERE held.organization = which AND held.grouping = which_group;
    IF EXISTS (
        SELECT FROM unnest(added) AS wanted
        WHERE NOT EXISTS (SELECT FROM troth.directory_entry AS held
                          WHERE held.organization = which AND held.entry = wanted AND held.ended_at IS NULL)
    ) THEN
        RAISE EXCEPTION 'no entry of this directory is so named' USING ERRCODE = 'TR057';
    END IF;
    WITH gone AS (
        DELETE FROM troth.directory_grouped AS held
        WHERE held.organization = which AND held.grouping = which_group AND held.entry = ANY (removed) RETURNING held.subject
    ), come AS (
        INSERT INTO troth.directory_grouped (subject, organization, grouping, entry)
        SELECT held.subject, which, which_group, held.entry FROM troth.directory_entry AS held
        WHERE held.organization = which AND held.entry = ANY (added) AND held.ended_at IS NULL
        ON CONFLICT DO NOTHING RETURNING subject
    )
    INSERT INTO troth.directory_act (subject, organization, kind)
    SELECT gone.subject, which, 'ungrouped' FROM gone UNION ALL SELECT come.subject, which, 'grouped' FROM come;
    PERFORM troth.record('directory-group-changed', NULL, NULL,
        jsonb_build_object('added', cardinality(added), 'removed', cardinality(removed)));
END
$$;

-- name: remove_grouping
-- Raises TR050, TR052, TR053.
CREATE OR REPLACE FUNCTION troth.remove_grouping(which_group uuid, expected integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    which uuid := troth.directory_organization();
    known integer;
BEGIN
    IF which IS NULL THEN
        RAISE EXCEPTION 'this token opens nothing' USING ERRCODE = 'TR050';
    END IF;
    SELECT held.version INTO known FROM troth.directory_group AS held
    WHERE held.organization = which AND held.grouping = which_group FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such group' USING ERRCODE = 'TR052';
    ELSIF known <> expected THEN
        RAISE EXCEPTION 'the group has changed' USING ERRCODE = 'TR053';
    END IF;
    DELETE FROM troth.directory_grouped WHERE organization = which AND grouping = which_group;
    DELETE FROM troth.directory_group WHERE organization = which AND grouping = which_group;
    PERFORM troth.record('directory-group-removed', NULL, NULL, '{}');
END
$$;
