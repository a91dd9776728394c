-- name: in_units
-- The bits of the live units that a subject is in: what agreements, consents, objections and the account's end fold into.
CREATE OR REPLACE FUNCTION troth.in_units(whose uuid) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(bit_or(1::bigint << unit.bit), 0)
    FROM troth.unit AS unit
    LEFT JOIN LATERAL (
        SELECT choice.kind, choice.version FROM troth.choice AS choice
        WHERE choice.subject = whose AND choice.purpose = unit.purpose
        ORDER BY choice.at DESC, choice.choice DESC LIMIT 1
    ) AS last ON true
    WHERE unit.retired_at IS NULL
      AND CASE
          WHEN whose = '00000000-0000-0000-0000-000000000000' THEN unit.visits
          WHEN NOT EXISTS (
              SELECT 1 FROM troth.agreement AS agreement
              WHERE agreement.subject = whose AND agreement.version >= unit.since_version
          ) THEN false
          WHEN unit.basis IN ('agreement', 'legal duty') THEN true
          WHEN unit.basis = 'legitimate interest' THEN last.kind IS DISTINCT FROM 'objection'
          ELSE coalesce(last.kind = 'consent' AND last.version >= unit.since_version, false)
              AND NOT EXISTS (SELECT 1 FROM troth.subject AS s WHERE s.subject = whose AND s.ended_at IS NOT NULL)
      END
$$;

