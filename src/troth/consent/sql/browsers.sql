-- name: let_application_know
-- Whoever uses a browser that is known lets an application know it: for a minute a code stands for that, bound to where it is sent
-- and to the digest of what the application's page keeps to itself. What the application held before lasts until it is taken. Raises
-- TR080 for anybody but an identifier that is tied to no account, TR008 for an application that is not there, or sends no events.
CREATE OR REPLACE FUNCTION troth.let_application_know(which text, with_code bytea, sent_to text, with_challenge text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.viewer();
BEGIN
    PERFORM 1 FROM troth.application WHERE application = which AND removed_at IS NULL AND events <> '{}' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such application' USING ERRCODE = 'TR008';
    END IF;
    -- What ends meanwhile is waited for, and what is to end waits.
    PERFORM 1 FROM troth.permitted WHERE subject = whose FOR UPDATE;
    PERFORM 1 FROM troth.identifier AS i WHERE i.subject = whose AND i.ended_at IS NULL AND i.tied_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such identifier' USING ERRCODE = 'TR080';
    END IF;
    INSERT INTO troth.application_browser AS held (subject, application, code, redirect_uri, challenge, code_until)
    VALUES (whose, which, with_code, sent_to, with_challenge, statement_timestamp() + interval '1 minute')
    ON CONFLICT (subject, application) DO UPDATE SET code = excluded.code, redirect_uri = excluded.redirect_uri,
        challenge = excluded.challenge, code_until = excluded.code_until, taken_at = NULL;
    PERFORM troth.record('application-permitted', whose, whose, jsonb_build_object('application', which, 'claims', 0));
END
$$;

-- name: take_browser_code
-- An application's page turns in its code, with what only it has, for a token whose digest is given. Return until when the browser is
-- known at the latest; null where the code stands for nothing. Brought twice, somebody else has it too: what it was taken for ends.
CREATE OR REPLACE FUNCTION troth.take_browser_code(which text, with_code bytea, sent_to text, verifier text, token_digest bytea)
RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE held troth.application_browser; ends timestamptz;
BEGIN
    SELECT * INTO held FROM troth.application_browser AS b WHERE b.code = with_code AND b.application = which FOR UPDATE;
    IF held.taken_at IS NOT NULL THEN
        DELETE FROM troth.application_browser AS b WHERE b.code = with_code;
        PERFORM troth.record('token-brought-twice', NULL, held.subject, jsonb_build_object('application', which));
        RETURN NULL;
    END IF;
    SELECT i.until INTO ends FROM troth.identifier AS i JOIN troth.application AS known ON known.removed_at IS NULL
    WHERE i.subject = held.subject AND known.application = held.application AND held.redirect_uri = sent_to
      AND held.challenge = translate(rtrim(encode(sha256(convert_to(verifier, 'UTF8')), 'base64'), '='), '+/', '-_')
      AND held.code_until > statement_timestamp() AND i.until > statement_timestamp() AND i.tied_at IS NULL AND i.ended_at IS NULL;
    IF ends IS NOT NULL THEN
        UPDATE troth.application_browser AS b SET taken_at = statement_timestamp(), digest = token_digest WHERE b.code = with_code;
    END IF;
    RETURN ends;
END
$$;

-- name: application_knows
-- Whether an application knows a browser now, and may tell this kind of events of whoever uses it.
CREATE OR REPLACE FUNCTION troth.application_knows(whose uuid, which text, what text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (
        SELECT FROM troth.application_browser AS held
        JOIN troth.application AS known ON known.application = held.application AND known.removed_at IS NULL
        JOIN troth.identifier AS i ON i.subject = held.subject
        CROSS JOIN LATERAL troth.standing(held.subject) AS standing
        WHERE held.subject = whose AND held.application = which AND held.digest IS NOT NULL AND what = ANY (known.events)
          AND i.ended_at IS NULL AND i.tied_at IS NULL AND i.until > statement_timestamp() AND standing.agreed
    )
$$;

-- name: knowing_browser
-- The applications that know the browser whose holder looks, and since when they may.
CREATE OR REPLACE FUNCTION troth.knowing_browser() RETURNS TABLE (application text, name text, at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT known.application, known.name, held.at
    FROM troth.application_browser AS held JOIN troth.application AS known ON known.application = held.application
    WHERE held.subject = troth.viewer() AND held.digest IS NOT NULL AND known.removed_at IS NULL
    ORDER BY held.at DESC, known.application
$$;

-- name: end_application_browser
-- Whoever uses a browser that is known, agreed or not, ends what an application knows of it. Raises TR080 for anybody else, TR008.
CREATE OR REPLACE FUNCTION troth.end_application_browser(which text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.holder();
BEGIN
    IF whose IS NULL OR whose < 'ffffffff-ffff-8000-8000-000000000000' THEN
        RAISE EXCEPTION 'there is no such identifier' USING ERRCODE = 'TR080';
    END IF;
    PERFORM 1 FROM troth.permitted WHERE subject = whose FOR UPDATE;
    -- Whoever stores events of theirs holds the bucket shared: what came before is there, what comes after is refused.
    PERFORM pg_advisory_xact_lock(7276, uuid_hash(whose) & 1023);
    DELETE FROM troth.application_browser AS b WHERE b.subject = whose AND b.application = which;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such application' USING ERRCODE = 'TR008';
    END IF;
    PERFORM troth.record('application-ended', whose, whose, jsonb_build_object('application', which));
END
$$;
