-- name: append
-- Append one entry, in the caller's transaction, and return its index. The last call of an action: from here to its end
-- nobody else records.
--
-- What an entry's hash covers can be rebuilt from its row with any JSON and SHA-256:
--   canonical = {"action":A,"actor":X,"at":T,"facts":F,"index":N,"subject":Y}, JSON as RFC 8785 writes it (no spaces,
--               keys sorted), UTF-8; A the action, T microseconds since 1970 in UTC, N the index, F the facts,
--               X and Y the lower-case hex of actor and subject, or null
--   leaf      = SHA-256(0x00 || canonical)                   the leaf of RFC 6962
--   hash      = SHA-256(0x01 || previous || leaf)            previous: the last entry's hash, 32 zero bytes at first
--   actor, subject = HMAC-SHA-256(salt, the uuid's 16 bytes), one salt per entry and person, in ledger_salt
--
-- Raises TR030 when the action is no word, or when a fact could say who somebody is: facts are flat; a value is null,
-- a boolean, an integer of at most 15 digits, a word, or a SHA-256 in hex.
CREATE OR REPLACE FUNCTION troth.append(what text, who uuid, whom uuid, told jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    last_index bigint;
    last_hash bytea;
    next_index bigint;
    moment timestamptz;
    parties uuid[];
    salts bytea[];
    marks bytea[];
    who_mark bytea;
    whom_mark bytea;
    leaf bytea;
BEGIN
    IF what IS NULL OR what !~ '^[a-z][a-z0-9-]{0,63}$' THEN
        RAISE EXCEPTION 'the action is no word' USING ERRCODE = 'TR030';
    END IF;
    IF told IS NULL OR jsonb_typeof(told) <> 'object' THEN
        RAISE EXCEPTION 'the facts are no object' USING ERRCODE = 'TR030';
    END IF;
    IF EXISTS (
        SELECT FROM jsonb_each(told) AS fact
        WHERE fact.key !~ '^[a-z][a-z0-9_]{0,39}$'
           OR NOT CASE jsonb_typeof(fact.value)
               WHEN 'null' THEN true
               WHEN 'boolean' THEN true
               WHEN 'number' THEN fact.value::text ~ '^(0|-?[1-9][0-9]{0,14})$'
               WHEN 'string' THEN fact.value #>> '{}' ~ '^([a-z][a-z0-9._-]{0,62}|[0-9a-f]{64})$'
                   AND fact.value #>> '{}' !~ '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$'
               ELSE false
           END
    ) THEN
        RAISE EXCEPTION 'a fact could say who somebody is' USING ERRCODE = 'TR030';
    END IF;

    -- One writer at a time, and a statement of its own after the lock, so that the head it reads is the last committed one.
    PERFORM pg_advisory_xact_lock(7277);
    SELECT entry.index, entry.hash INTO last_index, last_hash
    FROM troth.ledger_entry AS entry ORDER BY entry.index DESC LIMIT 1;
    next_index := coalesce(last_index + 1, 0);
    last_hash := coalesce(last_hash, decode(repeat('00', 32), 'hex'));
    moment := clock_timestamp();

    WITH salted AS MATERIALIZED (
        SELECT someone, sha256(
            uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
        ) AS salt
        FROM (SELECT DISTINCT unnest(ARRAY[who, whom]) AS someone) AS named WHERE someone IS NOT NULL
    ), keyed AS (
        SELECT someone, salt, ('x' || encode(salt, 'hex') || repeat('00', 32))::bit varying AS key FROM salted
    )
    SELECT array_agg(someone), array_agg(salt), array_agg(sha256(
        substring(varbit_send(key # ('x' || repeat('5c', 64))::bit varying) FROM 5)
        || sha256(substring(varbit_send(key # ('x' || repeat('36', 64))::bit varying) FROM 5) || uuid_send(someone))
    )) INTO parties, salts, marks FROM keyed;
    who_mark := marks[array_position(parties, who)];
    whom_mark := marks[array_position(parties, whom)];

    SELECT sha256('\x00'::bytea || convert_to(
        '{"action":"' || what
        || '","actor":' || coalesce('"' || encode(who_mark, 'hex') || '"', 'null')
        || ',"at":' || (extract(epoch FROM moment) * 1000000)::bigint
        || ',"facts":{' || coalesce(string_agg('"' || fact.key || '":' || fact.value, ',' ORDER BY fact.key COLLATE "C"), '')
        || '},"index":' || next_index
        || ',"subject":' || coalesce('"' || encode(whom_mark, 'hex') || '"', 'null')
        || '}', 'UTF8'
    )) INTO leaf FROM jsonb_each(told) AS fact;

    INSERT INTO troth.ledger_entry (index, at, action, actor, subject, facts, previous, hash)
    VALUES (next_index, moment, what, who_mark, whom_mark, told, last_hash, sha256('\x01'::bytea || last_hash || leaf));
    INSERT INTO troth.ledger_salt (subject, entry, salt)
    SELECT party, next_index, of_party FROM unnest(parties, salts) AS kept (party, of_party);
    RETURN next_index;
END
$$;

-- name: record
-- The same, for roles that act.
-- Raises TR031 when a viewer names another, TR003 when the viewer is one no longer. Whoever has not agreed to what is needed now
-- records too, and nothing but that they ended or declined something.
CREATE OR REPLACE FUNCTION troth.record(what text, who uuid, whom uuid, told jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    ends boolean := what IN (
        'access-declined', 'access-ended', 'access-narrowed', 'application-ended', 'device-forgotten', 'organization-left',
        'other-sessions-ended', 'request-withdrawn', 'session-ended'
    );
    mine uuid;
BEGIN
    -- A viewer acts in nobody's name but their own, whatever statement was slipped into a page; on somebody else only as
    -- an administrator, who reaches this through the functions that know whom they may act on.
    IF session_user IN (current_database() || '_self', current_database() || '_administrator') THEN
        mine := CASE WHEN ends THEN troth.holder() ELSE troth.viewer() END;
        IF mine IS NULL THEN
            RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
        ELSIF who IS DISTINCT FROM mine
           OR (whom IS DISTINCT FROM who AND session_user = current_database() || '_self')
        THEN
            RAISE EXCEPTION 'a viewer records only what they did themselves' USING ERRCODE = 'TR031';
        END IF;
    END IF;
    RETURN troth.append(what, who, whom, told);
END
$$;
