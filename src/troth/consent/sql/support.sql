-- name: ask_access
-- Somebody of support asks whoever has an address to see some areas of their data for some hours. Nothing tells whether
-- anybody has it: answer, rows, entry and work are the same. `mail` holds the mail in each language, by its code.
-- Raises TR040, TR047 after thirty questions in a day.
CREATE OR REPLACE FUNCTION troth.ask_access(
    address text, why text, number text, wanted text [], for_hours integer, mail jsonb
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    who uuid := troth.staff_viewer('{support}');
    nobody CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    whose uuid;
    spoken text;
    made uuid;
BEGIN
    IF (SELECT count(*) FROM troth.support_access WHERE asker = who AND at > statement_timestamp() - interval '1 day') >= 30 THEN
        RAISE EXCEPTION 'too many questions for one day' USING ERRCODE = 'TR047';
    END IF;
    SELECT account.subject INTO whose FROM troth.people_account AS account
    WHERE account.is_active AND EXISTS (
        SELECT FROM troth.account_emailaddress AS held
        WHERE held.user_id = account.id AND held.verified AND lower(held.email) = lower(address)
    ) LIMIT 1;
    SELECT given.language INTO spoken FROM troth.agreement AS given
    WHERE given.subject = coalesce(whose, who) AND given.ended_at IS NULL ORDER BY given.at DESC LIMIT 1;
    DELETE FROM troth.support_access WHERE subject = nobody AND at < statement_timestamp() - interval '30 days';
    INSERT INTO troth.support_access (subject, asker, reason, ticket, asked_areas, asked_hours)
    VALUES (coalesce(whose, nobody), who, why, number, wanted, for_hours) RETURNING access INTO made;
    BEGIN
        PERFORM troth.post(coalesce(whose, nobody), address, 'mail', coalesce(mail -> spoken, mail -> 'en'));
        IF whose IS NULL THEN
            RAISE EXCEPTION 'nobody has this address' USING ERRCODE = 'TR048';
        END IF;
    EXCEPTION WHEN SQLSTATE 'TR048' THEN
        NULL;  -- the mail goes with it; everything else is as for somebody
    END;
    -- The ledger names somebody either way: a digest of an identifier that is nobody's says as little as any other.
    PERFORM troth.record('access-asked', who, coalesce(whose, gen_random_uuid()), jsonb_build_object('hours', for_hours));
    RETURN made;
END
$$;

-- name: accesses_asked
-- What the viewer, of support, asked and what became of it; of whom is said nowhere.
CREATE OR REPLACE FUNCTION troth.accesses_asked() RETURNS TABLE (
    access uuid, reason text, ticket text, asked_areas text [], asked_hours smallint, at timestamptz,
    areas text [], allowed_at timestamptz, declined_at timestamptz, until timestamptz, ended_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT asked.access, asked.reason, asked.ticket, asked.asked_areas, asked.asked_hours, asked.at,
        asked.areas, asked.allowed_at, asked.declined_at, asked.until, asked.ended_at
    FROM (SELECT troth.staff_viewer('{support}') AS subject) AS viewer
    JOIN troth.support_access AS asked ON asked.asker = viewer.subject
    WHERE asked.at > statement_timestamp() - interval '30 days' ORDER BY asked.access DESC LIMIT 200
$$;

-- name: access_is_open
-- Whether an area of an access is open to the viewer, who must hold the role still, and have shown a second factor.
CREATE OR REPLACE FUNCTION troth.access_is_open(which uuid, of_area text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT asked.subject FROM troth.support_access AS asked
    WHERE asked.access = which AND asked.asker = troth.viewer() AND 'support' = ANY (troth.staff_roles(asked.asker))
      AND troth.secured()
      AND of_area = ANY (asked.areas) AND asked.allowed_at IS NOT NULL AND asked.ended_at IS NULL
      AND asked.until > statement_timestamp()
$$;

-- name: look
-- Write down that the viewer, of support, looks at an area, and return what opens it: once, to the very next transaction of
-- this session, which sees that this one was committed. Raises TR040 when it is not open to them.
CREATE OR REPLACE FUNCTION troth.look(which uuid, of_area text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    who uuid := troth.staff_viewer('{support}');
    whose uuid := troth.access_is_open(which, of_area);
    opens text := encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
    many bigint := troth.rows_in_area(whose, of_area);
    here record := troth.this_turn();
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'there is nothing here for you' USING ERRCODE = 'TR040';
    END IF;
    INSERT INTO troth.support_look (subject, access, digest, area, rows, session, turn)
    VALUES (whose, which, sha256(convert_to(opens, 'UTF8')), of_area, many, pg_backend_pid(), here.slot || '/' || here.turn + 1);
    PERFORM troth.record('access-read', who, whose, jsonb_build_object('area', of_area, 'rows', many));
    RETURN opens;
END
$$;

-- name: looking
-- Whose rows of an area this transaction may see: those of the look whose token it carries, if this is the turn that the
-- look was for, and the access is open at this statement. An old snapshot would not see its end: none opens anything.
CREATE OR REPLACE FUNCTION troth.looking(of_area text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT troth.access_is_open(this.access, of_area)
    FROM troth.support_look AS this CROSS JOIN LATERAL troth.this_turn() AS here
    WHERE this.digest = sha256(convert_to(current_setting('troth.look', true), 'UTF8'))
      AND this.area = of_area AND this.session = pg_catalog.pg_backend_pid()
      AND this.turn = here.slot || '/' || here.turn
      AND current_setting('transaction_isolation') = 'read committed'
$$;

-- name: leave_access
-- Whoever of support was let in is done before the time. Raises TR040.
CREATE OR REPLACE FUNCTION troth.leave_access(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    who uuid := troth.staff_viewer('{support}');
    whose uuid;
BEGIN
    UPDATE troth.support_access SET ended_at = clock_timestamp()
    WHERE access = which AND asker = who AND allowed_at IS NOT NULL AND ended_at IS NULL AND until > statement_timestamp()
    RETURNING subject INTO whose;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is nothing here for you' USING ERRCODE = 'TR040';
    END IF;
    PERFORM troth.record('access-left', who, whose, '{}');
END
$$;

-- name: answer_access
-- The viewer lets support see some of the areas that they asked for, for some hours, or nothing, which takes also whoever has not
-- agreed to what is needed now. Raises TR003, TR049 when nothing is asked any more, TR050 when more is allowed than was asked.
CREATE OR REPLACE FUNCTION troth.answer_access(which uuid, chosen text [], for_hours integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    whose uuid := CASE WHEN cardinality(chosen) = 0 THEN troth.holder() ELSE troth.viewer() END;
    asked troth.support_access;
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    SELECT * INTO asked FROM troth.support_access
    WHERE subject = whose AND access = which AND allowed_at IS NULL AND declined_at IS NULL
      AND at > statement_timestamp() - interval '7 days' FOR UPDATE;
    IF NOT FOUND OR NOT 'support' = ANY (troth.staff_roles(asked.asker)) THEN
        RAISE EXCEPTION 'nothing is asked any more' USING ERRCODE = 'TR049';
    END IF;
    IF NOT coalesce(chosen <@ asked.asked_areas AND for_hours BETWEEN 1 AND asked.asked_hours, false) THEN
        RAISE EXCEPTION 'less was asked than that' USING ERRCODE = 'TR050';
    END IF;
    IF cardinality(chosen) = 0 THEN
        UPDATE troth.support_access SET declined_at = clock_timestamp() WHERE subject = whose AND access = which;
        PERFORM troth.record('access-declined', whose, whose, '{}');
    ELSE
        UPDATE troth.support_access SET areas = chosen, allowed_at = clock_timestamp(),
            until = clock_timestamp() + make_interval(hours => for_hours) WHERE subject = whose AND access = which;
        PERFORM troth.record('access-allowed', whose, whose,
            jsonb_build_object('areas', cardinality(chosen), 'hours', for_hours));
    END IF;
END
$$;

-- name: narrow_access
-- Whoever holds a token, agreed to what is needed now or not, lets support see fewer areas of what is open, or for fewer hours from
-- now on, or both; without hours its end stays. It holds from the next statement on. Raises TR003, TR049 when nothing is open any more, TR050 for nothing, and for more than is open.
CREATE OR REPLACE FUNCTION troth.narrow_access(which uuid, kept text [], for_hours integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    whose uuid := troth.holder();
    held troth.support_access;
    ends timestamptz := clock_timestamp() + make_interval(hours => for_hours);
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    SELECT * INTO held FROM troth.support_access
    WHERE subject = whose AND access = which AND allowed_at IS NOT NULL AND ended_at IS NULL AND until > statement_timestamp()
    FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing is open any more' USING ERRCODE = 'TR049';
    END IF;
    IF coalesce(cardinality(kept), 0) = 0 OR NOT kept <@ held.areas OR for_hours < 1 OR ends > held.until THEN
        RAISE EXCEPTION 'less is open than that' USING ERRCODE = 'TR050';
    END IF;
    UPDATE troth.support_access SET areas = kept, until = coalesce(ends, held.until) WHERE subject = whose AND access = which;
    PERFORM troth.record('access-narrowed', whose, whose, jsonb_build_object(
        'areas', cardinality(kept), 'hours', ceil(extract(epoch FROM coalesce(ends, held.until) - clock_timestamp()) / 3600)::integer
    ) || (SELECT jsonb_object_agg('area_' || area, true) FROM unnest(kept) AS area));
END
$$;

-- name: end_access
-- Whoever holds a token, agreed or not, ends what support may see; it opens nothing from the next statement on. Raises TR003, TR049.
CREATE OR REPLACE FUNCTION troth.end_access(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.holder();
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    UPDATE troth.support_access SET ended_at = clock_timestamp()
    WHERE subject = whose AND access = which AND allowed_at IS NOT NULL AND ended_at IS NULL AND until > statement_timestamp();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing is open any more' USING ERRCODE = 'TR049';
    END IF;
    PERFORM troth.record('access-ended', whose, whose, '{}');
END
$$;

-- name: accesses_of_me
-- What was asked of the viewer, by whom, and what became of it.
CREATE OR REPLACE FUNCTION troth.accesses_of_me() RETURNS TABLE (
    access uuid, name text, reason text, ticket text, asked_areas text [], asked_hours smallint, at timestamptz,
    areas text [], allowed_at timestamptz, declined_at timestamptz, until timestamptz, ended_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT asked.access, person.name, asked.reason, asked.ticket, asked.asked_areas, asked.asked_hours, asked.at,
        asked.areas, asked.allowed_at, asked.declined_at, asked.until, asked.ended_at
    FROM troth.support_access AS asked LEFT JOIN troth.person AS person ON person.subject = asked.asker
    WHERE asked.subject = troth.viewer() ORDER BY asked.access DESC
$$;

-- name: attention
-- What every page tells somebody: how much is asked of them, and until when somebody of the staff may look.
CREATE OR REPLACE FUNCTION troth.attention(whose uuid, OUT asked bigint, OUT until timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT count(*) FILTER (WHERE a.allowed_at IS NULL AND a.declined_at IS NULL AND a.at > statement_timestamp() - interval '7 days'),
        max(a.until) FILTER (WHERE a.ended_at IS NULL AND a.until > statement_timestamp())
    FROM troth.support_access AS a WHERE a.subject = whose
$$;
