-- name: subject_named
SELECT subject, ended_at FROM troth.subject WHERE subject = {subject} AND kind <> 'nobody'

-- name: subjects_with
-- Whose rows of a table hold a text, whatever its case.
SELECT s.subject, s.ended_at FROM troth.subject AS s
WHERE s.kind <> 'nobody' AND s.subject IN (SELECT subject FROM troth.{table} WHERE lower({column}::text) = lower({text}))

-- name: of_subject
{table}.{column} IN ({subjects})

-- name: tied_to
SELECT identifier FROM troth.tied WHERE subject = {subject} ORDER BY identifier

-- name: of_values
{table}.{column} = ANY ({values})

-- name: of_nobody
false

-- name: values_in
SELECT DISTINCT {column} FROM troth.{table} WHERE {condition}

-- name: values_of_all
SELECT {column} FROM troth.{table}

-- name: held_rows
-- Each row as JSON, in the words that PostgreSQL has for its values; `ends` is infinite while an account or a consent lasts.
SELECT {place} AS place, {at} AS at, to_jsonb(held) AS held, to_jsonb({ends})#>>'{{}}' AS ends
FROM (SELECT {columns} FROM troth.{table} WHERE {condition}) AS held

-- name: held_rows_in_order
{rows} ORDER BY place, at

-- name: how_many
SELECT count(*) FROM troth.{table} WHERE {condition}

-- name: kept_how_long
-- How many of the rows a window keeps, and until when the last of them.
SELECT count(*), to_jsonb(max({ends}))#>>'{{}}' FROM troth.{table} WHERE {condition} AND ({alive})

-- name: remove_rows
DELETE FROM troth.{table} WHERE {condition}

-- name: remove_outlasted
DELETE FROM troth.{table} WHERE {condition} AND NOT ({alive})

-- name: agreed_version
SELECT version FROM troth.standing({subject})

-- name: end
SELECT troth.end_subject({subject}, 'operator')

-- name: forget
SELECT troth.forget_unagreed({subject})

-- name: check_now
SET CONSTRAINTS ALL IMMEDIATE

-- name: own_subject
-- Who looks, and what their rows may be used for; no row for nobody.
SELECT p.subject, p.uses FROM troth.permitted AS p WHERE p.subject = (SELECT troth.viewer())

-- name: own_rows
subject = (SELECT troth.viewer())

-- name: in_place_of
{value} AS {column}
