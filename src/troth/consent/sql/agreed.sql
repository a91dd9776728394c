-- name: may_propose
-- Whether the viewer asks people for permissions in the operator's name: owners do, who showed a second factor.
CREATE OR REPLACE FUNCTION troth.may_propose(whose uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT 'owner' = ANY (troth.staff_roles(whose)) AND troth.secured()
$$;

-- name: propose_permission
-- The operator proposes something to whoever has proven an address: a purpose that needs consent, or categories that one of
-- the operator's people, who proposes, may see. To an address that nobody here has, the answer is the same, and no mail leaves.
-- Raises TR003, TR074 for anybody else, TR075 for what the policy permits nobody.
CREATE OR REPLACE FUNCTION troth.propose_permission(
    towards text, for_purpose text, what text [], why text, by_terms text, lasting integer, ending text, notice_days integer,
    in_words jsonb, mail jsonb
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_viewer(); whom uuid; made uuid;
BEGIN
    IF NOT troth.may_propose(whose) THEN
        RAISE EXCEPTION 'only the operator proposes' USING ERRCODE = 'TR074';
    END IF;
    IF NOT (CASE WHEN for_purpose IS NULL THEN what <@ ARRAY(SELECT category FROM troth.sights() WHERE via = 'chosen') ELSE EXISTS (
        SELECT FROM troth.unit WHERE purpose = for_purpose AND basis = 'consent' AND retired_at IS NULL
    ) END) THEN
        RAISE EXCEPTION 'the policy permits nobody that' USING ERRCODE = 'TR075';
    END IF;
    SELECT account.subject INTO whom FROM troth.people_account AS account
    WHERE account.subject <> whose AND account.is_active AND troth.has_proven(account.subject, towards);
    INSERT INTO troth.agreed_permission
        (subject, address, receiver, purpose, categories, reason, terms, days, ends, notice, wordings, version)
    SELECT coalesce(whom, '00000000-0000-0000-0000-000000000000'), towards, CASE WHEN for_purpose IS NULL THEN whose END,
        for_purpose, what, why, by_terms, lasting, ending, notice_days, in_words, max(version)
    FROM troth.policy_version RETURNING agreed INTO made;
    IF whom IS NOT NULL THEN
        PERFORM troth.post(whom, towards, 'mail', mail);
    END IF;
    PERFORM troth.append('permission-proposed', whose, whom, '{}');
    RETURN made;
END
$$;

-- name: propose_in_organization
-- Somebody who administers an organization asks a member to let them see categories of theirs, which the policy must show to
-- chosen people: as one whom the member chose, and in no other way, an administrator sees more than others of them do.
-- Raises TR003, TR077 for anybody else, TR075 for what the policy permits nobody, TR078 for a second in a day or the 21st.
CREATE OR REPLACE FUNCTION troth.propose_in_organization(
    org uuid, whom uuid, what text [], why text, by_terms text, lasting integer, ending text, notice_days integer, in_words jsonb, mail jsonb
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_viewer(); made uuid;
BEGIN
    IF whom = whose OR NOT troth.in_office(org, whose, whom) THEN
        RAISE EXCEPTION 'who administers an organization proposes to its members' USING ERRCODE = 'TR077';
    END IF;
    IF NOT what <@ ARRAY(SELECT category FROM troth.sights() WHERE via = 'chosen') THEN
        RAISE EXCEPTION 'the policy permits nobody that' USING ERRCODE = 'TR075';
    END IF;
    IF EXISTS (
        SELECT FROM troth.agreed_permission AS asked
        WHERE asked.subject = whom AND asked.organization = org AND asked.at > clock_timestamp() - interval '1 day'
    ) OR (
        SELECT count(*) FROM troth.agreed_permission AS asked
        WHERE asked.receiver = whose AND asked.organization = org AND asked.at > clock_timestamp() - interval '1 day'
    ) >= 20 THEN
        RAISE EXCEPTION 'that is enough for one day' USING ERRCODE = 'TR078';
    END IF;
    INSERT INTO troth.agreed_permission
        (subject, organization, address, receiver, categories, reason, terms, days, ends, notice, wordings, version)
    SELECT whom, org, '', whose, what, why, by_terms, lasting, ending, notice_days, in_words, max(version)
    FROM troth.policy_version RETURNING agreed INTO made;
    PERFORM troth.write_in_words(whom, mail);
    PERFORM troth.append('permission-proposed', whose, whom, '{}');
    RETURN made;
END
$$;

-- name: answer_permission
-- The viewer accepts or declines what was proposed to them, in the words that they were shown: by language and by digest.
-- Raises TR003, TR076 for another's, an answered or an old proposal, other words, or a policy that has changed since.
CREATE OR REPLACE FUNCTION troth.answer_permission(which uuid, accepts boolean, spoken text, digest text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_viewer(); given troth.agreed_permission; made uuid;
BEGIN
    UPDATE troth.agreed_permission SET
        answer = CASE WHEN accepts THEN 'accepted' ELSE 'declined' END, answered_at = clock_timestamp(), language = spoken,
        until = CASE WHEN accepts THEN clock_timestamp() + make_interval(days => days) END
    WHERE agreed = which AND subject = whose AND answer IS NULL AND at > clock_timestamp() - interval '14 days'
      AND version = (SELECT max(newest.version) FROM troth.policy_version AS newest)
      AND encode(sha256(convert_to(wordings ->> spoken, 'UTF8')), 'hex') = digest
      AND (organization IS NULL OR troth.in_office(organization, receiver, whose))
    RETURNING * INTO given;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this is not what was proposed to you' USING ERRCODE = 'TR076';
    END IF;
    IF given.answer = 'accepted' AND given.purpose IS NULL THEN
        INSERT INTO troth.person_grant
            (subject, receiver, organization, categories, reason, agreed, version, accepted_at, since, until)
        VALUES (
            whose, given.receiver, given.organization, given.categories, given.reason, which, given.version, given.answered_at,
            given.answered_at, given.until
        );
    ELSIF given.answer = 'accepted' AND NOT EXISTS (
        SELECT FROM troth.unit AS unit WHERE unit.purpose = given.purpose AND unit.retired_at IS NULL
            AND (troth.in_units(whose) >> unit.bit) & 1 = 1
    ) THEN
        INSERT INTO troth.choice (subject, purpose, kind, version, at)
        VALUES (whose, given.purpose, 'consent', given.version, troth.next_moment(whose, given.purpose)) RETURNING choice INTO made;
        UPDATE troth.agreed_permission SET choice = made WHERE subject = whose AND agreed = which;
        PERFORM troth.fold(whose);
    END IF;
    PERFORM troth.append(
        CASE WHEN accepts THEN 'permission-agreed' ELSE 'permission-refused' END, whose, whose,
        jsonb_build_object('version', given.version, 'wording', digest)
    );
END
$$;

-- name: end_agreed
-- The person, or who proposed it, the operator or an administrator, ends what was agreed: at once, or after its notice. Nobody needs
-- to have agreed to what is needed now, but who proposed it for the operator. Raises TR003, TR072.
CREATE OR REPLACE FUNCTION troth.end_agreed(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_holder(); given troth.agreed_permission;
BEGIN
    UPDATE troth.agreed_permission SET
        over_at = least(until, clock_timestamp() + make_interval(days => notice)),
        over_by = CASE WHEN subject = whose THEN 'person' ELSE 'operator' END
    WHERE agreed = which
      AND (subject = whose OR CASE WHEN organization IS NULL THEN troth.may_propose(whose) ELSE receiver = whose END)
      AND answer = 'accepted' AND over_at IS NULL AND until > clock_timestamp() AND ends <> 'at its end'
    RETURNING * INTO given;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such permission to be ended' USING ERRCODE = 'TR072';
    END IF;
    UPDATE troth.person_grant SET over_at = given.over_at, over_by = 'agreement' WHERE subject = given.subject AND agreed = which;
    PERFORM troth.undo_agreed(given.subject, given.purpose, given.choice);
    PERFORM troth.append('permission-ended', whose, given.subject, '{}');
END
$$;

-- name: undo_agreed
-- Take back the yes that came of an agreement which is over, unless the person has chosen since.
CREATE OR REPLACE FUNCTION troth.undo_agreed(whose uuid, about text, made uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF made = (
        SELECT last.choice FROM troth.choice AS last WHERE last.subject = whose AND last.purpose = about
        ORDER BY last.at DESC, last.choice DESC LIMIT 1
    ) THEN
        INSERT INTO troth.choice (subject, purpose, kind, version, at)
        SELECT whose, about, 'withdrawal', max(version), troth.next_moment(whose, about) FROM troth.policy_version;
        PERFORM troth.fold(whose);
    END IF;
END
$$;

-- name: lapse_permissions
-- End what is past its time, and forget what nobody answered for 14 days: silence is no. Buckets are taken in the order in
-- which inserts take them.
CREATE OR REPLACE FUNCTION troth.lapse_permissions() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE given troth.agreed_permission; lapsed bigint := 0;
BEGIN
    DELETE FROM troth.person_grant WHERE link IS NOT NULL AND at < clock_timestamp() - interval '14 days';
    DELETE FROM troth.agreed_permission WHERE answer IS NULL AND at < clock_timestamp() - interval '14 days';
    WITH due AS MATERIALIZED (
        SELECT subject, agreed FROM troth.agreed_permission
        WHERE organization IS NOT NULL AND answer = 'accepted' AND over_at IS NULL AND until > clock_timestamp()
          AND NOT troth.in_office(organization, receiver, subject) FOR UPDATE SKIP LOCKED
    ), done AS (
        UPDATE troth.agreed_permission AS held SET over_at = clock_timestamp(), over_by = 'operator' FROM due
        WHERE held.subject = due.subject AND held.agreed = due.agreed RETURNING held.subject, held.agreed
    )
    UPDATE troth.person_grant AS ending SET over_at = clock_timestamp(), over_by = 'agreement' FROM done
    WHERE ending.subject = done.subject AND ending.agreed = done.agreed AND ending.over_at IS NULL;
    FOR given IN
        SELECT due.* FROM troth.agreed_permission AS due JOIN troth.permitted AS held ON held.subject = due.subject
        WHERE due.until <= clock_timestamp() AND due.over_at IS NULL
        ORDER BY uuid_hash(due.subject) & 1023 FOR UPDATE OF held SKIP LOCKED
    LOOP
        UPDATE troth.agreed_permission SET over_at = until, over_by = 'time'
        WHERE subject = given.subject AND agreed = given.agreed AND over_at IS NULL;
        PERFORM troth.undo_agreed(given.subject, given.purpose, given.choice);
        lapsed := lapsed + 1;
    END LOOP;
    RETURN lapsed;
END
$$;

-- name: proposed_permissions
-- What the operator proposed, and what became of it; no row to anybody else. Whether an address is anybody's shows only once
-- its person has answered.
CREATE OR REPLACE FUNCTION troth.proposed_permissions() RETURNS TABLE (
    agreed uuid, address text, purpose text, categories text [], reason text, terms text, days integer, ends text, notice integer,
    version integer, at timestamptz, answer text, answered_at timestamptz, language text, wording text, until timestamptz,
    over_at timestamptz, over_by text
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT told.agreed, told.address, told.purpose, told.categories, told.reason, told.terms, told.days, told.ends, told.notice,
        told.version, told.at, told.answer, told.answered_at, told.language, told.wordings ->> told.language, told.until,
        told.over_at, told.over_by
    FROM troth.agreed_permission AS told WHERE told.organization IS NULL AND troth.may_propose(troth.viewer())
$$;

-- name: proposed_to_member
-- What the viewer proposed to a member of an organization, and what became of it.
CREATE OR REPLACE FUNCTION troth.proposed_to_member(org uuid, whom uuid) RETURNS TABLE (
    agreed uuid, categories text [], reason text, terms text, days integer, ends text, notice integer, version integer,
    at timestamptz, answer text, answered_at timestamptz, language text, wording text, until timestamptz, over_at timestamptz,
    over_by text
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT told.agreed, told.categories, told.reason, told.terms, told.days, told.ends, told.notice, told.version, told.at,
        told.answer, told.answered_at, told.language, told.wordings ->> told.language, told.until, told.over_at, told.over_by
    FROM troth.agreed_permission AS told
    WHERE told.subject = whom AND told.organization = org AND told.receiver = troth.viewer()
      AND troth.in_office(org, told.receiver, told.subject)
$$;

-- name: write_in_words
-- Write to somebody, at the address that they use, in the language in which they agreed; `mail` holds it by language.
CREATE OR REPLACE FUNCTION troth.write_in_words(whose uuid, mail jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    SELECT troth.post(whose, held.email, 'mail', coalesce(mail -> (
        SELECT given.language FROM troth.agreement AS given
        WHERE given.subject = whose AND given.ended_at IS NULL ORDER BY given.at DESC LIMIT 1
    ), mail -> 'en'))
    FROM troth.people_account AS account JOIN troth.account_emailaddress AS held ON held.user_id = account.id
    WHERE account.subject = whose AND account.is_active AND held.verified ORDER BY held."primary" DESC LIMIT 1
$$;
