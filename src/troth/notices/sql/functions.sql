-- name: post
-- Put a notice into the outbox, in the caller's own transaction.
CREATE OR REPLACE FUNCTION troth.post(whose uuid, to_address text, by_template text, with_facts jsonb) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO troth.notice (subject, address, template, facts)
    VALUES (whose, to_address, by_template, with_facts) RETURNING notice
$$;
