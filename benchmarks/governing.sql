-- name: load_governed
SET session_replication_role = replica;
SET synchronous_commit = off;
INSERT INTO troth.subject (subject, kind)
SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, 'person' FROM generate_series(1, %(subjects)s) AS i;
INSERT INTO troth.permitted (subject, uses)
SELECT subject, CASE WHEN abs(uuid_hash(subject)) % 10 < 3 THEN everything & ~understand ELSE everything END
FROM troth.subject, (SELECT bit_or(1::bigint << bit) AS everything,
                            bit_or(1::bigint << bit) FILTER (WHERE purpose = 'understand') AS understand FROM troth.unit) AS bits
WHERE kind = 'person';
INSERT INTO troth.access (subject, at, id, method, url, status, ip, browser, system, kind, uses)
SELECT p.subject, statement_timestamp() - (i %% (28 * 86400)) * interval '1 second', uuidv7(), 'GET', '/docs/page-' || (i %% 977), 200,
       ('10.' || (i %% 250) || '.' || (i %% 199) || '.7')::inet, 'Firefox 140', 'Linux', 'computer', p.uses
FROM generate_series(1, %(events)s) AS i
JOIN troth.permitted AS p
  ON p.subject = ('00000000-0000-4000-8000-' || lpad(to_hex(1 + (i * 7919::bigint) %% %(subjects)s), 12, '0'))::uuid;
SET session_replication_role = origin;
VACUUM ANALYZE troth.access;
VACUUM ANALYZE troth.permitted

-- name: load_raw
CREATE SCHEMA raw;
CREATE TABLE raw.access (
    subject uuid NOT NULL, at timestamptz NOT NULL, id uuid NOT NULL,
    day date NOT NULL GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED,
    status smallint, method text, url text, referrer text, ip inet,
    network cidr GENERATED ALWAYS AS (network(set_masklen(ip, CASE family(ip) WHEN 4 THEN 24 ELSE 48 END))) STORED,
    browser text, system text, kind text, PRIMARY KEY (subject, at, id)
) PARTITION BY RANGE (at);
CREATE INDEX ON raw.access (at, subject);
DO $$ DECLARE part record; BEGIN -- the same months: what is compared is governing, not partitioning
FOR part IN SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'troth.access'::regclass LOOP EXECUTE format('CREATE TABLE raw.%I PARTITION OF raw.access %s', part.relname, part.bound); END LOOP; END $$;
INSERT INTO raw.access (subject, at, id, status, method, url, referrer, ip, browser, system, kind)
SELECT subject, at, id, status, method, url, referrer, ip, browser, system, kind FROM troth.access;
VACUUM ANALYZE raw.access

-- name: permitted
SELECT count(*) FROM troth.access AS a, troth.unit AS u WHERE u.purpose = 'understand' AND (a.uses >> u.bit) & 1 = 1

-- name: keys
SELECT a.subject, a.at FROM troth.access AS a, troth.unit AS u
WHERE u.purpose = 'understand' AND (a.uses >> u.bit) & 1 = 1 AND a.id::text ~ '[0-3]$' LIMIT 500

-- name: subjects
SELECT subject, uses FROM troth.permitted WHERE uses > 0 AND subject <> '00000000-0000-0000-0000-000000000000' LIMIT 500

-- name: point
SELECT url FROM access WHERE subject = %s AND at = %s

-- name: page
SELECT at, url FROM access WHERE subject = %s ORDER BY at DESC LIMIT 20

-- name: aggregate
SELECT day, count(*) FROM access GROUP BY day

-- name: count
SELECT count(*) FROM access

-- name: self_join
SELECT count(*) FROM access AS a JOIN access AS b ON a.subject = b.subject AND a.url = b.url
WHERE a.subject < '00000000-0000-4000-8000-000000001000'

-- name: prefix
SELECT count(*) FROM access WHERE url ^@ '/docs/page-97'

-- name: insert
INSERT INTO access (subject, at, id, method, url, status, uses)
SELECT s, statement_timestamp(), uuidv7(), 'GET', '/docs', 200, u FROM unnest(%s::uuid[], %s::bigint[]) AS t (s, u)

-- name: insert_raw
INSERT INTO access (subject, at, id, method, url, status)
SELECT s, statement_timestamp(), uuidv7(), 'GET', '/docs', 200 FROM unnest(%s::uuid[]) AS t (s)

-- name: heavy
-- Give one more subject so many rows, governed and not.
WITH who AS (SELECT gen_random_uuid() AS subject), made AS (
    INSERT INTO troth.subject (subject, kind) SELECT subject, 'person' FROM who
), allowed AS (
    INSERT INTO troth.permitted (subject, uses) SELECT subject, 0 FROM who
), governed AS (
    INSERT INTO troth.access (subject, at, id, url)
    SELECT subject, statement_timestamp() - i * interval '1 second', uuidv7(), '/' FROM who, generate_series(1, %(many)s) AS i
), plain AS (
    INSERT INTO raw.access (subject, at, id, url)
    SELECT subject, statement_timestamp() - i * interval '1 second', uuidv7(), '/' FROM who, generate_series(1, %(many)s) AS i
) SELECT subject FROM who

-- name: update_raw
UPDATE raw.access SET status = coalesce(status, 0) + 1 WHERE subject = %(subject)s

-- name: restamp
SELECT troth.restamp(%(subject)s, %(stamp)s)
