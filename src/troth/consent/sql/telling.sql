-- name: tell_some
-- Put the mails or letters about a published version into the outbox for some people, in one transaction with how far it got; return
-- how many were looked at. Whoever has agreed to it is not told, nor anybody of a version that was withdrawn; whoever was told of that one
-- before is told that it does not take effect. A letter on no list goes; one that is on a list may have been posted.
CREATE OR REPLACE FUNCTION troth.tell_some(many integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    telling troth.policy_telling;
    before troth.policy_telling;
    who record;
    facts jsonb;
    unsent uuid;
    looked bigint := 0;
BEGIN
    SELECT * INTO telling FROM troth.policy_telling WHERE done_at IS NULL ORDER BY at LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    SELECT t.* INTO before FROM troth.policy_telling AS t WHERE t.telling = telling.withdraws;
    IF telling.scheduled IS NULL OR EXISTS (
        SELECT 1 FROM troth.policy_scheduled AS s WHERE s.scheduled = telling.scheduled AND coalesce(s.outcome, 'published') = 'published'
    ) THEN
        FOR who IN
            SELECT a.subject, max(a.version) AS version, max(a.at) AS at, min(a.at) AS first FROM troth.agreement AS a
            WHERE a.subject > telling.after AND a.ended_at IS NULL GROUP BY a.subject ORDER BY a.subject LIMIT many
        LOOP
            looked := looked + 1;
            telling.after := who.subject;
            IF telling.withdraws IS NOT NULL THEN
                IF who.version < telling.version AND who.subject <= before.after AND who.first <= coalesce(before.done_at, telling.at) THEN
                    facts := jsonb_build_object('version', telling.version, 'batch', telling.telling);
                    SELECT n.notice INTO unsent FROM troth.notice AS n
                    WHERE n.subject = who.subject AND n.batch = before.telling AND n.channel = 'letter' AND n.tries = 0 FOR UPDATE;
                    IF FOUND THEN
                        PERFORM troth.settle_notice(who.subject, unsent, 'withdrawn', NULL);
                    ELSIF telling.channel = 'letter' THEN
                        PERFORM troth.owe_letter(who.subject, facts || '{"withdrawn": true}');
                        telling.told := telling.told + 1;
                    ELSE
                        PERFORM troth.write_to(who.subject, 'withdrawn', facts);
                        telling.told := telling.told + 1;
                    END IF;
                END IF;
            ELSIF who.version < telling.version AND who.at >= telling.since THEN
                facts := jsonb_build_object('version', telling.version, 'before', who.version, 'batch', telling.telling);
                IF telling.channel = 'letter' THEN
                    PERFORM troth.owe_letter(who.subject, facts);
                ELSE
                    PERFORM troth.write_to(who.subject, 'version', facts);
                END IF;
                telling.told := telling.told + 1;
            END IF;
        END LOOP;
    END IF;
    UPDATE troth.policy_telling AS t SET after = telling.after, told = telling.told,
        done_at = CASE WHEN looked < many THEN statement_timestamp() END
    WHERE t.telling = telling.telling;
    RETURN looked;
END
$$;

-- name: owe_letter
-- Note that somebody is owed a letter, in the language of their agreement. No address stands beside it: whoever sends it reads that then.
CREATE OR REPLACE FUNCTION troth.owe_letter(whose uuid, with_facts jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    SELECT troth.post(whose, '', 'letter', with_facts || jsonb_build_object('channel', 'letter', 'language', coalesce((
        SELECT given.language FROM troth.agreement AS given
        WHERE given.subject = whose AND given.ended_at IS NULL ORDER BY given.at DESC LIMIT 1
    ), 'en')))
$$;

-- name: list_letters
-- Whoever publishes takes a list of letters that are owed and not sent, the first so many; that they read who is on it is written
-- down for each. Told again after some were sent, it goes on behind them. Nobody is on it who has agreed since, nor anybody of a version
-- that was withdrawn since; what the former were owed, and was on no list, goes. Raises TR040, TR065.
CREATE OR REPLACE FUNCTION troth.list_letters(of_telling uuid, many integer)
RETURNS TABLE (letter uuid, subject uuid, before integer, language text, withdrawn boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.staff_viewer('{publisher,owner}'); each record; listed integer := 0;
BEGIN
    FOR each IN
        SELECT n.subject AS whose, n.notice, n.facts, n.tries, EXISTS (
            SELECT FROM troth.agreement AS a WHERE a.subject = n.subject AND a.version >= t.version AND a.ended_at IS NULL
        ) AS agreed
        FROM troth.notice AS n JOIN troth.policy_telling AS t ON t.telling = n.batch
        WHERE n.batch = of_telling AND n.channel = 'letter' AND (t.scheduled IS NULL OR EXISTS (
            SELECT FROM troth.policy_scheduled AS s WHERE s.scheduled = t.scheduled AND coalesce(s.outcome, 'published') = 'published'
        ))
        ORDER BY n.notice FOR UPDATE OF n SKIP LOCKED
    LOOP
        EXIT WHEN listed >= many;
        IF each.agreed THEN
            IF each.tries = 0 THEN
                PERFORM troth.settle_notice(each.whose, each.notice, 'withdrawn', NULL);
            END IF;
            CONTINUE;
        END IF;
        listed := listed + 1;
        UPDATE troth.notice AS n SET tries = least(n.tries + 1, 32000) WHERE n.subject = each.whose AND n.notice = each.notice;
        PERFORM troth.record('letter-listed', who, each.whose, jsonb_build_object('version', each.facts -> 'version'));
        letter := each.notice;
        subject := each.whose;
        before := (each.facts ->> 'before')::integer;
        language := each.facts ->> 'language';
        withdrawn := each.facts ? 'withdrawn';
        RETURN NEXT;
    END LOOP;
END
$$;

-- name: settle_letters
-- Whoever publishes says of letters that were on a list, of these or of all, that they were sent or cannot be (failed); returns of how
-- many that is said now. Raises TR040, TR065, and 22023 when it is neither.
CREATE OR REPLACE FUNCTION troth.settle_letters(of_telling uuid, letters uuid [], how text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.staff_viewer('{publisher,owner}'); each record; many bigint := 0;
BEGIN
    IF coalesce(how NOT IN ('sent', 'failed'), true) THEN
        RAISE EXCEPTION 'a letter was sent, or cannot be' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR each IN
        SELECT n.subject, n.notice FROM troth.notice AS n
        WHERE n.batch = of_telling AND n.channel = 'letter' AND n.tries > 0 AND (letters IS NULL OR n.notice = ANY (letters))
        ORDER BY n.notice FOR UPDATE
    LOOP
        PERFORM troth.settle_notice(each.subject, each.notice, how, NULL);
        many := many + 1;
    END LOOP;
    IF many > 0 THEN
        PERFORM troth.record('letters-settled', who, NULL, jsonb_build_object('letters', many, 'outcome', how));
    END IF;
    RETURN many;
END
$$;

-- name: agree_ahead
-- The viewer agrees to the version that waits for its day. Raises TR003 without a viewer, TR002 when it is another one.
CREATE OR REPLACE FUNCTION troth.agree_ahead(to_version integer, to_policy text, to_terms text, words text, spoken text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.viewer();
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    PERFORM 1 FROM troth.policy_scheduled AS coming
    WHERE coming.version = to_version AND coming.digest = to_policy AND coming.terms_digest = to_terms AND coming.closed_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'version % is not what comes next', to_version USING ERRCODE = 'TR002';
    END IF;
    DELETE FROM troth.agreement_ahead WHERE subject = whose;
    INSERT INTO troth.agreement_ahead (subject, version, policy_digest, terms_digest, wording, language)
    VALUES (whose, to_version, to_policy, to_terms, words, spoken);
    PERFORM troth.record('agreed-ahead', whose, whose, jsonb_build_object('version', to_version, 'policy', to_policy, 'terms', to_terms));
END
$$;

-- name: forget_ahead
-- Take back what somebody agreed to ahead; nothing was bound by it yet.
CREATE OR REPLACE FUNCTION troth.forget_ahead(whose uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE which integer;
BEGIN
    DELETE FROM troth.agreement_ahead WHERE subject = whose RETURNING version INTO which;
    IF FOUND THEN
        PERFORM troth.record('unagreed-ahead', whose, whose, jsonb_build_object('version', which));
    END IF;
END
$$;

-- name: unagree_ahead
-- The viewer takes that back; nothing was bound by it yet.
CREATE OR REPLACE FUNCTION troth.unagree_ahead() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM troth.forget_ahead(troth.viewer());
END
$$;

-- name: bind_one
-- Bind a subject to what they agreed to ahead, where that is in force by now; tell whether it did. Nobody is bound to other words than
-- they read, nor again to what they agreed to on its page meanwhile.
CREATE OR REPLACE FUNCTION troth.bind_one(whose uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE ahead troth.agreement_ahead;
BEGIN
    PERFORM 1 FROM troth.permitted WHERE subject = whose FOR UPDATE;
    DELETE FROM troth.agreement_ahead AS a
    WHERE a.subject = whose
      AND EXISTS (SELECT FROM troth.subject AS s WHERE s.subject = whose AND s.ended_at IS NULL)
      AND EXISTS (
        SELECT FROM troth.policy_version AS v
        WHERE v.version = a.version AND v.digest = a.policy_digest AND v.terms_digest = a.terms_digest
      )
    RETURNING * INTO ahead;
    IF NOT FOUND OR EXISTS (
        SELECT FROM troth.agreement AS given WHERE given.subject = whose AND given.version >= ahead.version AND given.ended_at IS NULL
    ) THEN
        RETURN false;
    END IF;
    INSERT INTO troth.agreement (subject, version, policy_digest, terms_digest, how, wording, language)
    VALUES (whose, ahead.version, ahead.policy_digest, ahead.terms_digest, 'page, ahead of its day', ahead.wording, ahead.language);
    PERFORM troth.fold(whose);
    UPDATE troth.request_token SET version = greatest(version, ahead.version) WHERE subject = whose;
    PERFORM troth.record('agreed', whose, whose, jsonb_build_object(
        'version', ahead.version, 'policy', ahead.policy_digest, 'terms', ahead.terms_digest
    ));
    RETURN true;
END
$$;

-- name: bind_ahead
-- Bind some of those who agreed ahead, now that their version is in force, and return how many; forget what was withdrawn.
CREATE OR REPLACE FUNCTION troth.bind_ahead(many integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid; bound bigint := 0;
BEGIN
    DELETE FROM troth.agreement_ahead AS gone
    WHERE NOT EXISTS (SELECT FROM troth.policy_scheduled AS s WHERE s.closed_at IS NULL AND s.digest = gone.policy_digest AND s.terms_digest = gone.terms_digest)
      AND NOT EXISTS (SELECT FROM troth.policy_version AS v WHERE v.version = gone.version AND v.digest = gone.policy_digest AND v.terms_digest = gone.terms_digest);
    FOR who IN
        SELECT a.subject FROM troth.agreement_ahead AS a JOIN troth.policy_version AS v ON v.version = a.version
        JOIN troth.subject AS s ON s.subject = a.subject
        WHERE s.ended_at IS NULL ORDER BY uuid_hash(a.subject) & 1023 LIMIT many
    LOOP
        IF troth.bind_one(who) THEN
            bound := bound + 1;
        END IF;
    END LOOP;
    RETURN bound;
END
$$;
