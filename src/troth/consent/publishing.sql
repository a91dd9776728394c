-- name: propose_policy
SELECT troth.propose_policy(%(source)s, %(terms)s)

-- name: approve_policy
SELECT troth.approve_policy(%(proposal)s)

-- name: withdraw_proposal
SELECT troth.withdraw_proposal(%(proposal)s)

-- name: proposals
SELECT proposal, source, terms, digest, terms_digest, at, closed_at, outcome, sentence, mine, name, approved_by, approved_by_me
FROM troth.proposals()

-- name: proposal_standing
SELECT proposal, publishers, proposer, approvals FROM troth.proposal_standing(%(policy)s, %(terms)s)

-- name: close_proposal
SELECT troth.close_proposal(%(policy)s, %(terms)s, %(outcome)s, %(sentence)s)
