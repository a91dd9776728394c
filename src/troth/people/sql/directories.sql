-- name: directory_organization
-- The organization whose directory's token this transaction carries, or null: no token, an ended one, one of an ended organization.
CREATE OR REPLACE FUNCTION troth.directory_organization() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT held.organization FROM troth.directory_token AS held
    WHERE held.digest = sha256(convert_to(current_setting('troth.token', true), 'UTF8'))
      AND held.ended_at IS NULL AND held.until > statement_timestamp()
$$;

-- name: may_keep_members
-- Whether the viewer's role in an organization lets them keep its members: only then may they speak for its directory.
CREATE OR REPLACE FUNCTION troth.may_keep_members(which uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (
        SELECT FROM troth.membership AS held
        JOIN troth.organization_role AS given ON (given.organization, given.role) = (held.organization, held.role)
        WHERE held.subject = troth.viewer() AND held.organization = which AND held.ended_at IS NULL AND 'members' = ANY (given.may)
    )
$$;

-- name: open_directory
-- Remember the digest of a token for an organization's directory. Raises TR050 unless the viewer keeps its members, TR056 for
-- more than ten.
CREATE OR REPLACE FUNCTION troth.open_directory(which uuid, called text, secret bytea, days integer) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE made uuid;
BEGIN
    IF NOT troth.may_keep_members(which) THEN
        RAISE EXCEPTION 'this is not yours to do' USING ERRCODE = 'TR050';
    END IF;
    IF 10 <= (SELECT count(*) FROM troth.directory_token AS held
              WHERE held.organization = which AND held.ended_at IS NULL AND held.until > statement_timestamp())
    THEN
        RAISE EXCEPTION 'there are ten tokens already' USING ERRCODE = 'TR056';
    END IF;
    INSERT INTO troth.directory_token (organization, name, digest, until)
    VALUES (which, called, secret, statement_timestamp() + make_interval(days => days)) RETURNING token INTO made;
    PERFORM troth.record('directory-opened', troth.viewer(), troth.viewer(), jsonb_build_object('days', days));
    RETURN made;
END
$$;

-- name: end_directory
-- End a directory's token: it opens nothing from the next statement on. Raises TR050 for another's, TR052 for none.
CREATE OR REPLACE FUNCTION troth.end_directory(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    UPDATE troth.directory_token AS held SET ended_at = statement_timestamp()
    WHERE held.token = which AND held.ended_at IS NULL AND troth.may_keep_members(held.organization);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such token' USING ERRCODE = 'TR052';
    END IF;
    PERFORM troth.record('directory-ended', troth.viewer(), troth.viewer(), '{}');
END
$$;

-- name: use_directory
-- Note that a directory asked, to the minute, and whether it read more than one person. Returns its organization; raises TR050.
CREATE OR REPLACE FUNCTION troth.use_directory(listing boolean) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE which uuid := troth.directory_organization();
BEGIN
    IF which IS NULL THEN
        RAISE EXCEPTION 'this token opens nothing' USING ERRCODE = 'TR050';
    END IF;
    UPDATE troth.directory_token AS held
    SET used_at = statement_timestamp(), listed_at = CASE WHEN listing THEN statement_timestamp() ELSE held.listed_at END
    WHERE held.digest = sha256(convert_to(current_setting('troth.token', true), 'UTF8'))
      AND (coalesce(held.used_at, '-infinity') < statement_timestamp() - interval '1 minute'
           OR listing AND coalesce(held.listed_at, '-infinity') < statement_timestamp() - interval '1 minute');
    RETURN which;
END
$$;

-- name: note_act
-- Tell a person what a directory did about them. What is older than a year is forgotten.
CREATE OR REPLACE FUNCTION troth.note_act(whose uuid, which uuid, what text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM troth.directory_act WHERE subject = whose AND at < statement_timestamp() - interval '365 days';
    INSERT INTO troth.directory_act (subject, organization, kind, token)
    SELECT whose, which, what, (
        SELECT held.token FROM troth.directory_token AS held
        WHERE held.digest = sha256(convert_to(current_setting('troth.token', true), 'UTF8')) AND held.organization = which
    )
$$;

-- name: offer_is_due
-- Whether a person whom a directory supplied is written to: only where their address is in a domain that the organization
-- holds, since a directory could otherwise send mail to anybody. Elsewhere the offer waits until they sign in.
CREATE OR REPLACE FUNCTION troth.offer_is_due(which uuid, address text, active boolean) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT address IS NOT NULL AND active IS DISTINCT FROM false AND EXISTS (
        SELECT FROM troth.domain AS held
        WHERE held.organization = which AND held.held_since IS NOT NULL AND held.domain = lower(split_part(address, '@', 2))
    )
$$;

-- name: provision
-- A directory supplies somebody: nothing is looked up about them, so that nothing answers differently for whom there is an
-- account. Names are told apart by a lock on the organization, since every key holds the subject.
-- Raises TR050 for a token that opens nothing, TR051 when the user name is taken in this organization, TR061 for a field that it
-- does not hold.
CREATE OR REPLACE FUNCTION troth.provision(told jsonb) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    which uuid := troth.directory_organization();
    whose uuid := gen_random_uuid();
    made uuid;
BEGIN
    IF which IS NULL THEN
        RAISE EXCEPTION 'this token opens nothing' USING ERRCODE = 'TR050';
    END IF;
    PERFORM pg_advisory_xact_lock(7277, uuid_hash(which));
    IF EXISTS (SELECT FROM troth.directory_entry AS other WHERE other.organization = which
               AND other.user_key = lower(told ->> 'user_name') AND other.ended_at IS NULL)
    THEN
        RAISE EXCEPTION 'this user name is taken' USING ERRCODE = 'TR051';
    END IF;
    INSERT INTO troth.subject (subject, kind) VALUES (whose, 'supplied');
    INSERT INTO troth.directory_entry (
        subject, organization, user_name, external_id, email, email_kind, email_first, display_name, full_name, given_name,
        family_name, employee_number, active, offer_due
    )
    SELECT whose, which, s.user_name, s.external_id, s.email, s.email_kind, s.email_first, s.display_name, s.full_name,
        s.given_name, s.family_name, s.employee_number, s.active, troth.offer_is_due(which, s.email, s.active)
    FROM jsonb_to_record(told) AS s (
        user_name text, external_id text, email text, email_kind text, email_first boolean, display_name text, full_name text,
        given_name text, family_name text, employee_number text, active boolean
    ) RETURNING entry INTO made;
    PERFORM troth.supply_held(which, whose, held.key, held.value) FROM jsonb_each_text(told -> 'held') AS held;
    PERFORM troth.note_act(whose, which, 'supplied');
    PERFORM troth.record('directory-supplied', NULL, whose, '{}');
    RETURN made;
END
$$;

-- name: change_entry
-- A directory changes what it supplied. The names of whoever has joined are theirs, and what it writes of them is not kept; what
-- the organization holds of them is kept where its administrators keep it.
-- `active` false ends the membership, never an account. Raises TR050, TR051, TR052 for no such entry, TR053 for another version,
-- TR054 when the person owns the organization, TR061 for a field that it does not hold.
CREATE OR REPLACE FUNCTION troth.change_entry(which_entry uuid, told jsonb, expected integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    which uuid := troth.directory_organization();
    before troth.directory_entry;
    wanted troth.directory_entry;
    leaves boolean;
BEGIN
    IF which IS NULL THEN
        RAISE EXCEPTION 'this token opens nothing' USING ERRCODE = 'TR050';
    END IF;
    PERFORM pg_advisory_xact_lock(7277, uuid_hash(which));
    SELECT * INTO before FROM troth.directory_entry AS held
    WHERE held.organization = which AND held.entry = which_entry AND held.ended_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such entry' USING ERRCODE = 'TR052';
    ELSIF before.version <> expected THEN
        RAISE EXCEPTION 'the entry has changed' USING ERRCODE = 'TR053';
    END IF;
    wanted := jsonb_populate_record(before, told);
    IF lower(wanted.user_name) <> before.user_key AND EXISTS (
        SELECT FROM troth.directory_entry AS other
        WHERE other.organization = which AND other.user_key = lower(wanted.user_name) AND other.ended_at IS NULL
    ) THEN
        RAISE EXCEPTION 'this user name is taken' USING ERRCODE = 'TR051';
    END IF;
    IF before.joined_at IS NOT NULL THEN
        wanted.display_name := NULL;
        wanted.full_name := NULL;
        wanted.given_name := NULL;
        wanted.family_name := NULL;
    END IF;
    leaves := before.joined_at IS NOT NULL AND wanted.active IS NOT DISTINCT FROM false;
    UPDATE troth.directory_entry AS held SET
        user_name = wanted.user_name, external_id = wanted.external_id, email = wanted.email, email_kind = wanted.email_kind,
        email_first = wanted.email_first,
        display_name = wanted.display_name, full_name = wanted.full_name, given_name = wanted.given_name,
        family_name = wanted.family_name, employee_number = wanted.employee_number, active = wanted.active,
        offer_due = held.joined_at IS NULL AND (held.offered_at IS NULL OR wanted.email IS DISTINCT FROM before.email)
            AND held.declined_at IS NULL AND troth.offer_is_due(which, wanted.email, wanted.active),
        version = held.version + 1, changed_at = clock_timestamp()
    WHERE held.subject = before.subject AND held.organization = which;
    PERFORM troth.note_act(before.subject, which, CASE WHEN leaves THEN 'suspended' ELSE 'changed' END);
    IF leaves THEN
        PERFORM troth.leave_supplied(before.subject, which);
    ELSIF before.joined_at IS NOT NULL THEN
        PERFORM troth.hold_supplied(which, before.subject, told -> 'held');
    ELSE
        PERFORM troth.supply_held(which, before.subject, held.key, held.value) FROM jsonb_each_text(told -> 'held') AS held;
    END IF;
    PERFORM troth.record(CASE WHEN leaves THEN 'directory-suspended' ELSE 'directory-changed' END, NULL, before.subject, '{}');
END
$$;

-- name: remove_entry
-- A directory takes back what it supplied, and a membership that came of it ends; the person's account is theirs.
-- Raises TR050, TR052, TR053, TR054.
CREATE OR REPLACE FUNCTION troth.remove_entry(which_entry uuid, expected integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    which uuid := troth.directory_organization();
    before troth.directory_entry;
BEGIN
    IF which IS NULL THEN
        RAISE EXCEPTION 'this token opens nothing' USING ERRCODE = 'TR050';
    END IF;
    SELECT * INTO before FROM troth.directory_entry AS held
    WHERE held.organization = which AND held.entry = which_entry AND held.ended_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such entry' USING ERRCODE = 'TR052';
    ELSIF before.version <> expected THEN
        RAISE EXCEPTION 'the entry has changed' USING ERRCODE = 'TR053';
    END IF;
    PERFORM troth.note_act(before.subject, which, 'removed');
    DELETE FROM troth.directory_entry WHERE subject = before.subject AND organization = which;
    IF before.joined_at IS NULL THEN
        UPDATE troth.subject SET ended_at = statement_timestamp() WHERE subject = before.subject;
    ELSE
        PERFORM troth.leave_supplied(before.subject, which);
    END IF;
    PERFORM troth.record('directory-removed', NULL, before.subject, '{}');
END
$$;

-- name: read_entry
-- Tell a member that their organization's directory looked at them alone, once an hour at most. Raises TR050.
CREATE OR REPLACE FUNCTION troth.read_entry(which_entry uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    which uuid := troth.directory_organization();
    whose uuid;
BEGIN
    IF which IS NULL THEN
        RAISE EXCEPTION 'this token opens nothing' USING ERRCODE = 'TR050';
    END IF;
    SELECT held.subject INTO whose FROM troth.directory_entry AS held
    WHERE held.organization = which AND held.entry = which_entry AND held.joined_at IS NOT NULL AND held.ended_at IS NULL
      AND NOT EXISTS (SELECT FROM troth.directory_act AS told WHERE told.subject = held.subject AND told.kind = 'read'
                      AND told.organization = which AND told.at > statement_timestamp() - interval '1 hour');
    IF FOUND THEN
        PERFORM troth.note_act(whose, which, 'read');
    END IF;
END
$$;

-- name: my_offers
-- What directories hold under an address that the viewer has proven to be theirs, and that they have not joined.
CREATE OR REPLACE FUNCTION troth.my_offers() RETURNS TABLE (
    entry uuid, organization uuid, organization_name text, domain_held boolean, user_name text, email text, display_name text,
    employee_number text, at timestamptz, declined boolean, fields jsonb
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT held.entry, held.organization, named.name, troth.offer_is_due(held.organization, held.email, true), held.user_name,
        held.email, held.display_name, held.employee_number, held.at, held.declined_at IS NOT NULL,
        coalesce(troth.supplied_held(held.organization, held.subject), '{}')
    FROM troth.people_account AS account
    JOIN troth.account_emailaddress AS address ON address.user_id = account.id AND address.verified
    JOIN troth.directory_entry AS held ON held.email_key = lower(address.email) COLLATE "C" AND held.ended_at IS NULL
    JOIN troth.organization AS named ON named.organization = held.organization
    WHERE account.subject = troth.viewer() AND held.joined_at IS NULL AND held.active IS DISTINCT FROM false
    ORDER BY held.at
$$;

-- name: join_entry
-- The viewer joins an organization whose directory holds an address that they have proven. What it supplied becomes a row
-- of theirs, without the names that it wrote. Raises TR003, TR052 when nothing is offered to them, TR051 when they are in it.
CREATE OR REPLACE FUNCTION troth.join_entry(which_entry uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    whose uuid := troth.viewer();
    before troth.directory_entry;
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    SELECT held.* INTO before FROM troth.directory_entry AS held
    WHERE held.entry = which_entry AND held.entry IN (SELECT offer.entry FROM troth.my_offers() AS offer) FOR UPDATE;
    IF NOT FOUND OR before.joined_at IS NOT NULL THEN
        RAISE EXCEPTION 'there is no such offer' USING ERRCODE = 'TR052';
    ELSIF EXISTS (SELECT FROM troth.directory_entry AS other WHERE other.subject = whose AND other.organization = before.organization) THEN
        RAISE EXCEPTION 'another entry of this directory is yours already' USING ERRCODE = 'TR051';
    END IF;
    PERFORM troth.enter_supplied(whose, before.organization);
    PERFORM troth.hold_supplied(before.organization, whose, troth.supplied_held(before.organization, before.subject));
    PERFORM troth.retie_entry(before.subject, before.organization, whose, statement_timestamp());
    UPDATE troth.directory_act SET subject = whose WHERE subject = before.subject;
    UPDATE troth.subject SET ended_at = statement_timestamp() WHERE subject = before.subject;
    PERFORM troth.record('directory-joined', whose, whose, '{}');
    RETURN before.organization;
END
$$;

-- name: decline_entry
-- The viewer wants no more mail about an offer; it stays where they can see it. Raises TR003, TR052.
CREATE OR REPLACE FUNCTION troth.decline_entry(which_entry uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE whose uuid := troth.viewer();
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'TR003';
    END IF;
    UPDATE troth.directory_entry AS held SET declined_at = statement_timestamp(), offer_due = false
    WHERE held.entry = which_entry AND held.joined_at IS NULL AND held.entry IN (SELECT offer.entry FROM troth.my_offers() AS offer);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such offer' USING ERRCODE = 'TR052';
    END IF;
    PERFORM troth.record('directory-declined', whose, whose, '{}');
END
$$;

-- name: retie_entry
-- Make an entry another subject's: a new row, which is stamped as theirs, in place of the old one. Names do not go along.
CREATE OR REPLACE FUNCTION troth.retie_entry(whose uuid, which uuid, to_whom uuid, joined timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    INSERT INTO troth.directory_entry (
        subject, organization, entry, user_name, external_id, email, email_kind, email_first, employee_number, active, joined_at,
        offered_at, declined_at, version, at
    )
    SELECT to_whom, before.organization, before.entry, before.user_name, before.external_id, before.email, before.email_kind,
        before.email_first, before.employee_number, before.active, joined, before.offered_at, before.declined_at, before.version + 1, before.at
    FROM troth.directory_entry AS before WHERE before.subject = whose AND before.organization = which;
    UPDATE troth.directory_grouped SET subject = to_whom WHERE subject = whose AND organization = which;
    DELETE FROM troth.directory_entry WHERE subject = whose AND organization = which;
END
$$;

-- name: detach_entry
-- Whoever is in an organization no longer is no longer tied to what its directory holds: it is the directory's alone again.
CREATE OR REPLACE FUNCTION troth.detach_entry(whose uuid, which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    before troth.directory_entry;
    nobody_yet uuid := gen_random_uuid();
BEGIN
    SELECT * INTO before FROM troth.directory_entry AS held WHERE held.subject = whose AND held.organization = which FOR UPDATE;
    IF FOUND AND before.joined_at IS NOT NULL THEN
        INSERT INTO troth.subject (subject, kind) VALUES (nobody_yet, 'supplied');
        PERFORM troth.retie_entry(whose, which, nobody_yet, NULL);
    END IF;
END
$$;

-- name: enter_supplied
-- Make somebody whom a directory supplied a member, unless they are one. Raises TR047.
CREATE OR REPLACE FUNCTION troth.enter_supplied(whose uuid, which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF troth.powers_in(which, whose) IS NULL THEN
        PERFORM troth.entered(which, whose, 'member');
    END IF;
END
$$;

-- name: leave_supplied
-- End a membership at a directory's word. Raises TR054 for whoever owns the organization.
CREATE OR REPLACE FUNCTION troth.leave_supplied(whose uuid, which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF 'own' = ANY (troth.powers_in(which, whose)) THEN
        RAISE EXCEPTION 'a directory does not remove the owner' USING ERRCODE = 'TR054';
    END IF;
    DELETE FROM troth.membership WHERE subject = whose AND organization = which;
    PERFORM troth.detach_entry(whose, which);
END
$$;

-- name: due_offers
-- Whom to write to, a few at a time, each once: the offer is marked as made when it is taken.
CREATE OR REPLACE FUNCTION troth.due_offers() RETURNS TABLE (subject uuid, email text, organization_name text)
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH taken AS (
        UPDATE troth.directory_entry AS held SET offer_due = false, offered_at = statement_timestamp()
        WHERE (held.subject, held.organization) IN (
            SELECT due.subject, due.organization FROM troth.directory_entry AS due
            WHERE due.offer_due ORDER BY due.changed_at LIMIT 50 FOR UPDATE SKIP LOCKED
        ) RETURNING held.subject, held.email, held.organization, held.ended_at
    )
    SELECT taken.subject, taken.email, named.name FROM taken
    JOIN troth.organization AS named ON named.organization = taken.organization
    WHERE taken.email IS NOT NULL AND taken.ended_at IS NULL
$$;

-- name: end_unsupplied
-- Subjects whom no directory supplies any more: their organization ended. The sweep removes them.
CREATE OR REPLACE FUNCTION troth.end_unsupplied() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    UPDATE troth.subject AS whose SET ended_at = statement_timestamp()
    WHERE whose.kind = 'supplied' AND whose.ended_at IS NULL
      AND NOT EXISTS (SELECT FROM troth.directory_entry AS held WHERE held.subject = whose.subject)
$$;
