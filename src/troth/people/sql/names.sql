-- name: keep_earlier_name
-- Keep the name that was replaced, where a clause collects it on a change of name: only then may this role write one.
CREATE OR REPLACE FUNCTION troth.keep_earlier_name() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF OLD.name IS NOT NULL AND has_column_privilege(current_user, 'troth.earlier_name', 'name', 'INSERT') THEN
        INSERT INTO troth.earlier_name (subject, name) VALUES (OLD.subject, OLD.name);
    END IF;
    RETURN NULL;
END
$$;

-- name: follow_name
-- A name that changed is the name of every account linked with its own, whoever changed it and whatever the way.
CREATE OR REPLACE FUNCTION troth.follow_name() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    UPDATE troth.person AS theirs SET name = NEW.name
    FROM troth.linked AS mine JOIN troth.linked AS other ON other.bond = mine.bond
    WHERE mine.subject = NEW.subject AND theirs.subject = other.subject AND theirs.name IS DISTINCT FROM NEW.name;
    RETURN NULL;
END
$$;

-- name: share_name
-- Give the name of one account to every account linked with it.
CREATE OR REPLACE FUNCTION troth.share_name(whose uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    UPDATE troth.person AS theirs SET name = mine.name
    FROM troth.person AS mine
    JOIN troth.linked AS tied ON tied.subject = mine.subject JOIN troth.linked AS other ON other.bond = tied.bond
    WHERE mine.subject = whose AND theirs.subject = other.subject AND theirs.name IS DISTINCT FROM mine.name
$$;

-- name: linked_accounts
-- The accounts linked with the viewer's, told so far that their person knows which is which: an address without its middle.
CREATE OR REPLACE FUNCTION troth.linked_accounts() RETURNS TABLE (tie uuid, address text, at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT other.tie, left(person.email, 1) || '***@' || split_part(person.email, '@', -1), greatest(mine.at, other.at)
    FROM troth.linked AS mine
    JOIN troth.linked AS other ON other.bond = mine.bond AND other.subject <> mine.subject
    JOIN troth.person AS person ON person.subject = other.subject
    WHERE mine.subject = troth.viewer() ORDER BY other.at, other.tie
$$;

-- name: offered_link
-- Which account a code was made in, as far as its person needs to recognise it. No row: the code opens nothing to the viewer.
CREATE OR REPLACE FUNCTION troth.offered_link(offered bytea) RETURNS TABLE (address text, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT left(person.email, 1) || '***@' || split_part(person.email, '@', -1), person.name
    FROM troth.link_offer AS offer JOIN troth.person AS person ON person.subject = offer.subject
    WHERE offer.digest = offered AND offer.expires_at > statement_timestamp()
      AND troth.viewer() < 'ffffffff-ffff-8000-8000-000000000000' AND offer.subject <> troth.viewer()
$$;

-- name: hold_person
-- Hold accounts, and those linked with them, until the transaction ends, in one order: names and links change one at a time.
CREATE OR REPLACE FUNCTION troth.hold_person(whose uuid []) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    held uuid[];
    wanted uuid[];
BEGIN
    LOOP
        wanted := ARRAY(
            SELECT unnest(whose) UNION SELECT other.subject
            FROM troth.linked AS mine JOIN troth.linked AS other ON other.bond = mine.bond
            WHERE mine.subject = ANY (whose) ORDER BY 1
        );
        -- Whom they are linked with may have changed while this waited.
        EXIT WHEN held = wanted;
        PERFORM 1 FROM troth.permitted WHERE subject = ANY (wanted) ORDER BY subject FOR UPDATE;
        held := wanted;
    END LOOP;
END
$$;

-- name: hold_name
-- Hold the viewer, and the accounts that share their name, before the name changes. Raises TR003 without a viewer.
CREATE OR REPLACE FUNCTION troth.hold_name() RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.viewer();
BEGIN
    IF whose IS NOT NULL THEN
        PERFORM troth.hold_person(ARRAY[whose]);
    END IF;
    -- The account may have ended, or the token been closed, while this waited.
    IF whose IS NULL OR troth.viewer() IS DISTINCT FROM whose THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    RETURN whose;
END
$$;

-- name: offer_link
-- The viewer has a code made for linking this account with another of theirs; it lasts ten minutes, and ends the one before.
-- Raises TR003 without a viewer, TR070 where the policy ties no accounts together.
CREATE OR REPLACE FUNCTION troth.offer_link(code bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.viewer();
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    IF NOT troth.in_force('ties') THEN
        RAISE EXCEPTION 'the policy ties no accounts together' USING ERRCODE = 'TR070';
    END IF;
    PERFORM 1 FROM troth.permitted WHERE subject = whose FOR UPDATE;
    -- The account may have ended, or the token been closed, while this waited.
    IF troth.viewer() IS DISTINCT FROM whose THEN
        RAISE EXCEPTION 'nobody is signed in any more' USING ERRCODE = 'TR003';
    END IF;
    DELETE FROM troth.link_offer WHERE subject = whose OR expires_at <= statement_timestamp();
    INSERT INTO troth.link_offer (subject, digest, expires_at)
    VALUES (whose, code, statement_timestamp() + interval '10 minutes');
    PERFORM troth.record('link-offered', whose, whose, '{}');
END
$$;

-- name: link_accounts
-- Link the viewer's account with the one that a code was made in; `theirs` says whose name both have from now on.
-- Raises TR003 without a viewer, TR070 where the policy ties no accounts together, TR071 when the code opens nothing,
-- TR072 when the two are linked already.
CREATE OR REPLACE FUNCTION troth.link_accounts(offered bytea, theirs boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    whose uuid := troth.viewer();
    other uuid;
    shared uuid;
    each uuid;
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    IF NOT troth.in_force('ties') THEN
        RAISE EXCEPTION 'the policy ties no accounts together' USING ERRCODE = 'TR070';
    END IF;
    SELECT offer.subject INTO other FROM troth.link_offer AS offer
    WHERE offer.digest = offered AND offer.expires_at > statement_timestamp() AND offer.subject <> whose;
    IF other IS NULL THEN
        RAISE EXCEPTION 'this code links nothing' USING ERRCODE = 'TR071';
    END IF;
    PERFORM troth.hold_person(ARRAY[whose, other]);
    -- Either account may have ended, the token been closed, the code been used, while this waited.
    IF troth.viewer() IS DISTINCT FROM whose THEN
        RAISE EXCEPTION 'nobody is signed in any more' USING ERRCODE = 'TR003';
    END IF;
    DELETE FROM troth.link_offer WHERE subject = other AND digest = offered;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this code links nothing any more' USING ERRCODE = 'TR071';
    END IF;
    IF EXISTS (
        SELECT FROM troth.linked AS mine JOIN troth.linked AS known ON known.bond = mine.bond
        WHERE mine.subject = whose AND known.subject = other
    ) THEN
        RAISE EXCEPTION 'these accounts are linked already' USING ERRCODE = 'TR072';
    END IF;
    INSERT INTO troth.linked (subject, bond) VALUES (whose, gen_random_uuid()), (other, gen_random_uuid())
    ON CONFLICT (subject) DO NOTHING;
    SELECT bond INTO shared FROM troth.linked WHERE subject = other;
    UPDATE troth.linked SET bond = shared WHERE bond = (SELECT bond FROM troth.linked WHERE subject = whose);
    PERFORM troth.share_name(CASE WHEN theirs THEN other ELSE whose END);
    -- Each account that is one person's with it now sees who linked what.
    FOR each IN SELECT subject FROM troth.linked WHERE bond = shared AND subject <> whose ORDER BY 1 LOOP
        PERFORM troth.record('accounts-linked', whose, each, '{}');
    END LOOP;
END
$$;

-- name: unlink_account
-- End the link between the viewer's account and another; each keeps the name, and changes it alone from now on.
-- Raises TR003 without a viewer, TR073 when there is no such link.
CREATE OR REPLACE FUNCTION troth.unlink_account(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    whose uuid := troth.viewer();
    other uuid;
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    PERFORM troth.hold_person(ARRAY[whose]);
    -- The account may have ended, the token been closed, while this waited; the link is judged as it is now.
    IF troth.viewer() IS DISTINCT FROM whose THEN
        RAISE EXCEPTION 'nobody is signed in any more' USING ERRCODE = 'TR003';
    END IF;
    SELECT known.subject INTO other FROM troth.linked AS mine JOIN troth.linked AS known ON known.bond = mine.bond
    WHERE mine.subject = whose AND known.subject <> whose AND known.tie = which;
    IF other IS NULL THEN
        RAISE EXCEPTION 'there is no such link' USING ERRCODE = 'TR073';
    END IF;
    DELETE FROM troth.linked WHERE subject = other;
    -- One alone is linked with nobody.
    DELETE FROM troth.linked AS mine WHERE mine.subject = whose
      AND NOT EXISTS (SELECT FROM troth.linked AS known WHERE known.bond = mine.bond AND known.subject <> whose);
    PERFORM troth.record('accounts-unlinked', whose, other, '{}');
END
$$;
