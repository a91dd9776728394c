-- name: announce
-- Whoever publishes announces something. Raises TR040, TR065.
CREATE OR REPLACE FUNCTION troth.announce(words jsonb) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.staff_viewer('{publisher,owner}'); made uuid;
BEGIN
    INSERT INTO troth.announcement (texts) VALUES (words) RETURNING announcement INTO made;
    PERFORM troth.record('announced', who, NULL, jsonb_build_object('words', encode(sha256(convert_to(words::text, 'UTF8')), 'hex')));
    RETURN made;
END
$$;

-- name: stop_announcement
-- Whoever publishes stops a send: who has not got it by now gets it no more. Raises TR040, TR065.
CREATE OR REPLACE FUNCTION troth.stop_announcement(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.staff_viewer('{publisher,owner}'); words jsonb;
BEGIN
    UPDATE troth.announcement AS a SET stopped_at = statement_timestamp(), done_at = coalesce(a.done_at, statement_timestamp())
    WHERE a.announcement = which AND a.stopped_at IS NULL RETURNING a.texts INTO words;
    IF FOUND THEN
        PERFORM troth.record('announcement-stopped', who, NULL,
            jsonb_build_object('words', encode(sha256(convert_to(words::text, 'UTF8')), 'hex')));
    END IF;
END
$$;

-- name: queue_announcement
-- Put an announcement for some people into the outbox, in one transaction with how far it got, and return for how many: without
-- an address, which is read when it is sent. Nobody is written to whose last mail came back. Told again, it does nothing.
CREATE OR REPLACE FUNCTION troth.queue_announcement(which uuid, from_after uuid, people uuid [], is_last boolean) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE many bigint;
BEGIN
    PERFORM 1 FROM troth.announcement AS a
    WHERE a.announcement = which AND a.after = from_after AND a.done_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    SELECT count(troth.post(whose, '', 'announcement', jsonb_build_object('batch', which, 'language', coalesce((
        SELECT given.language FROM troth.agreement AS given
        WHERE given.subject = whose AND given.ended_at IS NULL ORDER BY given.at DESC LIMIT 1
    ), 'en')))) INTO many
    FROM unnest(people) AS told (whose)
    WHERE coalesce((
        SELECT o.outcome FROM troth.notice_outcome AS o WHERE o.subject = told.whose ORDER BY o.at DESC LIMIT 1
    ), 'sent') <> 'bounced';
    UPDATE troth.announcement AS a SET queued = a.queued + many, after = coalesce(people[cardinality(people)], a.after),
        done_at = CASE WHEN is_last THEN statement_timestamp() END
    WHERE a.announcement = which;
    RETURN many;
END
$$;

-- name: stop_purpose
-- Somebody who is not signed in, but was known by what only they were sent, wants a purpose no more: what they could do on their
-- page, and only that way round. Returns whether it changed anything: who permits it no more already is not asked twice.
CREATE OR REPLACE FUNCTION troth.stop_purpose(whose uuid, about text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE what text; before text;
BEGIN
    SELECT CASE u.basis WHEN 'consent' THEN 'withdrawal' WHEN 'legitimate interest' THEN 'objection' END INTO what
    FROM troth.unit AS u WHERE u.purpose = about AND u.retired_at IS NULL;
    PERFORM 1 FROM troth.permitted AS p JOIN troth.subject AS s ON s.subject = p.subject
    WHERE p.subject = whose AND s.ended_at IS NULL FOR UPDATE OF p;
    IF NOT FOUND OR what IS NULL THEN
        RETURN false;
    END IF;
    SELECT c.kind INTO before FROM troth.choice AS c
    WHERE c.subject = whose AND c.purpose = about ORDER BY c.at DESC, c.choice DESC LIMIT 1;
    IF before IS NOT DISTINCT FROM what OR (what = 'withdrawal' AND before IS DISTINCT FROM 'consent') THEN
        RETURN false;
    END IF;
    PERFORM troth.put_choice(whose, about, what);
    RETURN true;
END
$$;
