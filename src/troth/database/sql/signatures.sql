-- name: versions_signed
-- Every version, the oldest first.
SELECT
    v.version, made.digest, made.terms, v.effective_on::text AS effective, v.floor, v.raised,
    (v.digest, v.terms_digest) = (made.digest, made.terms) AS named,
    (SELECT coalesce(jsonb_object_agg(encode(s.signer, 'hex'), encode(s.signature, 'hex')), '{}')
     FROM troth.policy_signature AS s WHERE s.version = v.version) AS signed
FROM troth.policy_version AS v
CROSS JOIN LATERAL (
    SELECT encode(sha256(convert_to(v.source, 'UTF8')), 'hex') AS digest, encode(sha256(convert_to(v.terms, 'UTF8')), 'hex') AS terms
) AS made
ORDER BY v.version

-- name: add_signature
INSERT INTO troth.policy_signature (version, signer, signature) VALUES (%(version)s, %(signer)s, %(signature)s)
ON CONFLICT (version, signer) DO UPDATE SET signature = excluded.signature

-- name: signer_known
SELECT 1 FROM troth.policy_signature WHERE signer = %(signer)s LIMIT 1
