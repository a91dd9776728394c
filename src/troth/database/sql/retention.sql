-- name: retain
-- One batch, in a transaction of its own: how many rows it removed or made coarser.
SELECT troth.retain(%(run)s)

-- name: end_run
SELECT troth.end_run(%(run)s)

-- name: run_counts
SELECT coalesce(sum(removed), 0), coalesce(sum(coarsened), 0) FROM troth.retention_run WHERE run = %(run)s

-- name: retention_status
SELECT table_name, rows, due, fine, oldest, next_due, statement_timestamp() FROM troth.retention_status()

-- name: last_run
-- The run that finished last, by table.
SELECT table_name, removed, coarsened, finished_at FROM troth.retention_run
WHERE run = (SELECT run FROM troth.retention_run WHERE finished_at IS NOT NULL ORDER BY finished_at DESC, run DESC LIMIT 1)
