-- name: members_beside
-- How many are in an organization that the viewer is in; null where they are not.
CREATE OR REPLACE FUNCTION troth.members_beside(org uuid) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT count(*) FROM troth.membership AS m
    WHERE m.organization = org AND m.ended_at IS NULL AND org = ANY (troth.viewer_organizations())
    HAVING count(*) > 0
$$;

-- name: authored
-- Whether somebody posted to an audience something that the viewer may read, so that the policy may show who they are.
CREATE OR REPLACE FUNCTION troth.authored(whose uuid, towards text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (
        SELECT FROM troth.post AS p WHERE p.subject = whose AND p.audience = towards AND p.ended_at IS NULL AND CASE towards
            WHEN 'the public' THEN true
            WHEN 'everyone signed in' THEN troth.viewer() IS NOT NULL
            WHEN 'members of the same organization' THEN p.organization = ANY (troth.viewer_organizations())
            ELSE false
        END
    )
$$;

-- name: told_rightly
-- Refuse to post to other readers than the viewer was told of: so many are in the organization, and the policy is of that version.
-- Raises TR081 for an organization that they are not in, TR082 where it is otherwise by now.
CREATE OR REPLACE FUNCTION troth.told_rightly(towards text, org uuid, readers integer, told integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF towards = 'members of the same organization' AND troth.members_beside(org) IS NULL THEN
        RAISE EXCEPTION 'you are not in this organization' USING ERRCODE = 'TR081';
    END IF;
    IF troth.members_beside(org) IS DISTINCT FROM readers
        OR told IS DISTINCT FROM (SELECT max(version) FROM troth.policy_version)
    THEN
        RAISE EXCEPTION 'who would read it has changed' USING ERRCODE = 'TR082';
    END IF;
END
$$;

-- name: write_post
-- The viewer posts to whom they were told of. The policy's own rule refuses an audience to which nobody may post (42501).
-- Raises TR003, TR081, TR082, TR083 for the hundred and first of a day.
CREATE OR REPLACE FUNCTION troth.write_post(said text, towards text, org uuid, readers integer, told integer) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_viewer(); made uuid;
BEGIN
    PERFORM troth.told_rightly(towards, org, readers, told);
    IF (SELECT count(*) FROM troth.post WHERE subject = whose AND at > clock_timestamp() - interval '1 day') >= 100 THEN
        RAISE EXCEPTION 'that is enough for one day' USING ERRCODE = 'TR083';
    END IF;
    INSERT INTO troth.post (subject, text, audience, organization) VALUES (whose, said, towards, org) RETURNING id INTO made;
    PERFORM troth.record('posted', whose, whose, jsonb_build_object('audience', replace(towards, ' ', '-')));
    RETURN made;
END
$$;

-- name: attach_file
-- The viewer adds a file to a post of theirs, for whoever may read it. Raises TR003, TR080, TR084 for the fourth.
CREATE OR REPLACE FUNCTION troth.attach_file(which uuid, called text, kind text, bytes bytea) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_viewer(); made uuid;
BEGIN
    IF (SELECT count(*) FROM troth.attachment WHERE subject = whose AND post = which) >= 3 THEN
        RAISE EXCEPTION 'a post has three files at most' USING ERRCODE = 'TR084';
    END IF;
    INSERT INTO troth.attachment (subject, post, name, type, content, audience, organization)
    SELECT whose, p.id, called, kind, bytes, p.audience, p.organization FROM troth.post AS p
    WHERE p.subject = whose AND p.id = which RETURNING id INTO made;
    IF made IS NULL THEN
        RAISE EXCEPTION 'there is no such post of yours' USING ERRCODE = 'TR080';
    END IF;
    RETURN made;
END
$$;

-- name: address_post
-- The viewer lets others read a post of theirs, and its files, than before: from the next statement on, whoever they are.
-- Raises TR003, TR080, TR081, TR082.
CREATE OR REPLACE FUNCTION troth.address_post(which uuid, towards text, org uuid, readers integer, told integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_viewer(); before text; were uuid;
BEGIN
    SELECT audience, organization INTO before, were FROM troth.post WHERE subject = whose AND id = which FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such post of yours' USING ERRCODE = 'TR080';
    END IF;
    PERFORM troth.told_rightly(towards, org, readers, told);
    IF (before, were) IS DISTINCT FROM (towards, org) THEN
        UPDATE troth.post SET audience = towards, organization = org WHERE subject = whose AND id = which;
        UPDATE troth.attachment SET audience = towards, organization = org WHERE subject = whose AND post = which;
        PERFORM troth.record('post-addressed', whose, whose, jsonb_build_object('audience', replace(towards, ' ', '-')));
    END IF;
END
$$;

-- name: note_edit
-- Note that the viewer changed the words of a post of theirs just now. Raises TR003, TR080.
CREATE OR REPLACE FUNCTION troth.note_edit(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_viewer();
BEGIN
    UPDATE troth.post SET edited_at = statement_timestamp() WHERE subject = whose AND id = which;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such post of yours' USING ERRCODE = 'TR080';
    END IF;
    PERFORM troth.record('post-edited', whose, whose, '{}');
END
$$;
