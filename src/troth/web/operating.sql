-- name: accesses_by_day
SELECT (at AT TIME ZONE 'UTC')::date, count(*) FROM access GROUP BY 1 ORDER BY 1
