-- name: device_of
-- The device that the session of a viewer's token is on. Null: no such token, or no clause lets anybody know.
CREATE OR REPLACE FUNCTION troth.device_of(token text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT device FROM troth.session WHERE viewer = sha256(convert_to(token, 'UTF8'))
$$;

-- name: this_session
-- The session whose token this transaction carries, or null.
CREATE OR REPLACE FUNCTION troth.this_session() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT session FROM troth.session
    WHERE subject = troth.holder() AND viewer = sha256(convert_to(current_setting('troth.token', true), 'UTF8'))
$$;

-- name: remove_sessions
-- Remove sessions with all that lets their browsers back in: the viewer's token, and what remembers the browser.
CREATE OR REPLACE FUNCTION troth.remove_sessions(whose uuid, which uuid []) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE gone bigint;
BEGIN
    DELETE FROM troth.request_token WHERE subject = whose
      AND hash IN (SELECT viewer FROM troth.session WHERE subject = whose AND session = ANY (which));
    DELETE FROM troth.remembered WHERE subject = whose
      AND family IN (SELECT family FROM troth.session WHERE subject = whose AND session = ANY (which));
    DELETE FROM troth.session WHERE subject = whose AND session = ANY (which);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;

-- name: end_session
-- Whoever holds a token, agreed or not, signs one of their sessions out: from its next statement on it is nobody's. Raises TR003
-- without one, TR074 when there is no such session.
CREATE OR REPLACE FUNCTION troth.end_session(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.holder();
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    PERFORM 1 FROM troth.session WHERE subject = whose AND session = which FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such session' USING ERRCODE = 'TR074';
    END IF;
    -- Before the token goes, if it is this session's own: nobody records who is nobody any more.
    PERFORM troth.record('session-ended', whose, whose, '{}');
    PERFORM troth.remove_sessions(whose, ARRAY[which]);
END
$$;

-- name: end_other_sessions
-- Whoever holds a token, agreed or not, signs every session out but this one, known or not. Raises TR003 without one.
CREATE OR REPLACE FUNCTION troth.end_other_sessions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    whose uuid := troth.holder();
    mine uuid := troth.this_session();
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    DELETE FROM troth.remembered WHERE subject = whose AND family IS DISTINCT FROM (
        SELECT family FROM troth.session WHERE subject = whose AND session = mine
    );
    PERFORM troth.remove_sessions(whose, ARRAY(
        SELECT session FROM troth.session WHERE subject = whose AND session IS DISTINCT FROM mine
    ));
    DELETE FROM troth.request_token
    WHERE subject = whose AND hash <> sha256(convert_to(current_setting('troth.token', true), 'UTF8'));
    PERFORM troth.record('other-sessions-ended', whose, whose, '{}');
END
$$;

-- name: forget_device
-- Whoever holds a token, agreed or not, has one of their devices forgotten: its row goes, and every session on it ends. Raises TR003
-- without one, TR075 when there is no such device.
CREATE OR REPLACE FUNCTION troth.forget_device(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.holder();
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    DELETE FROM troth.device WHERE subject = whose AND device = which;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such device' USING ERRCODE = 'TR075';
    END IF;
    -- Before the token goes, if it is a session on this device: nobody records who is nobody any more.
    PERFORM troth.record('device-forgotten', whose, whose, '{}');
    PERFORM troth.remove_sessions(whose, ARRAY(
        SELECT session FROM troth.session WHERE subject = whose AND device = which
    ));
END
$$;

-- name: identify_session
-- Say which device a session is on. What was known of it before it said so, and nobody named, was a guess, and goes.
CREATE OR REPLACE FUNCTION troth.identify_session(whose uuid, which uuid, by_name uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE guessed uuid;
BEGIN
    SELECT device INTO guessed FROM troth.session WHERE subject = whose AND session = which FOR UPDATE;
    UPDATE troth.session SET device = by_name WHERE subject = whose AND session = which;
    DELETE FROM troth.device WHERE subject = whose AND device = guessed AND device <> by_name AND name IS NULL
      AND NOT EXISTS (SELECT FROM troth.session WHERE subject = whose AND device = guessed);
END
$$;

-- name: close_sessions
-- Remove one session of an account that signs out, or (`others`) every one but it.
CREATE OR REPLACE FUNCTION troth.close_sessions(whose uuid, which uuid, others boolean) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    SELECT troth.remove_sessions(whose, ARRAY(
        SELECT session FROM troth.session
        WHERE subject = whose AND CASE WHEN others THEN session IS DISTINCT FROM which ELSE session = which END
    ))
$$;

-- name: forget_old_sessions
-- Remove the sessions that began so long ago that they are over, and return how many.
CREATE OR REPLACE FUNCTION troth.forget_old_sessions(longest interval) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE gone bigint;
BEGIN
    DELETE FROM troth.session WHERE at < statement_timestamp() - longest;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
