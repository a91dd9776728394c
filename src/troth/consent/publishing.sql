-- name: propose_policy
SELECT troth.propose_policy(%(source)s, %(terms)s, %(raised)s)

-- name: approve_policy
SELECT troth.approve_policy(%(proposal)s)

-- name: withdraw_proposal
SELECT troth.withdraw_proposal(%(proposal)s)

-- name: proposals
SELECT proposal, source, terms, digest, terms_digest, at, closed_at, outcome, sentence, mine, name, approved_by, approved_by_me, raised,
    waits_until, counts
FROM troth.proposals()

-- name: proposal_standing
SELECT proposal, publishers, proposer, approvals, counted FROM troth.proposal_standing(%(policy)s, %(terms)s, %(raised)s)

-- name: close_proposal
SELECT troth.close_proposal(%(policy)s, %(terms)s, %(outcome)s, %(sentence)s)

-- name: schedule
INSERT INTO troth.policy_scheduled (version, source, terms, digest, terms_digest, effective_on, verdict, raised, signature)
VALUES (%(version)s, %(source)s, %(terms_text)s, %(policy)s, %(terms)s, %(effective)s, %(verdict)s, %(raised)s, %(signature)s)

-- name: scheduled
-- What waits for its day, if anything does.
SELECT scheduled, version, source, terms, digest, terms_digest, effective_on, verdict, raised, signature, at
FROM troth.policy_scheduled WHERE closed_at IS NULL

-- name: announced_otherwise
-- Whether a version of this number waited with other words and did not take effect: people may have been told of those.
SELECT true FROM troth.policy_scheduled
WHERE version = %(version)s AND outcome <> 'published' AND (digest, terms_digest) <> (%(policy)s, %(terms)s) LIMIT 1

-- name: countersign_scheduled
UPDATE troth.policy_scheduled SET signature = %(signature)s WHERE scheduled = %(scheduled)s

-- name: close_scheduled
SELECT troth.close_scheduled(%(scheduled)s, %(outcome)s, %(sentence)s)

-- name: as_steward
SELECT set_config('role', current_database() || '_steward', true)

-- name: count_proposal
SELECT troth.count_proposal(%(policy)s, %(terms)s, %(counts)s)
