-- name: viewer
-- The subject whose token this transaction carries, or null: no token, an ended one, or one from before the agreement now needed.
-- A browser that is known without an account is nobody but to itself: whatever is shown to people is not shown to it.
CREATE OR REPLACE FUNCTION troth.viewer() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT token.subject FROM troth.request_token AS token
    WHERE token.hash = sha256(convert_to(current_setting('troth.token', true), 'UTF8'))
      AND token.expires_at > statement_timestamp()
      -- Whoever has not agreed to what is needed now sees their own all the same, and changes nothing.
      AND (token.version >= (SELECT coalesce(max(version), 0) FROM troth.policy_version WHERE floor)
          OR (session_user = current_database() || '_self' AND current_setting('transaction_read_only') = 'on'))
      AND (token.subject < 'ffffffff-ffff-8000-8000-000000000000' OR session_user = current_database() || '_self')
$$;

-- name: open_token
-- Remember the digest of a viewer's token, and whether they showed a second factor (`surely` 2; else 1). Raises TR001 when
-- the subject has agreed to nothing.
CREATE OR REPLACE FUNCTION troth.open_token(whose uuid, digest bytea, until timestamptz, surely integer DEFAULT 1) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE agreed integer;
BEGIN
    SELECT max(version) INTO agreed FROM troth.agreement WHERE subject = whose AND ended_at IS NULL;
    IF agreed IS NULL THEN
        RAISE EXCEPTION 'there is no agreement yet' USING ERRCODE = 'TR001';
    END IF;
    DELETE FROM troth.request_token WHERE subject = whose AND expires_at <= statement_timestamp();
    INSERT INTO troth.request_token (hash, subject, expires_at, version, level) VALUES (digest, whose, until, agreed, surely);
END
$$;

-- name: token_level
-- How surely the holder of a viewer's token signed in: 2 with a second factor, else 1. Null: no such token, or an ended one.
CREATE OR REPLACE FUNCTION troth.token_level(token text) RETURNS smallint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT held.level FROM troth.request_token AS held
    WHERE held.hash = sha256(convert_to(token, 'UTF8')) AND held.expires_at > statement_timestamp()
$$;

-- name: close_token
CREATE OR REPLACE FUNCTION troth.close_token(digest bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM troth.request_token WHERE hash = digest
$$;

-- name: close_tokens
CREATE OR REPLACE FUNCTION troth.close_tokens(whose uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM troth.request_token WHERE subject = whose
$$;

-- name: this_turn
-- Which transaction of this session this is: PostgreSQL counts them, and gives none of them twice.
CREATE OR REPLACE FUNCTION troth.this_turn(OUT slot text, OUT turn bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT split_part(held.virtualtransaction, '/', 1), split_part(held.virtualtransaction, '/', 2)::bigint
    FROM pg_catalog.pg_locks AS held
    WHERE held.pid = pg_catalog.pg_backend_pid() AND held.locktype = 'virtualxid' AND held.virtualxid = held.virtualtransaction
    LIMIT 1
$$;
