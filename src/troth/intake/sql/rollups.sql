-- name: roll_salt
-- What turns a person into a bit of today's sketches. One that was made just now is not yet for keeping: its transaction may fail.
CREATE OR REPLACE FUNCTION troth.roll_salt(OUT day date, OUT salt uuid, OUT fresh boolean) RETURNS record
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    day := (statement_timestamp() AT TIME ZONE 'UTC')::date;
    INSERT INTO troth.rollup_salt (day) VALUES (roll_salt.day) ON CONFLICT DO NOTHING;
    fresh := FOUND;
    SELECT held.salt INTO salt FROM troth.rollup_salt AS held WHERE held.day = roll_salt.day;
    DELETE FROM troth.rollup_salt AS held WHERE held.day < roll_salt.day;
END
$$;

-- name: roll
-- Add to counts. Of an hour's values of a dimension the first fifty are known by their own word, and all that come later by one.
-- Bits that salts of two days made are not put together, since somebody may have one of each: the larger number of people stays.
CREATE OR REPLACE FUNCTION troth.roll(
    hours timestamptz [], kinds text [], applications text [], dimensions text [], words text [], counts bigint [], sketches bigint [],
    of_day date
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    WITH told AS (
        SELECT each.*, held.value IS NOT NULL AS known,
               row_number() OVER (PARTITION BY each.hour, each.kind, each.application, each.dimension, held.value IS NULL) AS nth
        FROM unnest(hours, kinds, applications, dimensions, words, counts, sketches)
            AS each (hour, kind, application, dimension, word, count, people)
        LEFT JOIN troth.rollup AS held
            ON (held.hour, held.kind, held.application, held.dimension, held.value)
             = (each.hour, each.kind, each.application, each.dimension, each.word)
    ), bounded AS (
        SELECT told.hour, told.kind, told.application, told.dimension, told.count, told.people,
               CASE WHEN told.known OR told.nth + (
                   SELECT count(*) FROM troth.rollup AS other
                   WHERE (other.hour, other.kind, other.application, other.dimension)
                       = (told.hour, told.kind, told.application, told.dimension)
               ) <= 50 THEN told.word ELSE 'other' END AS word
        FROM told
    )
    INSERT INTO troth.rollup AS r (hour, kind, application, dimension, value, count, people, salted)
    SELECT b.hour, b.kind, b.application, b.dimension, b.word, sum(b.count), bit_or(b.people), of_day FROM bounded AS b
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (hour, kind, application, dimension, value) DO UPDATE SET
        count = r.count + excluded.count,
        (people, salted) = (
            SELECT told.people, told.salted FROM (VALUES
                (CASE WHEN r.salted = excluded.salted THEN r.people | excluded.people ELSE r.people END, r.salted),
                (excluded.people, excluded.salted)
            ) AS told (people, salted) ORDER BY bit_count(told.people::bit(64)) DESC, told.salted = r.salted DESC LIMIT 1
        )
$$;

-- name: rolled
-- Counts of kinds between two moments, by hour, by day, or (another step) of the whole time. Only what at least five people of one day
-- had to do with (as the salt of one day told them apart) is counted out, and only in whole fives, so that no difference of two counts is a count of fewer. All else stands
-- in one row without word and number; so does what came after the first fifty, in which a person may have set more than one bit.
CREATE OR REPLACE FUNCTION troth.rolled(of_kinds text [], of_dimension text, since timestamptz, till timestamptz, step text)
RETURNS TABLE (at timestamptz, application text, value text, count bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    WITH days AS (
        SELECT CASE WHEN step IN ('hour', 'day') THEN date_trunc(step, r.hour, 'UTC') ELSE since END AS at,
               r.application, r.value, sum(r.count) AS count,
               CASE r.value WHEN 'other' THEN 0 ELSE bit_count(bit_or(r.people)::bit(64)) END AS people
        FROM troth.rollup AS r
        WHERE r.hour >= since AND r.hour < till AND r.kind = ANY (of_kinds) AND r.dimension = of_dimension
        GROUP BY 1, 2, 3, r.kind, date_trunc('day', r.hour, 'UTC'), r.salted
    ), told AS (
        SELECT d.at, d.application, d.value, sum(d.count) AS count, max(d.people) >= 5 AS enough FROM days AS d GROUP BY 1, 2, 3
    )
    SELECT t.at, t.application, t.value, (t.count - t.count % 5)::bigint FROM told AS t WHERE t.enough
    UNION ALL
    SELECT t.at, t.application, NULL, NULL FROM told AS t WHERE NOT t.enough GROUP BY 1, 2
    ORDER BY 1, 4 DESC NULLS LAST, 2, 3
$$;

-- name: forget_rollups
-- Forget counts of more than thirteen months ago, the salts of days that are over, and of what applications named until then the
-- words that fewer than five people of a day had to do with, which no page tells.
CREATE OR REPLACE FUNCTION troth.forget_rollups() RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM troth.rollup WHERE hour < statement_timestamp() - interval '9600 hours';
    DELETE FROM troth.rollup_salt WHERE day < (statement_timestamp() AT TIME ZONE 'UTC')::date;
    WITH seen AS (
        SELECT r.kind, r.application, r.dimension, r.value, date_trunc('day', r.hour, 'UTC') AS day,
               bit_count(bit_or(r.people)::bit(64)) AS people
        FROM troth.rollup AS r
        WHERE r.salted >= (statement_timestamp() AT TIME ZONE 'UTC')::date - 7 AND r.application <> ''
          AND r.value NOT IN ('', 'other')
        GROUP BY 1, 2, 3, 4, 5, r.salted
    ), few AS (
        SELECT s.kind, s.application, s.dimension, s.value, s.day FROM seen AS s GROUP BY 1, 2, 3, 4, 5 HAVING max(s.people) < 5
    ), gone AS (
        DELETE FROM troth.rollup AS r USING few AS f
        WHERE r.hour >= f.day AND r.hour < f.day + interval '24 hours'
          AND (r.kind, r.application, r.dimension, r.value) = (f.kind, f.application, f.dimension, f.value)
          AND r.salted < (statement_timestamp() AT TIME ZONE 'UTC')::date
        RETURNING r.hour, r.kind, r.application, r.dimension, r.count, r.salted
    )
    INSERT INTO troth.rollup AS r (hour, kind, application, dimension, value, count, people, salted)
    SELECT g.hour, g.kind, g.application, g.dimension, 'other', sum(g.count), 0, max(g.salted) FROM gone AS g
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (hour, kind, application, dimension, value) DO UPDATE SET count = r.count + excluded.count
$$;
