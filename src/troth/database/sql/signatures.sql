-- name: version_signed
-- The newest version, by what its texts are and not by what is said of them, and whether nothing was ever signed.
SELECT v.version, encode(sha256(convert_to(v.source, 'UTF8')), 'hex'), encode(sha256(convert_to(v.terms, 'UTF8')), 'hex'), v.effective_on,
    s.signature, NOT EXISTS (SELECT FROM troth.policy_signature)
FROM troth.policy_version AS v LEFT JOIN troth.policy_signature AS s ON s.version = v.version AND s.signer = %(signer)s
ORDER BY v.version DESC LIMIT 1

-- name: add_signature
INSERT INTO troth.policy_signature (version, signer, signature) VALUES (%(version)s, %(signer)s, %(signature)s)
ON CONFLICT (version, signer) DO UPDATE SET signature = excluded.signature

-- name: signer_known
SELECT 1 FROM troth.policy_signature WHERE signer = %(signer)s LIMIT 1
