-- name: hold_field
-- Fill in, correct or (null) empty what an organization holds of a member. Raises TR003, TR040, TR041, TR045, TR061.
CREATE OR REPLACE FUNCTION troth.hold_field(org uuid, whose uuid, what text, told text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.acting_in(org, 'members');
BEGIN
    PERFORM troth.reached_member(org, whose, who);
    IF troth.write_held(org, whose, what, told) THEN
        PERFORM troth.record('held-field-changed', who, whose, jsonb_build_object('field', what));
    END IF;
END
$$;

-- name: hold_supplied
-- Keep of a member what their organization's directory says that it holds: field -> value, null for none. Raises TR061.
CREATE OR REPLACE FUNCTION troth.hold_supplied(org uuid, whose uuid, told jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE field record;
BEGIN
    FOR field IN SELECT each.key, each.value FROM jsonb_each_text(told) AS each ORDER BY each.key LOOP
        IF troth.write_held(org, whose, field.key, field.value) THEN
            PERFORM troth.record('held-field-changed', troth.viewer(), whose, jsonb_build_object('field', field.key));
        END IF;
    END LOOP;
END
$$;

-- name: ask_correction
-- The viewer asks an organization of theirs to make another value of what it holds of them, or (null) none. Those who may
-- are written to. Raises TR003, TR040, TR047 after five in a day, TR061, TR062 while one about the field is open.
CREATE OR REPLACE FUNCTION troth.ask_correction(org uuid, what text, told text, why text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.viewer(); made uuid; facts jsonb;
BEGIN
    IF who IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    SELECT jsonb_build_object('organization', org, 'name', o.name, 'field', what) INTO facts
    FROM troth.organization AS o WHERE o.organization = org FOR NO KEY UPDATE;
    IF troth.powers_in(org, who) IS NULL THEN
        RAISE EXCEPTION 'there is no such organization' USING ERRCODE = 'TR040';
    ELSIF EXISTS (
        SELECT 1 FROM troth.correction AS c
        WHERE c.subject = who AND c.organization = org AND c.field = what AND c.outcome IS NULL
    ) THEN
        RAISE EXCEPTION 'this is asked already' USING ERRCODE = 'TR062';
    ELSIF (
        SELECT count(*) FROM troth.correction AS c
        WHERE c.subject = who AND c.organization = org AND c.at > statement_timestamp() - interval '1 day'
    ) >= 5 THEN
        RAISE EXCEPTION 'nobody asks more than five times in a day' USING ERRCODE = 'TR047';
    END IF;
    made := troth.want_held(org, who, what, told, why);
    PERFORM troth.write_to(m.subject, 'correction-asked', facts) FROM troth.membership AS m
    WHERE m.organization = org AND m.subject <> who AND m.subject = ANY (troth.correctors(org, who));
    PERFORM troth.record('correction-asked', who, who, jsonb_build_object('field', what));
    RETURN made;
END
$$;

-- name: correctors
-- Who may answer a member: whoever keeps members and may do all that the member may; the first twenty by their time in it.
CREATE OR REPLACE FUNCTION troth.correctors(org uuid, whose uuid) RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(array_agg(found.subject), '{}') FROM (
        SELECT m.subject FROM troth.membership AS m
        JOIN troth.organization_role AS r ON (r.organization, r.role) = (m.organization, m.role)
        WHERE m.organization = org AND m.ended_at IS NULL AND 'members' = ANY (r.may)
          AND troth.powers_in(org, whose) <@ r.may
        ORDER BY m.at, m.subject LIMIT 20
    ) AS found
$$;

-- name: answer_correction
-- Make what a member wants so, or decline it with the reason why. Raises TR003, TR040, TR041, TR045, TR063 when nothing is
-- asked any more, TR064 for a refusal without a reason.
CREATE OR REPLACE FUNCTION troth.answer_correction(org uuid, whose uuid, which uuid, accepted boolean, words text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.acting_in(org, 'members'); what text;
BEGIN
    PERFORM troth.reached_member(org, whose, who);
    IF NOT accepted AND words IS NULL THEN
        RAISE EXCEPTION 'a refusal says why' USING ERRCODE = 'TR064';
    END IF;
    UPDATE troth.correction AS c
    SET answered_at = statement_timestamp(), answer = words,
        outcome = CASE WHEN accepted THEN 'corrected' ELSE 'declined' END
    WHERE c.subject = whose AND c.correction = which AND c.organization = org AND c.outcome IS NULL AND c.ended_at IS NULL
    RETURNING c.field INTO what;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this is not asked any more' USING ERRCODE = 'TR063';
    END IF;
    IF accepted THEN
        PERFORM troth.write_held(org, whose, what, troth.wanted_in(whose, which, what));
    END IF;
    PERFORM troth.write_to(whose, 'correction-answered', jsonb_build_object('name', o.name, 'field', what, 'made', accepted))
    FROM troth.organization AS o WHERE o.organization = org;
    PERFORM troth.record(
        CASE WHEN accepted THEN 'correction-made' ELSE 'correction-declined' END, who, whose, jsonb_build_object('field', what)
    );
END
$$;

-- name: withdraw_correction
-- The viewer wants it no longer. Raises TR063 when nothing is asked any more.
CREATE OR REPLACE FUNCTION troth.withdraw_correction(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.viewer(); what text;
BEGIN
    UPDATE troth.correction AS c SET answered_at = statement_timestamp(), outcome = 'withdrawn'
    WHERE c.subject = who AND c.correction = which AND c.outcome IS NULL RETURNING c.field INTO what;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this is not asked any more' USING ERRCODE = 'TR063';
    END IF;
    PERFORM troth.record('correction-withdrawn', who, who, jsonb_build_object('field', what));
END
$$;

-- name: write_to
-- Put a notice for somebody into the outbox, to the address that they use, in the language in which they agreed.
CREATE OR REPLACE FUNCTION troth.write_to(whose uuid, by_template text, with_facts jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    SELECT troth.post(whose, held.email, by_template, with_facts || jsonb_build_object('language', coalesce((
        SELECT given.language FROM troth.agreement AS given
        WHERE given.subject = whose AND given.ended_at IS NULL ORDER BY given.at DESC LIMIT 1
    ), 'en')))
    FROM troth.people_account AS account
    JOIN troth.account_emailaddress AS held ON held.user_id = account.id
    WHERE account.subject = whose AND account.is_active AND held.verified ORDER BY held."primary" DESC LIMIT 1
$$;

-- name: accompanies
-- Whether somebody is in an organization that the viewer is in.
CREATE OR REPLACE FUNCTION troth.accompanies(whose uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (
        SELECT 1 FROM troth.membership AS m WHERE m.subject = whose AND m.ended_at IS NULL
          AND m.organization = ANY (troth.viewer_organizations())
    )
$$;

-- name: supplies
-- Whether somebody is in the organization whose directory's token this transaction carries.
CREATE OR REPLACE FUNCTION troth.supplies(whose uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (
        SELECT 1 FROM troth.membership AS m WHERE m.subject = whose AND m.ended_at IS NULL
          AND m.organization = troth.directory_organization()
    )
$$;
