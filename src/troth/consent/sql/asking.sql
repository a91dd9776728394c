-- name: open_question
-- A publisher or owner lets everybody be asked whether a purpose by consent may use what is theirs. Raises TR040, TR004 for a purpose
-- that is not in force, TR005 for one that needs no yes. Asked already, nothing changes.
CREATE OR REPLACE FUNCTION troth.open_question(about text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    who uuid := troth.staff_viewer('{publisher,owner}');
    footing text;
BEGIN
    SELECT basis INTO footing FROM troth.unit WHERE purpose = about AND retired_at IS NULL;
    IF footing IS NULL THEN
        RAISE EXCEPTION 'no such purpose' USING ERRCODE = 'TR004';
    ELSIF footing <> 'consent' THEN
        RAISE EXCEPTION 'this purpose needs no yes' USING ERRCODE = 'TR005';
    END IF;
    INSERT INTO troth.question (purpose) VALUES (about) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM troth.record('question-opened', who, NULL, jsonb_build_object('purpose', about));
    END IF;
END
$$;

-- name: close_question
-- Nobody is asked any more; answers stay. Raises TR040.
CREATE OR REPLACE FUNCTION troth.close_question(about text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE who uuid := troth.staff_viewer('{publisher,owner}');
BEGIN
    UPDATE troth.question SET closed_at = statement_timestamp() WHERE purpose = about AND closed_at IS NULL;
    IF FOUND THEN
        PERFORM troth.record('question-closed', who, NULL, jsonb_build_object('purpose', about));
    END IF;
END
$$;

-- name: answers
-- How many people said yes and no to a purpose in a time, by the last that each of them said then; fewer than five are not told.
-- A browser that is known is nobody's answer.
CREATE OR REPLACE FUNCTION troth.answers(about text, since timestamptz, till timestamptz) RETURNS TABLE (yes bigint, no bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT CASE WHEN told.yes >= 5 THEN told.yes END, CASE WHEN told.no >= 5 THEN told.no END
    FROM (
        SELECT count(*) FILTER (WHERE last.kind = 'consent') AS yes, count(*) FILTER (WHERE last.kind <> 'consent') AS no
        FROM (
            SELECT DISTINCT ON (choice.subject) choice.kind FROM troth.choice AS choice
            WHERE choice.purpose = about AND choice.at >= since AND choice.at <= till AND choice.subject < 'ffffffff-ffff-8000-8000-000000000000'
            ORDER BY choice.subject, choice.at DESC, choice.choice DESC
        ) AS last
    ) AS told
$$;

-- name: questions
-- Each question with how many people said yes and no since, for publishers and owners.
CREATE OR REPLACE FUNCTION troth.questions() RETURNS TABLE (
    question uuid, purpose text, at timestamptz, closed_at timestamptz, yes bigint, no bigint
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT asked.question, asked.purpose, asked.at, asked.closed_at, told.yes, told.no
    FROM (SELECT troth.staff_viewer('{publisher,owner}') AS subject) AS viewer
    JOIN troth.question AS asked ON viewer.subject IS NOT NULL
    CROSS JOIN LATERAL troth.answers(asked.purpose, asked.at, coalesce(asked.closed_at, 'infinity')) AS told
    ORDER BY asked.question DESC
$$;

-- name: asking
-- Each purpose by consent that the viewer is not in: whether the operator asks, whether they may be asked now, and their last answer. Who
-- said no may be asked again after some days, if any are told; who said yes to less than the purpose is now, at once.
CREATE OR REPLACE FUNCTION troth.asking(days integer) RETURNS TABLE (
    purpose text, open boolean, may boolean, kind text, at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT unit.purpose, EXISTS (SELECT FROM troth.question AS q WHERE q.purpose = unit.purpose AND q.closed_at IS NULL),
        last.at IS NULL OR last.kind = 'consent' OR (days > 0 AND last.at <= statement_timestamp() - make_interval(days => days)),
        last.kind, last.at
    FROM (SELECT troth.viewer() AS subject) AS viewer
    JOIN troth.unit AS unit ON unit.retired_at IS NULL AND unit.basis = 'consent'
    LEFT JOIN LATERAL (
        SELECT choice.kind, choice.at, choice.version FROM troth.choice AS choice
        WHERE choice.subject = viewer.subject AND choice.purpose = unit.purpose
        ORDER BY choice.at DESC, choice.choice DESC LIMIT 1
    ) AS last ON true
    WHERE viewer.subject IS NOT NULL AND (last.kind IS DISTINCT FROM 'consent' OR last.version < unit.since_version)
    ORDER BY unit.purpose
$$;
