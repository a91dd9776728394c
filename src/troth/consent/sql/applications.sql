-- name: permit_application
-- The viewer lets an application see what they chose of what was asked. What was answered before and is not asked now stays, and
-- so does its last moment; of an answer that ended by itself nothing does.
-- Raises TR003 without a viewer, TR008 for an unknown application, TR009 when more is chosen than asked, or asked than registered.
CREATE OR REPLACE FUNCTION troth.permit_application(which text, asked text [], chosen text []) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    whose uuid := troth.viewer();
    known troth.application;
    before troth.application_grant;
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    SELECT * INTO known FROM troth.application WHERE application = which AND removed_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such application' USING ERRCODE = 'TR008';
    END IF;
    IF NOT (chosen <@ asked AND asked <@ known.claims) THEN
        RAISE EXCEPTION 'this application does not ask for that' USING ERRCODE = 'TR009';
    END IF;
    PERFORM 1 FROM troth.permitted WHERE subject = whose FOR UPDATE;
    -- The account may have ended, or the token been closed, while this waited.
    IF troth.viewer() IS DISTINCT FROM whose THEN
        RAISE EXCEPTION 'nobody is signed in any more' USING ERRCODE = 'TR003';
    END IF;
    before := troth.end_answer(whose, which);
    INSERT INTO troth.application_grant (subject, application, offered, claims, purposes, version, used_at, known_as, expires_at)
    SELECT whose, which,
        ARRAY(SELECT unnest(asked) UNION SELECT unnest(before.offered) ORDER BY 1),
        ARRAY(SELECT unnest(chosen) UNION (SELECT unnest(before.claims) EXCEPT SELECT unnest(asked)) ORDER BY 1),
        known.purposes, (SELECT max(version) FROM troth.policy_version), before.used_at, before.known_as,
        before.expires_at;
    PERFORM troth.record('application-permitted', whose, whose, jsonb_build_object('application', which, 'claims', cardinality(chosen)));
END
$$;

