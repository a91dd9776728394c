-- name: months
-- The partitions of a table, with the moment at which each ends; nothing for the one that takes whatever no other does.
SELECT c.relname, substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = %(parent)s::regclass ORDER BY 2

-- name: brief_wait
SELECT set_config('lock_timeout', '25ms', true)

-- name: count_removed
INSERT INTO troth.retention_run (run, table_name, removed, coarsened) VALUES (%(run)s, %(table)s, %(removed)s, 0)
ON CONFLICT (run, table_name) DO UPDATE SET at = statement_timestamp(), removed = retention_run.removed + excluded.removed
