-- name: accesses
-- The viewer's accesses, newest first. A prefix is a range, since only leakproof operators can use an index here.
SELECT at, method, url, status, referrer, host(ip), text(network), place, provider, browser, system, kind
FROM troth.access
WHERE (%(before)s::timestamptz IS NULL OR at < %(before)s)
  AND (%(day)s::date IS NULL OR day = %(day)s)
  AND (%(path)s = '' OR url ^@ %(path)s)
ORDER BY at DESC LIMIT %(limit)s

-- name: opened
-- What some subjects opened, the newest first, as far as the purpose that asks sees it.
SELECT url FROM access WHERE subject = ANY (%(subjects)s) ORDER BY at DESC LIMIT %(latest)s

-- name: many_accesses
SELECT count(*) FROM troth.access

-- name: timeline_access
SELECT at, id, '' AS application, concat_ws(' ', method, url) AS words, browser AS more,
    jsonb_strip_nulls(jsonb_build_object(
        'method', method, 'url', url, 'status', status, 'referrer', referrer, 'ip', ip, 'place', place, 'provider', provider,
        'browser', browser, 'system', system, 'kind', kind
    )) AS fields
FROM troth.access
WHERE (at, id) < (%(at)s, %(id)s) ORDER BY at DESC, id DESC LIMIT %(limit)s

-- name: timeline_crash
SELECT at, id, application, concat_ws(': ', kind, message) AS words, release AS more, metadata,
    jsonb_strip_nulls(jsonb_build_object(
        'kind', kind, 'message', message, 'stack', stack, 'release', release, 'environment', environment, 'fingerprint', fingerprint
    )) AS fields
FROM troth.crash
WHERE (at, id) < (%(at)s, %(id)s) ORDER BY at DESC, id DESC LIMIT %(limit)s

-- name: timeline_activity
SELECT at, id, application, concat_ws(': ', event, message) AS words, severity AS more, metadata,
    jsonb_strip_nulls(jsonb_build_object(
        'event', event, 'message', message, 'severity', severity, 'release', release, 'environment', environment
    )) AS fields
FROM troth.activity
WHERE (at, id) < (%(at)s, %(id)s) ORDER BY at DESC, id DESC LIMIT %(limit)s

-- name: timeline_feature_use
SELECT at, id, application, feature AS words, outcome AS more, metadata,
    jsonb_strip_nulls(jsonb_build_object('feature', feature, 'outcome', outcome)) AS fields
FROM troth.feature_use
WHERE (at, id) < (%(at)s, %(id)s) ORDER BY at DESC, id DESC LIMIT %(limit)s

-- name: timeline_page_view
SELECT at, id, application, concat_ws(' ', method, url) AS words, concat_ws(', ', browser, system, model) AS more, metadata,
    jsonb_strip_nulls(jsonb_build_object(
        'method', method, 'url', url, 'status', status, 'referrer', referrer, 'browser', browser, 'system', system, 'kind', kind,
        'model', model
    )) AS fields
FROM troth.page_view
WHERE (at, id) < (%(at)s, %(id)s) ORDER BY at DESC, id DESC LIMIT %(limit)s

-- name: timeline_transaction
SELECT at, id, application, item AS words, amount::text || ' ' || currency AS more, metadata,
    jsonb_strip_nulls(jsonb_build_object('item', item, 'amount', amount::text, 'currency', currency)) AS fields
FROM troth.transaction
WHERE (at, id) < (%(at)s, %(id)s) ORDER BY at DESC, id DESC LIMIT %(limit)s

-- name: timeline_location
SELECT at, id, application, latitude::text || ', ' || longitude::text AS words, source AS more, metadata,
    jsonb_strip_nulls(jsonb_build_object(
        'latitude', latitude, 'longitude', longitude, 'accuracy', accuracy, 'altitude', altitude, 'source', source
    )) AS fields
FROM troth.location
WHERE (at, id) < (%(at)s, %(id)s) ORDER BY at DESC, id DESC LIMIT %(limit)s

