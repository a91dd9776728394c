-- name: sender
-- Which application a key is of; nothing for one that ended, or whose application was removed.
CREATE OR REPLACE FUNCTION troth.sender(of_digest bytea) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT held.application FROM troth.application_key AS held
    JOIN troth.application AS known ON known.application = held.application AND known.removed_at IS NULL
    WHERE held.digest = of_digest AND held.ended_at IS NULL
$$;

-- name: sent_about
-- Of each key and each name by which its application calls somebody: the application, which kinds of events it declared, and,
-- of somebody who uses it now, the subject and what their rows may be used for. A browser that is known without an account is
-- called by the application's own token of it; while its user has not agreed to what is needed, its rows may be used for nothing.
-- No row: the key opens nothing any more.
CREATE OR REPLACE FUNCTION troth.sent_about(digests bytea [], names text [])
RETURNS TABLE (nth bigint, application text, events text [], subject uuid, uses bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT asked.nth, known.application, known.events, about.subject, about.uses
    FROM unnest(digests, names) WITH ORDINALITY AS asked (digest, name, nth)
    JOIN troth.application_key AS held ON held.digest = asked.digest AND held.ended_at IS NULL
    JOIN troth.application AS known ON known.application = held.application AND known.removed_at IS NULL
    LEFT JOIN LATERAL (
        SELECT given.subject, truth.uses FROM troth.application_grant AS given
        JOIN troth.subject AS person ON person.subject = given.subject AND person.ended_at IS NULL
        JOIN troth.permitted AS truth ON truth.subject = given.subject
        WHERE given.application = known.application AND given.known_as = asked.name AND given.until IS NULL
          AND coalesce(given.expires_at > statement_timestamp(), true)
        UNION ALL
        SELECT browser.subject, CASE WHEN standing.agreed THEN standing.uses ELSE 0 END
        FROM troth.application_browser AS browser JOIN troth.identifier AS i ON i.subject = browser.subject
        CROSS JOIN LATERAL troth.standing(browser.subject) AS standing
        WHERE browser.application = known.application AND browser.digest = sha256(convert_to(asked.name, 'UTF8'))
          AND i.ended_at IS NULL AND i.tied_at IS NULL AND i.until > statement_timestamp()
    ) AS about ON true
$$;

-- name: manifests_of
-- The manifests of the applications whose keys have these digests; of each its place among them. One that was ended tells nothing.
CREATE OR REPLACE FUNCTION troth.manifests_of(digests bytea []) RETURNS TABLE (nth bigint, manifest text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT told.nth, known.manifest
    FROM unnest(digests) WITH ORDINALITY AS told (digest, nth)
    JOIN troth.application_key AS held ON held.digest = told.digest AND held.ended_at IS NULL
    JOIN troth.application AS known ON known.application = held.application AND known.removed_at IS NULL
$$;

-- name: take_keys
-- Remember keyed digests of events; of each: whether it is new, and whether one that is not said the same before.
-- Whoever brings a key waits for whoever brought it before; keys are taken in their order, so that nobody waits in a circle.
CREATE OR REPLACE FUNCTION troth.take_keys(keys uuid [], bodies uuid []) RETURNS TABLE (nth bigint, fresh boolean, same boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE made uuid [];
BEGIN
    WITH taken AS (
        INSERT INTO troth.intake_taken AS held (key, body) SELECT told.key, told.body FROM unnest(keys, bodies) AS told (key, body)
        ORDER BY told.key ON CONFLICT DO NOTHING RETURNING held.key
    ) SELECT coalesce(array_agg(taken.key), '{}') INTO made FROM taken;
    IF cardinality(made) = cardinality(keys) THEN  -- nearly always: nothing came before
        RETURN QUERY SELECT n, true, true FROM generate_series(1, cardinality(keys)::bigint) AS n;
        RETURN;
    END IF;
    -- In a statement of its own, which sees what those committed for whom this one waited.
    RETURN QUERY SELECT told.nth, new.key IS NOT NULL, held.body = told.body
    FROM unnest(keys, bodies) WITH ORDINALITY AS told (key, body, nth)
    JOIN troth.intake_taken AS held ON held.key = told.key
    LEFT JOIN unnest(made) AS new (key) ON new.key = told.key;
END
$$;

-- name: take_new
-- Remember keyed digests of events of which each is new. Raises TR087 where one is not: then none of them is remembered.
-- Whoever brings a key waits for whoever brought it before; keys are taken in their order, so that nobody waits in a circle.
CREATE OR REPLACE FUNCTION troth.take_new(keys uuid [], bodies uuid []) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    -- Not passing over those that are there costs a quarter less.
    INSERT INTO troth.intake_taken (key, body) SELECT told.key, told.body FROM unnest(keys, bodies) AS told (key, body)
    ORDER BY told.key;
    RETURN true;
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'some of it came before' USING ERRCODE = 'TR087';
END
$$;

-- name: note_refusals
-- Add to the counts of what was refused about people, which they see; of whose account ended nothing is noted.
CREATE OR REPLACE FUNCTION troth.note_refusals(whose uuid [], kinds text [], reasons text [], clauses text [], counts bigint [])
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO troth.refused_event AS r (subject, day, kind, reason, clause, count)
    SELECT person.subject, (statement_timestamp() AT TIME ZONE 'UTC')::date, told.kind, told.reason, told.clause, told.count
    FROM unnest(whose, kinds, reasons, clauses, counts) AS told (subject, kind, reason, clause, count)
    JOIN troth.subject AS person ON person.subject = told.subject AND person.ended_at IS NULL
    ORDER BY person.subject, told.kind, told.reason, told.clause
    ON CONFLICT (subject, day, kind, reason, clause) DO UPDATE SET count = r.count + excluded.count
$$;

-- name: forget_intake
-- Forget keys of events that nobody sends again so late, and counts of refusals that people had a month to see.
CREATE OR REPLACE FUNCTION troth.forget_intake() RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM troth.intake_taken WHERE at < statement_timestamp() - interval '720 hours';
    DELETE FROM troth.refused_event WHERE day < (statement_timestamp() AT TIME ZONE 'UTC')::date - 30
$$;
