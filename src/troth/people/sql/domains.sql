-- name: claim_domain
-- An organization says that a domain is its own; it holds it once the value was found there. Raises TR050, TR056 for more than 20.
CREATE OR REPLACE FUNCTION troth.claim_domain(which uuid, called text, secret text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF NOT troth.may_keep_members(which) THEN
        RAISE EXCEPTION 'this is not yours to do' USING ERRCODE = 'TR050';
    END IF;
    IF 20 <= (SELECT count(*) FROM troth.domain AS held WHERE held.organization = which) THEN
        RAISE EXCEPTION 'there are twenty domains already' USING ERRCODE = 'TR056';
    END IF;
    INSERT INTO troth.domain (organization, domain, value) VALUES (which, called, secret) ON CONFLICT DO NOTHING;
    PERFORM troth.record('domain-claimed', troth.viewer(), troth.viewer(), '{}');
END
$$;

-- name: drop_domain
-- Raises TR050.
CREATE OR REPLACE FUNCTION troth.drop_domain(which uuid, called text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF NOT troth.may_keep_members(which) THEN
        RAISE EXCEPTION 'this is not yours to do' USING ERRCODE = 'TR050';
    END IF;
    DELETE FROM troth.domain AS held WHERE held.organization = which AND held.domain = called;
    PERFORM troth.record('domain-dropped', troth.viewer(), troth.viewer(), '{}');
END
$$;

-- name: recheck_domain
-- The viewer asks that a domain be looked at now. Raises TR050.
CREATE OR REPLACE FUNCTION troth.recheck_domain(which uuid, called text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF NOT troth.may_keep_members(which) THEN
        RAISE EXCEPTION 'this is not yours to do' USING ERRCODE = 'TR050';
    END IF;
    UPDATE troth.domain AS held SET next_check_at = statement_timestamp()
    WHERE held.organization = which AND held.domain = called
      AND coalesce(held.checked_at, '-infinity') < statement_timestamp() - interval '10 seconds';
END
$$;

-- name: judge_domain
-- What looking at a domain came to: found, absent, or no answer (null). Whoever holds it keeps it until it was absent three
-- times an hour apart, or until nobody answered for a week; held by one, it is nobody else's.
CREATE OR REPLACE FUNCTION troth.judge_domain(which uuid, called text, there boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    held troth.domain;
    state text;
BEGIN
    PERFORM pg_advisory_xact_lock(7278, hashtext(called));
    SELECT * INTO held FROM troth.domain AS d WHERE d.organization = which AND d.domain = called FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'gone';
    END IF;
    state := CASE
        WHEN there AND EXISTS (SELECT FROM troth.domain AS other WHERE other.domain = called AND other.organization <> which
                               AND other.held_since IS NOT NULL) THEN 'taken'
        WHEN there THEN 'held'
        WHEN held.held_since IS NULL THEN 'waiting'
        WHEN there IS NULL AND held.seen_at > statement_timestamp() - interval '7 days' THEN 'unanswered'
        WHEN there IS NOT NULL AND held.missed < 2 THEN 'missed'
        ELSE 'lost'
    END;
    UPDATE troth.domain AS d SET
        checked_at = statement_timestamp(),
        seen_at = CASE WHEN state = 'held' THEN statement_timestamp() ELSE d.seen_at END,
        held_since = CASE state WHEN 'held' THEN coalesce(d.held_since, statement_timestamp()) WHEN 'lost' THEN NULL ELSE d.held_since END,
        missed = CASE state WHEN 'missed' THEN d.missed + 1 WHEN 'unanswered' THEN d.missed ELSE 0 END,
        next_check_at = statement_timestamp() + CASE state
            WHEN 'held' THEN interval '1 day' WHEN 'waiting' THEN interval '10 minutes' WHEN 'taken' THEN interval '1 day'
            ELSE interval '1 hour' END
    WHERE d.organization = which AND d.domain = called;
    IF state = 'held' AND held.held_since IS NULL OR state = 'lost' THEN
        PERFORM troth.record(CASE state WHEN 'held' THEN 'domain-held' ELSE 'domain-lost' END, NULL, NULL, '{}');
    END IF;
    RETURN state;
END
$$;
