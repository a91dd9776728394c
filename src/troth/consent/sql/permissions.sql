-- name: held_holder
-- The holder of a token, whatever they have agreed to, whose account cannot end until this transaction does: what ends needs no
-- agreement. Raises TR003 without one: a browser that is known has no account.
CREATE OR REPLACE FUNCTION troth.held_holder() RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.holder();
BEGIN
    PERFORM 1 FROM troth.permitted WHERE subject = whose FOR UPDATE;
    IF whose IS NULL OR whose >= 'ffffffff-ffff-8000-8000-000000000000' OR troth.holder() IS DISTINCT FROM whose THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    RETURN whose;
END
$$;

-- name: held_viewer
-- The same of the viewer, who has agreed to what is needed now. Raises TR003.
CREATE OR REPLACE FUNCTION troth.held_viewer() RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_holder();
BEGIN
    IF troth.viewer() IS DISTINCT FROM whose THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    RETURN whose;
END
$$;

-- name: has_proven
-- Whether somebody has proven that an address is theirs.
CREATE OR REPLACE FUNCTION troth.has_proven(whose uuid, which text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (
        SELECT FROM troth.account_emailaddress AS held JOIN troth.people_account AS account ON account.id = held.user_id
        WHERE account.subject = whose AND held.verified AND lower(held.email) = lower(which)
    )
$$;

-- name: live_grants
-- What the viewer is granted now that names a category.
CREATE OR REPLACE FUNCTION troth.live_grants(what text) RETURNS SETOF troth.person_grant
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT given.* FROM troth.person_grant AS given
    WHERE given.receiver = troth.viewer() AND what = ANY (given.categories)
      AND given.since <= statement_timestamp() AND given.until > statement_timestamp()
      AND (given.over_at IS NULL OR given.over_at > statement_timestamp())
      AND (given.organization IS NULL OR troth.in_office(given.organization, given.receiver, given.subject))
$$;

-- name: use_grants
-- Note that the viewer asked just now for what they are granted, of one person or of all. It locks nothing that a giver needs:
-- whoever holds a transaction open keeps nobody from narrowing or ending.
CREATE OR REPLACE FUNCTION troth.use_grants(what text, whom uuid) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO troth.person_grant_use (subject, given, receiver, category)
    SELECT live.subject, live.given, live.receiver, what FROM troth.live_grants(what) AS live
    WHERE (whom IS NULL OR live.subject = whom) AND NOT EXISTS (
        SELECT FROM troth.person_grant_use AS late WHERE late.subject = live.subject AND late.given = live.given
            AND late.category = what AND late.at > clock_timestamp() - interval '1 second'
    )
$$;

-- name: account_uses
-- Move what was looked at into the grants and, once for each, into the ledger. Nothing here waits but for the ledger, at the end.
CREATE OR REPLACE FUNCTION troth.account_uses() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE told record; many bigint := 0;
BEGIN
    FOR told IN
        WITH due AS MATERIALIZED (
            SELECT late.subject, late.looked FROM troth.person_grant_use AS late
            JOIN troth.person_grant AS held ON held.subject = late.subject AND held.given = late.given
            FOR UPDATE OF late, held SKIP LOCKED
        ), done AS (
            DELETE FROM troth.person_grant_use AS late USING due
            WHERE late.subject = due.subject AND late.looked = due.looked
            RETURNING late.subject, late.given, late.receiver, late.at
        ), summed AS (
            SELECT done.subject, done.given, done.receiver, max(done.at) AS at, count(*) AS times FROM done GROUP BY 1, 2, 3
        ), noted AS (
            UPDATE troth.person_grant AS held SET used_at = summed.at FROM summed
            WHERE held.subject = summed.subject AND held.given = summed.given
        )
        SELECT summed.subject, summed.receiver, summed.times FROM summed
    LOOP
        PERFORM troth.append('permission-used', told.receiver, told.subject, jsonb_build_object('times', told.times));
        many := many + told.times;
    END LOOP;
    RETURN many;
END
$$;

-- name: granted
-- Whose rows of a category the viewer may see now: all of them, or with `records` those alone. Asking leaves its trace.
CREATE OR REPLACE FUNCTION troth.granted(what text) RETURNS TABLE (giver uuid, records text [])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM troth.use_grants(what, NULL);
    RETURN QUERY SELECT live.subject, CASE
        WHEN bool_and(live.records IS NOT NULL) THEN coalesce(array_agg(record) FILTER (WHERE record IS NOT NULL), '{}')
    END
    FROM troth.live_grants(what) AS live LEFT JOIN LATERAL unnest(live.records) AS record ON true GROUP BY live.subject;
END
$$;

-- name: may_see
-- Why the viewer may see a category of somebody now: the role as which it is read, the clause, and the grant where it takes
-- one. No row: they may not. Asking leaves its trace in the grant.
CREATE OR REPLACE FUNCTION troth.may_see(whom uuid, what text)
RETURNS TABLE (via text, clause text, given uuid, until timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM troth.use_grants(what, whom);
    RETURN QUERY SELECT sight.via, sight.clause, live.given, live.until FROM troth.sights() AS sight
    LEFT JOIN troth.live_grants(what) AS live ON sight.via = 'chosen' AND live.subject = whom
    WHERE sight.category = what AND CASE sight.via WHEN 'self' THEN whom = troth.viewer() ELSE live.given IS NOT NULL END;
END
$$;

-- name: offer_grant
-- The viewer offers to let somebody see categories of theirs, or records alone. Who it is for holds the link, and has proven
-- the address where one is named; the mail to it leaves whether or not anybody here has that address.
-- Raises TR003, TR070 for what the policy does not show to chosen people, TR071 for the 21st offer of a day.
CREATE OR REPLACE FUNCTION troth.offer_grant(
    what text [], which text [], why text, begins timestamptz, ends timestamptz, digest bytea, towards text, mail jsonb
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_viewer(); made uuid;
BEGIN
    IF NOT what <@ ARRAY(SELECT category FROM troth.sights() WHERE via = 'chosen') THEN
        RAISE EXCEPTION 'the policy shows nothing of that to chosen people' USING ERRCODE = 'TR070';
    END IF;
    IF (SELECT count(*) FROM troth.person_grant WHERE subject = whose AND at > clock_timestamp() - interval '1 day') >= 20 THEN
        RAISE EXCEPTION 'that is enough for one day' USING ERRCODE = 'TR071';
    END IF;
    INSERT INTO troth.person_grant (subject, address, link, categories, records, reason, version, since, until)
    VALUES (whose, towards, digest, what, which, why, (SELECT max(version) FROM troth.policy_version), begins, ends)
    RETURNING given INTO made;
    IF towards IS NOT NULL THEN
        PERFORM troth.post(whose, towards, 'mail', mail);
    END IF;
    PERFORM troth.append('permission-offered', whose, whose, jsonb_build_object('categories', cardinality(what)));
    RETURN made;
END
$$;

-- name: offered
-- What is offered behind a link, to a viewer who may answer it; no row to anybody else, nor to a browser that is known.
CREATE OR REPLACE FUNCTION troth.offered(digest bytea)
RETURNS TABLE (subject uuid, given uuid, giver text, categories text [], records text [], reason text, since timestamptz, until timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT offer.subject, offer.given, troth.name_for_chosen(offer.subject), offer.categories, offer.records, offer.reason,
        offer.since, offer.until
    FROM troth.person_grant AS offer
    WHERE offer.link = digest AND offer.over_at IS NULL AND offer.subject <> troth.viewer() AND troth.viewer() < 'ffffffff-ffff-8000-8000-000000000000'
      AND offer.until > statement_timestamp() AND offer.at > statement_timestamp() - interval '14 days'
      AND (offer.address IS NULL OR troth.has_proven(troth.viewer(), offer.address))
$$;

-- name: answer_grant
-- The viewer accepts or declines what is offered behind a link, which opens nothing any more. Raises TR003, TR072.
CREATE OR REPLACE FUNCTION troth.answer_grant(digest bytea, accepts boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_viewer(); giver uuid;
BEGIN
    UPDATE troth.person_grant AS answered SET
        link = NULL,
        receiver = CASE WHEN accepts THEN whose END,
        accepted_at = CASE WHEN accepts THEN clock_timestamp() END,
        over_at = CASE WHEN NOT accepts THEN clock_timestamp() END,
        over_by = CASE WHEN NOT accepts THEN 'receiver' END
    FROM troth.offered(digest) AS offer
    WHERE answered.subject = offer.subject AND answered.given = offer.given AND answered.link = digest AND answered.over_at IS NULL
    RETURNING answered.subject INTO giver;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such offer' USING ERRCODE = 'TR072';
    END IF;
    PERFORM troth.append(CASE WHEN accepts THEN 'permission-accepted' ELSE 'permission-declined' END, whose, giver, '{}');
END
$$;

-- name: end_grant
-- Whoever holds a token, agreed or not, ends what they granted or were granted, or takes an offer back. Raises TR003, TR072.
CREATE OR REPLACE FUNCTION troth.end_grant(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_holder(); giver uuid;
BEGIN
    UPDATE troth.person_grant SET
        over_at = clock_timestamp(), link = NULL, over_by = CASE WHEN subject = whose THEN 'giver' ELSE 'receiver' END
    WHERE given = which AND whose IN (subject, receiver) AND over_at IS NULL AND agreed IS NULL
    RETURNING subject INTO giver;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such permission of yours' USING ERRCODE = 'TR072';
    END IF;
    PERFORM troth.append('permission-ended', whose, giver, '{}');
END
$$;

-- name: change_grant
-- The viewer narrows what they granted, to fewer categories or to records `alone`, or gives it another end; without `alone` its
-- records stay as they are. Raises TR003, TR072, TR073 when it would be more.
CREATE OR REPLACE FUNCTION troth.change_grant(which uuid, kept text [], alone text [], ends timestamptz) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.held_viewer(); before troth.person_grant; made uuid;
BEGIN
    UPDATE troth.person_grant SET over_at = clock_timestamp(), over_by = 'changed'
    WHERE given = which AND subject = whose AND receiver IS NOT NULL AND over_at IS NULL AND agreed IS NULL
    RETURNING * INTO before;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such permission of yours' USING ERRCODE = 'TR072';
    END IF;
    IF NOT kept <@ before.categories OR NOT coalesce(alone <@ before.records, true) THEN
        RAISE EXCEPTION 'more than before needs an offer of its own' USING ERRCODE = 'TR073';
    END IF;
    INSERT INTO troth.person_grant
        (subject, receiver, address, categories, records, reason, version, accepted_at, since, until, used_at)
    SELECT whose, before.receiver, before.address, kept, coalesce(alone, before.records), before.reason, max(version), before.accepted_at,
        greatest(before.since, clock_timestamp()), ends, before.used_at
    FROM troth.policy_version RETURNING given INTO made;
    PERFORM troth.append('permission-changed', whose, whose, jsonb_build_object('categories', cardinality(kept)));
    RETURN made;
END
$$;

-- name: grant_sides
-- What both sides of a live grant are called, as far as the policy shows names to chosen people: each knows the other.
CREATE OR REPLACE FUNCTION troth.grant_sides() RETURNS TABLE (given uuid, giver text, receiver text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT held.given, troth.name_for_chosen(held.subject), troth.name_for_chosen(held.receiver)
    FROM troth.person_grant AS held
    WHERE troth.viewer() IN (held.subject, held.receiver) AND held.receiver IS NOT NULL
      AND held.until > statement_timestamp() AND (held.over_at IS NULL OR held.over_at > statement_timestamp())
$$;