-- name: fold
-- Bring a subject's stamps and `permitted` in line. The rows are restamped before the bucket is taken, so that
-- it is held only for the flip and the stragglers; folds of one subject queue at its row of `permitted`.
-- An account that has ended gets into nothing more, and its consents end: agreements and objections may be gone with
-- it by now, so that what it was in is not asked of them again. Nor is to which version they agreed last, which binds what is left.
CREATE OR REPLACE FUNCTION troth.fold(whose uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE wanted bigint;
BEGIN
    INSERT INTO troth.permitted (subject, uses) VALUES (whose, 0) ON CONFLICT DO NOTHING;
    PERFORM 1 FROM troth.permitted WHERE subject = whose FOR UPDATE;
    wanted := CASE WHEN EXISTS (SELECT 1 FROM troth.subject AS s WHERE s.subject = whose AND s.ended_at IS NOT NULL) THEN (
        SELECT p.uses & (
            SELECT coalesce(bit_or(1::bigint << u.bit), 0) FROM troth.unit AS u
            WHERE u.retired_at IS NULL AND u.basis <> 'consent'
        ) FROM troth.permitted AS p WHERE p.subject = whose
    ) ELSE troth.in_units(whose) END;
    PERFORM troth.restamp(whose, wanted);
    PERFORM pg_advisory_xact_lock(7276, uuid_hash(whose) & 1023);
    UPDATE troth.permitted SET uses = wanted, agreed = greatest(agreed, (
        SELECT max(a.version) FROM troth.agreement AS a WHERE a.subject = whose
    )), consents = ARRAY(
        SELECT last.purpose FROM (
            SELECT DISTINCT ON (c.purpose) c.purpose, c.kind FROM troth.choice AS c WHERE c.subject = whose
            ORDER BY c.purpose, c.at DESC, c.choice DESC
        ) AS last WHERE last.kind = 'consent'
    ) WHERE subject = whose;
    PERFORM troth.restamp(whose, wanted);
    RETURN wanted;
END
$$;

-- name: fold_late
-- Fold some of those who have agreed to what a unit asks and are not in it, and return how many. An audience that an earlier troth
-- did not stamp rows for opens under a version that people have agreed to already: nothing else would bring them in.
CREATE OR REPLACE FUNCTION troth.fold_late() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid; many bigint := 0;
BEGIN
    FOR whose IN
        SELECT p.subject FROM troth.permitted AS p JOIN troth.subject AS s ON s.subject = p.subject
        WHERE s.ended_at IS NULL AND EXISTS (
            SELECT FROM troth.agreement AS a JOIN troth.unit AS u ON a.version >= u.since_version
            WHERE a.subject = p.subject AND u.basis = 'agreement' AND u.retired_at IS NULL AND (p.uses >> u.bit) & 1 = 0
        ) ORDER BY uuid_hash(p.subject) & 1023 LIMIT 100 FOR UPDATE OF p SKIP LOCKED
    LOOP
        PERFORM troth.fold(whose);
        many := many + 1;
    END LOOP;
    RETURN many;
END
$$;

-- name: claim
-- Take a new person's bucket before any row of theirs, since an insert's shared lock cannot be raised safely later.
CREATE OR REPLACE FUNCTION troth.claim(whose uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    SELECT pg_advisory_xact_lock(7276, uuid_hash(whose) & 1023)
$$;

-- name: standing
-- Whether a subject has agreed to what is needed now, what their rows may be used for, the version they agreed to (or 0).
CREATE OR REPLACE FUNCTION troth.standing(whose uuid, OUT agreed boolean, OUT uses bigint, OUT version integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(max(a.version), 0) >= (SELECT coalesce(max(p.version), 1) FROM troth.policy_version AS p WHERE p.floor),
           coalesce((SELECT p.uses FROM troth.permitted AS p WHERE p.subject = whose), 0),
           coalesce(max(a.version), 0)
    FROM troth.agreement AS a WHERE a.subject = whose AND a.ended_at IS NULL
$$;

-- name: standing_of
-- The same for the holder of a viewer's token: no row when the token is unknown or has ended.
CREATE OR REPLACE FUNCTION troth.standing_of(token text)
RETURNS TABLE (subject uuid, agreed boolean, uses bigint, version integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT held.subject, standing.agreed, standing.uses, standing.version
    FROM troth.request_token AS held CROSS JOIN LATERAL troth.standing(held.subject) AS standing
    WHERE held.hash = sha256(convert_to(token, 'UTF8')) AND held.expires_at > statement_timestamp()
$$;

-- name: agree
-- Bind a subject to the newest policy version; who is bound to it already stays bound as they were, so that an agreement that comes
-- twice is one. Raises TR002 when version or digests are not the newest's,
-- TR006 when the account has ended.
CREATE OR REPLACE FUNCTION troth.agree(
    whose uuid, to_version integer, to_policy text, to_terms text, through text, words text, spoken text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM 1 FROM troth.policy_version AS newest
    WHERE newest.version = to_version AND newest.digest = to_policy AND newest.terms_digest = to_terms
      AND newest.version = (SELECT max(version) FROM troth.policy_version);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'version % is not the policy in force', to_version USING ERRCODE = 'TR002';
    END IF;
    INSERT INTO troth.permitted (subject, uses) VALUES (whose, 0) ON CONFLICT DO NOTHING;
    PERFORM 1 FROM troth.permitted WHERE subject = whose FOR UPDATE;
    IF EXISTS (SELECT 1 FROM troth.subject WHERE subject = whose AND ended_at IS NOT NULL) THEN
        RAISE EXCEPTION 'there is no such open account' USING ERRCODE = 'TR006';
    END IF;
    IF EXISTS (
        SELECT FROM troth.agreement AS given WHERE given.subject = whose AND given.version = to_version AND given.ended_at IS NULL
    ) THEN
        UPDATE troth.request_token SET version = to_version WHERE subject = whose;
        RETURN;
    END IF;
    INSERT INTO troth.agreement (subject, version, policy_digest, terms_digest, how, wording, language)
    VALUES (whose, to_version, to_policy, to_terms, through, words, spoken);
    PERFORM troth.fold(whose);
    UPDATE troth.request_token SET version = to_version WHERE subject = whose;
    PERFORM troth.record('agreed', whose, whose, jsonb_build_object('version', to_version, 'policy', to_policy, 'terms', to_terms));
END
$$;

-- name: holder
-- Whose token this is, whatever they have agreed to: a no, and a copy of one's own, need no agreement.
CREATE OR REPLACE FUNCTION troth.holder() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT held.subject FROM troth.request_token AS held
    WHERE held.hash = sha256(convert_to(current_setting('troth.token', true), 'UTF8')) AND held.expires_at > statement_timestamp()
$$;

-- name: note_export
-- The holder of a token takes a copy of what they are shown of their own. Raises TR003 without one.
CREATE OR REPLACE FUNCTION troth.note_export(how_many integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.holder();
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    PERFORM troth.append('exported-by-person', whose, whose, jsonb_build_object('rows', how_many));
END
$$;

-- name: choose
-- The viewer consents, says no, withdraws, objects or lifts an objection; it bites at the next statement of every role.
-- `seen` is the last choice about the purpose that the viewer knew of, the nil UUID for none: what was meant for another standing, and
-- comes late or twice, changes nothing. Without it the choice is made on whatever stands. A no takes also whoever has not agreed to
-- what is needed now.
-- Raises TR003 without a viewer, TR004 for an unknown purpose, TR005 when the purpose's basis knows no such choice, TR079 when another
-- choice was made meanwhile.
CREATE OR REPLACE FUNCTION troth.choose(about text, what text, seen uuid DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE says_no boolean := what IN ('withdrawal', 'refusal', 'objection');
DECLARE whose uuid := CASE WHEN says_no THEN troth.holder() ELSE troth.viewer() END;
DECLARE footing text;
DECLARE newest troth.choice;
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    SELECT basis INTO footing FROM troth.unit WHERE purpose = about AND retired_at IS NULL;
    IF footing IS NULL THEN
        RAISE EXCEPTION 'no such purpose' USING ERRCODE = 'TR004';
    END IF;
    IF (footing, what) NOT IN (('consent', 'consent'), ('consent', 'withdrawal'), ('consent', 'refusal'),
        ('legitimate interest', 'objection'), ('legitimate interest', 'permission'))
    THEN
        RAISE EXCEPTION 'the basis of this purpose knows no such choice' USING ERRCODE = 'TR005';
    END IF;
    PERFORM 1 FROM troth.permitted WHERE subject = whose FOR UPDATE;
    -- The account may have ended, or the token been closed, while this waited.
    IF (CASE WHEN says_no THEN troth.holder() ELSE troth.viewer() END) IS DISTINCT FROM whose THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    IF seen IS NOT NULL THEN
        SELECT * INTO newest FROM troth.choice AS c WHERE c.subject = whose AND c.purpose = about ORDER BY c.at DESC, c.choice DESC LIMIT 1;
        IF seen <> coalesce(newest.choice, '00000000-0000-0000-0000-000000000000') THEN
            IF newest.kind = what THEN
                RETURN;
            END IF;
            RAISE EXCEPTION 'another choice was made meanwhile' USING ERRCODE = 'TR079';
        END IF;
    END IF;
    PERFORM troth.put_choice(whose, about, what);
END
$$;

-- name: last_choices
-- The viewer's last choice about each purpose: what the next one answers to.
CREATE OR REPLACE FUNCTION troth.last_choices() RETURNS TABLE (purpose text, choice uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT DISTINCT ON (c.purpose) c.purpose, c.choice FROM troth.choice AS c
    WHERE c.subject = troth.viewer() ORDER BY c.purpose, c.at DESC, c.choice DESC
$$;

-- name: next_moment
-- When somebody chooses about a purpose: now, and after what they chose before also where the clock was set back since. The last counts.
CREATE OR REPLACE FUNCTION troth.next_moment(whose uuid, about text) RETURNS timestamptz
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    SELECT greatest(clock_timestamp(), max(c.at) + interval '1 microsecond') FROM troth.choice AS c
    WHERE c.subject = whose AND c.purpose = about
$$;

-- name: put_choice
-- A choice of somebody whose row of `permitted` the caller holds: written down, folded, recorded.
CREATE OR REPLACE FUNCTION troth.put_choice(whose uuid, about text, what text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    INSERT INTO troth.choice (subject, purpose, kind, version, at)
    SELECT whose, about, what, max(version), troth.next_moment(whose, about) FROM troth.policy_version;
    UPDATE troth.agreed_permission SET over_at = clock_timestamp(), over_by = 'person'
    WHERE subject = whose AND purpose = about AND answer = 'accepted' AND over_at IS NULL AND what IN ('withdrawal', 'refusal');
    PERFORM troth.fold(whose);
    PERFORM troth.append(what, whose, whose, jsonb_build_object('purpose', about));
END
$$;

-- name: end_subject
-- End an account: what no purpose keeps goes now, what one keeps is marked with its end, and `sweep` takes it later.
CREATE OR REPLACE FUNCTION troth.end_subject(whose uuid, why text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM 1 FROM troth.permitted WHERE subject = whose FOR UPDATE;
    UPDATE troth.subject SET ended_at = statement_timestamp() WHERE subject = whose AND ended_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such open account' USING ERRCODE = 'TR006';
    END IF;
    PERFORM troth.leave_organizations(whose);
    DELETE FROM troth.tied AS t WHERE t.identifier = whose;
    -- What they tied to their account goes the same way; who they were, nothing of it says. Buckets are taken in the order in which
    -- inserts take them.
    PERFORM 1 FROM troth.permitted WHERE subject IN (SELECT t.identifier FROM troth.tied AS t WHERE t.subject = whose) FOR UPDATE;
    PERFORM pg_advisory_xact_lock(7276, bucket) FROM (
        SELECT DISTINCT uuid_hash(one) & 1023 AS bucket FROM troth.tied AS t CROSS JOIN LATERAL unnest(ARRAY[whose, t.identifier]) AS one
        WHERE t.subject = whose ORDER BY 1
    ) AS taken;
    PERFORM troth.end_subject(t.identifier, why) FROM troth.tied AS t WHERE t.subject = whose;
    PERFORM troth.end_rows(whose);
    DELETE FROM troth.request_token WHERE subject = whose;
    PERFORM troth.fold(whose);
    -- Whoever closes an account on the pages is its person; otherwise it is nobody who has a subject.
    PERFORM troth.append(CASE WHEN whose < 'ffffffff-ffff-8000-8000-000000000000' THEN 'account-closed' ELSE 'identifier-ended' END,
        CASE WHEN session_user = current_database() || '_door' THEN whose END, whose, jsonb_build_object('reason', why));
END
$$;

-- name: forget_unagreed
-- Remove, entirely, somebody who never agreed. Raises TR007 when they have.
CREATE OR REPLACE FUNCTION troth.forget_unagreed(whose uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    -- An agreement under way holds its subject: wait for it, and find it.
    PERFORM 1 FROM troth.subject WHERE subject = whose FOR UPDATE;
    IF EXISTS (SELECT 1 FROM troth.agreement WHERE subject = whose) THEN
        RAISE EXCEPTION 'there is an agreement: close the account instead' USING ERRCODE = 'TR007';
    END IF;
    PERFORM troth.remove_subject(whose);
    PERFORM troth.record('declined', NULL, NULL, '{}');
END
$$;
