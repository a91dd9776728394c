-- name: look_at_members
-- Write down that the viewer, who administers an organization, looks at its members or at one person in it, and return what
-- opens that: once, to the very next transaction of this session, which sees that this one was committed. Null, and nothing
-- is written, for whoever has no business there.
CREATE OR REPLACE FUNCTION troth.look_at_members(org uuid, whose uuid, of_kind text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    who uuid := troth.viewer();
    opens text := encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
    here record := troth.this_turn();
BEGIN
    IF NOT coalesce('see' = ANY (troth.powers_in(org, who)), false) OR whose IS NOT NULL AND troth.powers_in(org, whose) IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO troth.organization_look (subject, organization, whom, kind, digest, session, turn)
    VALUES (who, org, whose, of_kind, sha256(convert_to(opens, 'UTF8')), pg_backend_pid(), here.slot || '/' || here.turn + 1);
    PERFORM troth.record('members-read', who, whose, troth.told_of(org) || jsonb_build_object('kind', of_kind));
    RETURN opens;
END
$$;

-- name: looked
-- What this transaction may see of an organization that the viewer administers: all of it, or with `whom` that person alone.
-- It is the look whose token the transaction carries, if this is the turn that the look was for. An old snapshot would not see
-- that somebody left or administers no longer: none opens anything.
CREATE OR REPLACE FUNCTION troth.looked(OUT organization uuid, OUT whom uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT this.organization, this.whom
    FROM troth.organization_look AS this CROSS JOIN LATERAL troth.this_turn() AS here
    WHERE this.digest = sha256(convert_to(current_setting('troth.look', true), 'UTF8'))
      AND this.subject = troth.viewer() AND this.organization = ANY (troth.administered_organizations())
      AND this.session = pg_catalog.pg_backend_pid() AND this.turn = here.slot || '/' || here.turn
      AND current_setting('transaction_isolation') = 'read committed'
$$;

-- name: looked_organization
-- The organization that is looked at. A row rule asks, and it is bare, so that an index can answer it.
CREATE OR REPLACE FUNCTION troth.looked_organization() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT look.organization FROM troth.looked() AS look
$$;

-- name: looked_first
-- The first subject that is looked at, in their order: one alone, or any.
CREATE OR REPLACE FUNCTION troth.looked_first() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(look.whom, '00000000-0000-0000-0000-000000000000') FROM troth.looked() AS look
    WHERE look.organization IS NOT NULL
$$;

-- name: looked_last
-- The last of them.
CREATE OR REPLACE FUNCTION troth.looked_last() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(look.whom, 'ffffffff-ffff-ffff-ffff-ffffffffffff') FROM troth.looked() AS look
    WHERE look.organization IS NOT NULL
$$;

-- name: looked_member
-- The one person who is looked at, who is in the organization still: what they tell in their own profile opens to no other look.
CREATE OR REPLACE FUNCTION troth.looked_member() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT m.subject FROM troth.looked() AS look
    JOIN troth.membership AS m ON m.subject = look.whom AND m.organization = look.organization AND m.ended_at IS NULL
$$;

-- name: looks_at_me
-- Who looked at the viewer, alone or among the members of an organization that they are in, the newest first. Whoever looks at
-- others in an organization's name is named to them, as the operator's staff is.
CREATE OR REPLACE FUNCTION troth.looks_at_me(before timestamptz, most integer) RETURNS TABLE (
    look uuid, organization uuid, organization_name text, who text, kind text, alone boolean, at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT found.look, found.organization, known.name, person.name, found.kind, found.whom IS NOT NULL, found.at
    FROM (
        SELECT one.subject, one.look, one.organization, one.whom, one.kind, one.at FROM troth.organization_look AS one WHERE one.whom = troth.viewer()
        UNION ALL
        SELECT every.subject, every.look, every.organization, every.whom, every.kind, every.at FROM troth.membership AS mine
        JOIN troth.organization_look AS every ON every.organization = mine.organization AND every.at >= mine.at
        WHERE mine.subject = troth.viewer() AND mine.ended_at IS NULL AND every.whom IS NULL
    ) AS found
    LEFT JOIN troth.organization AS known ON known.organization = found.organization
    LEFT JOIN troth.person AS person ON person.subject = found.subject
    WHERE found.subject <> troth.viewer() AND found.at < before
    ORDER BY found.at DESC, found.look DESC LIMIT most
$$;

-- name: forget_looks
-- Remove looks of more than a year ago; the ledger keeps that there was one.
CREATE OR REPLACE FUNCTION troth.forget_looks() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM troth.organization_look WHERE at < statement_timestamp() - interval '365 days'
$$;
