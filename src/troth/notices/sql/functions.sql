-- name: post
-- Put a notice into the outbox, in the caller's own transaction. Facts that name a `batch` make it one of many, which wait
-- behind every notice that is not; facts that name a `channel` say how it reaches its person, otherwise by mail.
CREATE OR REPLACE FUNCTION troth.post(whose uuid, to_address text, by_template text, with_facts jsonb) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO troth.notice (subject, address, template, facts, batch, channel)
    VALUES (whose, to_address, by_template, with_facts, (with_facts ->> 'batch')::uuid, coalesce(with_facts ->> 'channel', 'e-mail'))
    RETURNING notice
$$;

-- name: settle_notice
-- Take a notice out of the outbox for good, and note what became of it as far as a clause collects that: `how` is sent, failed
-- or withdrawn (it was not sent, because its person does not permit it any more), `reply` the mail server's code.
CREATE OR REPLACE FUNCTION troth.settle_notice(whose uuid, which uuid, how text, reply text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE gone troth.notice;
BEGIN
    DELETE FROM troth.notice AS n WHERE n.subject = whose AND n.notice = which RETURNING n.* INTO gone;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF how <> 'withdrawn' AND has_column_privilege(current_user, 'troth.notice_outcome', 'outcome', 'INSERT') THEN
        INSERT INTO troth.notice_outcome (subject, notice, batch, template, outcome, said)
        SELECT s.subject, which, gone.batch, gone.template, how, reply FROM troth.subject AS s
        WHERE s.subject = whose AND s.kind = 'person' AND s.ended_at IS NULL
        ON CONFLICT (subject, notice) DO NOTHING;
    END IF;
    PERFORM troth.tally_notice(gone.batch, how);
END
$$;

-- name: tally_notice
-- Count one more of a send that ended in some way.
CREATE OR REPLACE FUNCTION troth.tally_notice(of_batch uuid, how text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO troth.notice_tally AS told (batch, outcome, many)
    VALUES (coalesce(of_batch, '00000000-0000-0000-0000-000000000000'), how, 1)
    ON CONFLICT (batch, outcome) DO UPDATE SET many = told.many + 1
$$;

-- name: bounce_notice
-- Note that a notice which had been sent came back for good, and return whether there was one: once, however often it is said.
CREATE OR REPLACE FUNCTION troth.bounce_notice(which uuid, reply text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE of_batch uuid;
BEGIN
    IF NOT has_column_privilege(current_user, 'troth.notice_outcome', 'outcome', 'UPDATE') THEN
        RETURN false;
    END IF;
    UPDATE troth.notice_outcome AS o SET outcome = 'bounced', said = reply
    WHERE o.notice = which AND o.outcome = 'sent' RETURNING o.batch INTO of_batch;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM troth.tally_notice(of_batch, 'bounced');
    RETURN true;
END
$$;
