-- name: accesses_by_day
SELECT (at AT TIME ZONE 'UTC')::date, count(*) FROM access GROUP BY 1 ORDER BY 1

-- name: crash_groups
-- What failed, grouped; numbers of people, and of times, in whole fives where at least five people were affected.
SELECT fingerprint, application, (array_agg(kind ORDER BY day DESC))[1] AS kind, (array_agg(stack ORDER BY day DESC))[1] AS stack,
       (array_agg(release ORDER BY day DESC))[1] AS release, min(day) AS first, max(day) AS last,
       CASE WHEN count(DISTINCT subject) >= 5 THEN count(DISTINCT subject) - count(DISTINCT subject) %% 5 END AS people,
       CASE WHEN count(DISTINCT subject) >= 5 THEN count(*) - count(*) %% 5 END AS times
FROM crash WHERE day >= %(since)s AND fingerprint IS NOT NULL
GROUP BY fingerprint, application ORDER BY people DESC NULLS LAST, last DESC, fingerprint LIMIT 20

-- name: crash_days
SELECT fingerprint, day, count(*) - count(*) %% 5 FROM crash WHERE day >= %(since)s AND fingerprint IS NOT NULL
GROUP BY fingerprint, day HAVING count(DISTINCT subject) >= 5 ORDER BY fingerprint, day
