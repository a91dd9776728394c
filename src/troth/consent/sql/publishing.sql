-- name: propose_policy
-- A publisher or owner proposes a version, word for word, and may ask more of people than the comparison does. Raises TR040.
CREATE OR REPLACE FUNCTION troth.propose_policy(words text, of_terms text, beyond integer) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    who uuid := troth.staff_viewer('{publisher,owner}');
    made troth.policy_proposal;
BEGIN
    INSERT INTO troth.policy_proposal (subject, source, terms, digest, terms_digest, raised) VALUES (
        who, words, of_terms, encode(sha256(convert_to(words, 'UTF8')), 'hex'), encode(sha256(convert_to(of_terms, 'UTF8')), 'hex'), beyond
    ) RETURNING * INTO made;
    PERFORM troth.record('policy-proposed', who, who, jsonb_build_object('policy', made.digest, 'terms', made.terms_digest));
    RETURN made.proposal;
END
$$;

-- name: approve_policy
-- Another publisher or owner approves it. Raises TR040, TR045 for who proposed it, TR046 when it is not open any more.
CREATE OR REPLACE FUNCTION troth.approve_policy(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    who uuid := troth.staff_viewer('{publisher,owner}');
    meant troth.policy_proposal;
BEGIN
    SELECT * INTO meant FROM troth.policy_proposal WHERE proposal = which AND closed_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this proposal is not open any more' USING ERRCODE = 'TR046';
    END IF;
    IF meant.subject = who THEN
        RAISE EXCEPTION 'another person must approve what you propose' USING ERRCODE = 'TR045';
    END IF;
    INSERT INTO troth.policy_approval (subject, proposal) VALUES (who, which) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM troth.record('policy-approved', who, who, jsonb_build_object('policy', meant.digest, 'terms', meant.terms_digest));
    END IF;
END
$$;

-- name: withdraw_proposal
-- Whoever proposed it, or an owner, takes it back, from its day too when it waits for that. Raises TR040, TR046.
CREATE OR REPLACE FUNCTION troth.withdraw_proposal(which uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    who uuid := troth.staff_viewer('{publisher,owner}');
    words text;
    of_terms text;
BEGIN
    UPDATE troth.policy_proposal SET closed_at = statement_timestamp(), outcome = 'withdrawn'
    WHERE proposal = which AND closed_at IS NULL AND (subject = who OR 'owner' = ANY (troth.staff_roles(who)))
    RETURNING digest, terms_digest INTO words, of_terms;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this proposal is not open any more' USING ERRCODE = 'TR046';
    END IF;
    UPDATE troth.policy_scheduled SET closed_at = statement_timestamp(), outcome = 'withdrawn'
    WHERE digest = words AND terms_digest = of_terms AND closed_at IS NULL;
    IF FOUND THEN
        UPDATE troth.policy_proposal SET closed_at = statement_timestamp(), outcome = 'withdrawn'
        WHERE digest = words AND terms_digest = of_terms AND closed_at IS NULL;
    END IF;
    PERFORM troth.record('proposal-withdrawn', who, who, jsonb_build_object('policy', words));
END
$$;

-- name: proposals
-- What was proposed, for publishers and owners: by whom, who else approved, and what became of it.
CREATE OR REPLACE FUNCTION troth.proposals() RETURNS TABLE (
    proposal uuid, source text, terms text, digest text, terms_digest text, at timestamptz, closed_at timestamptz,
    outcome text, sentence text, mine boolean, name text, approved_by text [], approved_by_me boolean, raised integer, waits_until date, counts jsonb
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT made.proposal, made.source, made.terms, made.digest, made.terms_digest, made.at, made.closed_at,
        made.outcome, made.sentence, made.subject = viewer.subject, person.name,
        ARRAY(
            SELECT coalesce(other.name, '') FROM troth.policy_approval AS given
            LEFT JOIN troth.person AS other ON other.subject = given.subject
            WHERE given.proposal = made.proposal ORDER BY given.at
        ),
        EXISTS (SELECT FROM troth.policy_approval AS given WHERE given.proposal = made.proposal AND given.subject = viewer.subject),
        made.raised,
        (SELECT coming.effective_on FROM troth.policy_scheduled AS coming
         WHERE coming.digest = made.digest AND coming.terms_digest = made.terms_digest AND coming.closed_at IS NULL AND made.closed_at IS NULL),
        made.counts
    FROM (SELECT troth.staff_viewer('{publisher,owner}') AS subject) AS viewer
    CROSS JOIN troth.policy_proposal AS made LEFT JOIN troth.person AS person ON person.subject = made.subject
    ORDER BY made.proposal DESC LIMIT 50
$$;

-- name: proposal_standing
-- How an open proposal of these words, which asks at least so much of people, stands: how many publish (a role that ended within a day still counts, so that
-- nobody is left alone on purpose), whether whoever proposed still does, and how many others who do have approved it.
CREATE OR REPLACE FUNCTION troth.proposal_standing(words text, of_terms text, beyond integer)
RETURNS TABLE (proposal uuid, publishers bigint, proposer boolean, approvals bigint, counted boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    WITH publishing AS (
        SELECT held.subject, bool_or(held.until IS NULL) AS now FROM troth.staff AS held
        WHERE held.role IN ('publisher', 'owner') AND coalesce(held.until > statement_timestamp() - interval '1 day', true)
        GROUP BY 1
    )
    SELECT made.proposal, (SELECT count(*) FROM publishing), coalesce(bool_or(proposing.now), false),
        count(other.subject) FILTER (WHERE other.now), coalesce(bool_or(made.counts IS NOT NULL), false)
    FROM (SELECT 1) AS always
    LEFT JOIN troth.policy_proposal AS made
        ON made.digest = words AND made.terms_digest = of_terms AND made.raised >= beyond AND made.closed_at IS NULL
    LEFT JOIN publishing AS proposing ON proposing.subject = made.subject
    LEFT JOIN troth.policy_approval AS given ON given.proposal = made.proposal AND given.subject <> made.subject
    LEFT JOIN publishing AS other ON other.subject = given.subject
    GROUP BY made.proposal ORDER BY 4 DESC, 3 DESC, 1 LIMIT 1
$$;

-- name: close_proposal
-- The keeper says what became of every open proposal of these words.
CREATE OR REPLACE FUNCTION troth.close_proposal(words text, of_terms text, became text, why text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    UPDATE troth.policy_proposal SET closed_at = statement_timestamp(), outcome = became, sentence = why
    WHERE digest = words AND terms_digest = of_terms AND closed_at IS NULL
$$;

-- name: close_scheduled
-- The keeper, or the operator's key, ends a version's waiting. Raises TR046 when it does not wait any more.
CREATE OR REPLACE FUNCTION troth.close_scheduled(which uuid, became text, why text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    UPDATE troth.policy_scheduled SET closed_at = statement_timestamp(), outcome = became, sentence = why
    WHERE scheduled = which AND closed_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this version does not wait any more' USING ERRCODE = 'TR046';
    END IF;
END
$$;

-- name: count_proposal
-- The keeper says whom every open proposal of these words would touch; without anything found it only holds them, so that nobody takes
-- back what just takes effect.
CREATE OR REPLACE FUNCTION troth.count_proposal(words text, of_terms text, found jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    UPDATE troth.policy_proposal SET counts = coalesce(found, counts) WHERE digest = words AND terms_digest = of_terms AND closed_at IS NULL
$$;