-- name: renew_application
-- The viewer lets an application see what they keep of their newest answer to it, until it `ends`, or until they end it. One that is
-- over begins anew. Raises TR003 without a viewer, TR008 for an unknown application or one that was never answered, TR009 for more,
-- TR085 for an end that is over.
CREATE OR REPLACE FUNCTION troth.renew_application(which text, kept text [], ends timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    whose uuid := troth.held_viewer();
    newest troth.application_grant;
    before troth.application_grant;
BEGIN
    PERFORM 1 FROM troth.application WHERE application = which AND removed_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such application' USING ERRCODE = 'TR008';
    END IF;
    SELECT * INTO newest FROM troth.application_grant WHERE subject = whose AND application = which
    ORDER BY at DESC, answer DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this application was never answered' USING ERRCODE = 'TR008';
    END IF;
    IF NOT kept <@ newest.claims THEN
        RAISE EXCEPTION 'more than before has to be asked by the application' USING ERRCODE = 'TR009';
    END IF;
    IF ends <= clock_timestamp() THEN
        RAISE EXCEPTION 'this moment is over' USING ERRCODE = 'TR085';
    END IF;
    before := troth.end_answer(whose, which);
    INSERT INTO troth.application_grant (subject, application, offered, claims, purposes, version, used_at, known_as, expires_at)
    SELECT whose, which, newest.offered, kept, newest.purposes, max(version), before.used_at, before.known_as, ends
    FROM troth.policy_version;
    PERFORM troth.record('application-renewed', whose, whose, jsonb_build_object('application', which, 'claims', cardinality(kept)));
END
$$;

-- name: end_answer
-- End somebody's standing answer to an application and return it. One that had ended by itself takes along what was issued by it,
-- and counts as none; where there was none, nothing of before may be left that what comes now would open.
CREATE OR REPLACE FUNCTION troth.end_answer(whose uuid, which text) RETURNS troth.application_grant
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE before troth.application_grant;
BEGIN
    UPDATE troth.application_grant SET until = least(clock_timestamp(), expires_at)
    WHERE subject = whose AND application = which AND until IS NULL RETURNING * INTO before;
    IF NOT FOUND OR before.until = before.expires_at THEN
        PERFORM troth.end_tokens(whose, which);
        RETURN NULL;
    END IF;
    RETURN before;
END
$$;

-- name: end_tokens
-- End every token, code and spent token of somebody's that an application holds.
CREATE OR REPLACE FUNCTION troth.end_tokens(whose uuid, which text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM troth.allauth_idp_oidc_token AS token USING troth.people_account AS account
    WHERE account.subject = whose AND token.user_id = account.id AND token.client_id = which;
    DELETE FROM troth.application_code WHERE subject = whose AND application = which;
    DELETE FROM troth.application_spent WHERE subject = whose AND application = which;
$$;

-- name: end_application
-- Whoever holds a token, agreed or not, ends what an application may see; its tokens and codes about them die with it.
-- Raises TR003, TR008.
CREATE OR REPLACE FUNCTION troth.end_application(which text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_holder();
BEGIN
    -- Whoever stores events of theirs holds the bucket shared: what came before is there, what comes after is refused.
    PERFORM pg_advisory_xact_lock(7276, uuid_hash(whose) & 1023);
    UPDATE troth.application_grant SET until = least(clock_timestamp(), expires_at)
    WHERE subject = whose AND application = which AND until IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such application' USING ERRCODE = 'TR008';
    END IF;
    PERFORM troth.end_tokens(whose, which);
    PERFORM troth.record('application-ended', whose, whose, jsonb_build_object('application', which));
END
$$;

-- name: application_standing
-- What an application may see of a person now, and the purposes of its own that the person is in. No row: it gets no token.
CREATE OR REPLACE FUNCTION troth.application_standing(whose uuid, which text) RETURNS TABLE (claims text [], purposes text [])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT ARRAY(SELECT unnest(given.claims) INTERSECT SELECT unnest(known.claims) ORDER BY 1),
        ARRAY(
            SELECT unit.purpose FROM troth.unit AS unit
            WHERE unit.retired_at IS NULL AND unit.purpose = ANY (known.purposes) AND unit.purpose = ANY (given.purposes)
              AND (permitted.uses >> unit.bit) & 1 = 1 ORDER BY 1
        )
    FROM troth.application_grant AS given
    JOIN troth.application AS known ON known.application = given.application AND known.removed_at IS NULL
    JOIN troth.subject AS person ON person.subject = given.subject AND person.ended_at IS NULL
    JOIN troth.permitted AS permitted ON permitted.subject = given.subject
    CROSS JOIN LATERAL troth.standing(given.subject) AS standing
    WHERE given.subject = whose AND given.application = which AND given.until IS NULL
      AND coalesce(given.expires_at > statement_timestamp(), true) AND standing.agreed
$$;

-- name: application_users
-- A page of those whose answers to an application stand, in the order of their answers. What it may be told of each of them, and
-- whether anything, says `application_standing`.
CREATE OR REPLACE FUNCTION troth.application_users(which text, after uuid, most integer) RETURNS TABLE (answer uuid, whose uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT given.answer, given.subject FROM troth.application_grant AS given
    WHERE given.application = which AND given.answer > after AND given.until IS NULL
      AND coalesce(given.expires_at > statement_timestamp(), true)
    ORDER BY given.answer LIMIT most
$$;

-- name: use_application
-- Note that an application asked about a person just now, and what it calls them, by which it may send events of theirs.
CREATE OR REPLACE FUNCTION troth.use_application(whose uuid, which text, calls_them text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    UPDATE troth.application_grant SET used_at = statement_timestamp(), known_as = calls_them
    WHERE subject = whose AND application = which AND until IS NULL AND coalesce(expires_at > statement_timestamp(), true)
$$;
