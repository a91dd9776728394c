-- name: consent_of_identifier
-- A browser that is to be known by an anonymous identifier: the purposes that whoever uses it said yes to, with the agreement.
-- Raises TR004 for what nobody consents to, TR080 for anybody but an identifier that has not chosen yet.
CREATE OR REPLACE FUNCTION troth.consent_of_identifier(whose uuid, purposes text []) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE about text;
BEGIN
    PERFORM 1 FROM troth.subject AS s WHERE s.subject = whose AND s.kind = 'anonymous' AND s.ended_at IS NULL
        AND NOT EXISTS (SELECT FROM troth.choice AS c WHERE c.subject = whose);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such new identifier' USING ERRCODE = 'TR080';
    END IF;
    PERFORM 1 FROM troth.permitted WHERE subject = whose FOR UPDATE;
    FOREACH about IN ARRAY purposes LOOP
        IF NOT EXISTS (SELECT FROM troth.unit AS u WHERE u.purpose = about AND u.basis = 'consent' AND u.retired_at IS NULL) THEN
            RAISE EXCEPTION 'nobody consents to this' USING ERRCODE = 'TR004';
        END IF;
        PERFORM troth.put_choice(whose, about, 'consent');
    END LOOP;
END
$$;

-- name: identifier_of
-- The identifier that a browser's cookie stands for, and how it stands; no row for one that is unknown, over, or tied to an
-- account, which collects nothing.
CREATE OR REPLACE FUNCTION troth.identifier_of(token text)
RETURNS TABLE (subject uuid, agreed boolean, uses bigint, since timestamptz, until timestamptz, asked boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT known.subject, standing.agreed, standing.uses, known.at, known.until, known.asked_at IS NOT NULL
    FROM troth.request_token AS held JOIN troth.identifier AS known ON known.subject = held.subject
    CROSS JOIN LATERAL troth.standing(known.subject) AS standing
    WHERE held.hash = sha256(convert_to(token, 'UTF8')) AND held.expires_at > statement_timestamp()
      AND known.digest = held.hash AND known.until > statement_timestamp() AND known.ended_at IS NULL AND known.tied_at IS NULL
$$;

-- name: tie_identifier
-- The viewer, who has an account, ties to it what this browser left under its identifier: the cookie proves that it is theirs.
-- Raises TR003, TR081 where the policy lets nobody, TR080 for a browser that is known by none, or whose is tied already.
CREATE OR REPLACE FUNCTION troth.tie_identifier(token text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_viewer(); which uuid;
BEGIN
    IF NOT troth.may_tie() THEN
        RAISE EXCEPTION 'the policy lets nobody tie them' USING ERRCODE = 'TR081';
    END IF;
    SELECT known.subject INTO which FROM troth.identifier_of(token) AS known;
    -- What ends meanwhile is waited for, and what is to end waits.
    PERFORM 1 FROM troth.permitted WHERE subject = which FOR UPDATE;
    UPDATE troth.identifier AS i SET tied_at = statement_timestamp()
    WHERE i.subject = which AND i.tied_at IS NULL AND i.ended_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this browser is known by no identifier' USING ERRCODE = 'TR080';
    END IF;
    INSERT INTO troth.tied (subject, identifier) VALUES (whose, which);
    PERFORM troth.record('identifier-tied', whose, whose, '{}');
END
$$;

-- name: untie_identifier
-- The viewer takes it back: the browser is known by it again, and to nobody as theirs. Raises TR003, TR080.
CREATE OR REPLACE FUNCTION troth.untie_identifier(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_viewer();
BEGIN
    DELETE FROM troth.tied AS t WHERE t.subject = whose AND t.identifier = which;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such identifier is tied' USING ERRCODE = 'TR080';
    END IF;
    UPDATE troth.identifier AS i SET tied_at = NULL WHERE i.subject = which;
    PERFORM troth.record('identifier-untied', whose, whose, '{}');
END
$$;

-- name: tied_identifiers
-- What the viewer tied to their account.
CREATE OR REPLACE FUNCTION troth.tied_identifiers() RETURNS TABLE (identifier uuid, since timestamptz, until timestamptz, at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT t.identifier, i.at, i.until, t.at FROM troth.tied AS t JOIN troth.identifier AS i ON i.subject = t.identifier
    WHERE t.subject = troth.viewer() AND troth.may_tie() ORDER BY t.at DESC
$$;

-- name: look_at_tied
-- Let the viewer look, for a minute, at what a tied identifier left: as its holder, by a token whose digest is given. Theirs
-- and its rows stay apart: nothing but this leads from one to the other. Raises TR003, TR080.
CREATE OR REPLACE FUNCTION troth.look_at_tied(which uuid, token_digest bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.viewer();
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    PERFORM 1 FROM troth.tied AS t WHERE t.subject = whose AND t.identifier = which AND troth.may_tie();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such identifier is tied' USING ERRCODE = 'TR080';
    END IF;
    PERFORM troth.open_token(which, token_digest, statement_timestamp() + interval '1 minute');
END
$$;

-- name: end_identifier
-- Whoever uses a browser that is known by an identifier, agreed or not, ends it: as an account is closed. Raises TR080 for anybody else.
CREATE OR REPLACE FUNCTION troth.end_identifier() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.holder();
BEGIN
    IF whose IS NULL OR whose < 'ffffffff-ffff-8000-8000-000000000000' THEN
        RAISE EXCEPTION 'there is no such identifier' USING ERRCODE = 'TR080';
    END IF;
    PERFORM troth.end_subject(whose, 'asked');
END
$$;

-- name: end_identifiers
-- End what is past its time, or has no cookie any more, as after a backup was restored: nobody could. Untie what the policy in force lets nobody tie. Return how many ended.
CREATE OR REPLACE FUNCTION troth.end_identifiers() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid; many bigint := 0;
BEGIN
    IF NOT troth.may_tie() THEN
        DELETE FROM troth.tied;
        UPDATE troth.identifier SET tied_at = NULL WHERE tied_at IS NOT NULL;
    END IF;
    FOR whose IN
        SELECT s.subject FROM troth.subject AS s JOIN troth.permitted AS p ON p.subject = s.subject
        WHERE s.subject >= 'ffffffff-ffff-8000-8000-000000000000' AND s.ended_at IS NULL AND NOT EXISTS (
            SELECT FROM troth.identifier AS i JOIN troth.request_token AS held ON held.hash = i.digest
            WHERE i.subject = s.subject AND i.ended_at IS NULL AND i.until > statement_timestamp()
        ) ORDER BY uuid_hash(s.subject) & 1023 LIMIT 100 FOR UPDATE OF p SKIP LOCKED
    LOOP
        PERFORM troth.end_subject(whose, 'over');
        many := many + 1;
    END LOOP;
    RETURN many;
END
$$;