-- name: uses_of_own
SELECT nth, uses FROM troth.uses_of_own(%(tables)s, %(moments)s, %(ids)s) WHERE uses IS NOT NULL

-- name: remove_own
SELECT troth.remove_own(%(table)s, %(at)s, %(id)s)

-- name: by_day
SELECT day, count(*) FROM troth.access WHERE at > statement_timestamp() - interval '720 hours' GROUP BY day ORDER BY day

-- name: counts
SELECT day, outcome, kind, reason, clause, count FROM troth.intake_count
WHERE outcome <> 'counted' ORDER BY day DESC, outcome, kind, reason, clause LIMIT 100

-- name: reports
-- What was counted without a row, apart from what was refused, so that neither hides the other; the most frequent first.
SELECT day, outcome, kind, reason, clause, count FROM troth.intake_count
WHERE outcome = 'counted' ORDER BY day DESC, count DESC, kind, reason LIMIT 50

-- name: refused
-- What was refused in the last month: by the clause that does, or by none, so that neither hides the other.
SELECT min(day) AS day, outcome, kind, reason, clause, sum(count)::bigint AS count FROM troth.intake_count
WHERE outcome = 'refused' AND (clause <> '') = %(by_clause)s AND day > (statement_timestamp() AT TIME ZONE 'UTC')::date - 30
GROUP BY outcome, kind, reason, clause ORDER BY count DESC, clause, kind, reason LIMIT 20

-- name: lost
SELECT min(day) AS day, outcome, '' AS kind, reason, '' AS clause, sum(count)::bigint AS count FROM troth.intake_count
WHERE outcome = 'dropped' AND day > (statement_timestamp() AT TIME ZONE 'UTC')::date - 30
GROUP BY outcome, reason ORDER BY count DESC, reason

-- name: nodes
-- The processes that said something in the last minute, the oldest first.
SELECT
    started, latest,
    figures[1] AS accesses, figures[2] AS events, figures[3] AS shelved, figures[4] AS kept,
    figures[5] AS shed, figures[6] AS wrong, figures[7] AS stopped
FROM troth.intake_node WHERE seen > statement_timestamp() - interval '1 minute' ORDER BY started, node

-- name: found
-- How often each detector found something in the last month, by kind of event.
SELECT reason, kind, sum(count)::bigint FROM troth.intake_count
WHERE outcome = 'reduced' AND day > (statement_timestamp() AT TIME ZONE 'UTC')::date - 30
GROUP BY reason, kind ORDER BY reason, kind

-- name: forget
SELECT troth.forget_intake()

-- name: forget_imported
SELECT troth.forget_imported(%(longest)s)

-- name: forget_rollups
SELECT troth.forget_rollups()

-- name: rolled
SELECT at, application, value, count FROM troth.rolled(%(kinds)s, %(dimension)s, %(since)s, %(till)s, %(step)s)

-- name: refusals
SELECT day, kind, reason, clause, count FROM troth.refused_event ORDER BY day DESC, kind, reason, clause LIMIT 50

-- name: crashes
SELECT at, application, kind, message, release, environment, metadata FROM troth.crash ORDER BY at DESC LIMIT %(limit)s

-- name: activities
SELECT at, application, event, severity, message, metadata FROM troth.activity ORDER BY at DESC LIMIT %(limit)s

-- name: feature_uses
SELECT at, application, feature, outcome, metadata FROM troth.feature_use ORDER BY at DESC LIMIT %(limit)s

-- name: page_views
SELECT at, application, url, referrer, browser, system, model, method, status, metadata FROM troth.page_view
ORDER BY at DESC LIMIT %(limit)s

-- name: transactions
SELECT at, application, item, amount, currency, metadata FROM troth.transaction ORDER BY at DESC LIMIT %(limit)s

-- name: locations
SELECT at, application, latitude, longitude, accuracy, altitude, source, metadata FROM troth.location
ORDER BY at DESC LIMIT %(limit)s

-- name: last_page_view
SELECT application, max(at) FROM troth.page_view GROUP BY application

-- name: last_feature_use
SELECT application, max(at) FROM troth.feature_use GROUP BY application
