-- name: observed_roles
-- Roles of this database (their names begin with it), with every attribute that widens what they can do.
SELECT rolname, concat_ws(' ',
    CASE WHEN rolcanlogin THEN 'login' END, CASE WHEN rolsuper THEN 'superuser' END,
    CASE WHEN rolcreaterole THEN 'createrole' END, CASE WHEN rolcreatedb THEN 'createdb' END,
    CASE WHEN rolreplication THEN 'replication' END, CASE WHEN rolbypassrls THEN 'bypassrls' END,
    CASE WHEN NOT rolinherit THEN 'noinherit' END, CASE WHEN rolconnlimit <> -1 THEN 'connections ' || rolconnlimit END)
FROM pg_roles WHERE starts_with(rolname, current_database() || '_') AND rolname <> %(owner)s
  -- A neighbour's roles begin with its longer name: `troth_staging_door` is no role of `troth`.
  AND NOT EXISTS (SELECT 1 FROM pg_database AS d WHERE starts_with(d.datname, current_database() || '_')
                  AND starts_with(rolname, d.datname || '_'))

-- name: observed_members
SELECT role.rolname, who.rolname, concat_ws(' ',
    CASE WHEN m.inherit_option THEN 'inherit' END, CASE WHEN m.set_option THEN 'set' END,
    CASE WHEN m.admin_option THEN 'admin' END)
FROM pg_auth_members AS m JOIN pg_roles AS role ON role.oid = m.roleid JOIN pg_roles AS who ON who.oid = m.member
WHERE (starts_with(role.rolname, current_database() || '_') OR starts_with(who.rolname, current_database() || '_'))
  AND who.rolname <> %(owner)s

-- name: observed_settings
SELECT coalesce(r.rolname, ''), split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS setting LEFT JOIN pg_roles AS r ON r.oid = s.setrole
WHERE starts_with(coalesce(r.rolname, ''), current_database() || '_')
   OR s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())

-- name: observed_schemas
SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_.*|information_schema|public)$'

-- name: observed_functions
-- Signature, owner, fingerprint in the comment, and a digest of what the catalog says.
SELECT n.nspname || '.' || p.proname || '(' || coalesce((
        SELECT string_agg(format_type(t, NULL), ', ' ORDER BY place) FROM unnest(p.proargtypes) WITH ORDINALITY AS a(t, place)
    ), '') || ')',
    r.rolname, obj_description(p.oid, 'pg_proc'),
    md5(concat_ws('|', p.prosrc, p.prosecdef, p.proconfig::text, p.provolatile, p.proleakproof, p.prolang, p.prokind))
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace JOIN pg_roles AS r ON r.oid = p.proowner
WHERE n.nspname !~ '^(pg_.*|information_schema)$'

-- name: observed_tables
-- Every relation with rows outside PostgreSQL's own schemas: kind, row security, and whether it is a partition of ours.
SELECT n.nspname, c.relname, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity, parent.relname
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid AND c.relispartition LEFT JOIN pg_class AS parent ON parent.oid = i.inhparent
WHERE n.nspname !~ '^(pg_.*|information_schema)$' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype IN ('i', 'a') AND c.relkind = 'S')

-- name: observed_columns
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'troth' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped

-- name: observed_checks
-- What holds declared columns to what was declared of them, and whoever is not known apart.
SELECT c.relname, k.conname, obj_description(k.oid, 'pg_constraint'), md5(pg_get_constraintdef(k.oid) || k.conenforced::text)
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'troth' AND k.contype = 'c' AND k.coninhcount = 0
  AND (starts_with(k.conname, 'declared_') OR starts_with(k.conname, 'apart_') OR k.conname = 'people_alone')

-- name: observed_triggers
SELECT c.relname, t.tgname, obj_description(t.oid, 'pg_trigger'), md5(pg_get_triggerdef(t.oid) || t.tgenabled::text)
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^(pg_.*|information_schema)$' AND NOT t.tgisinternal AND t.tgparentid = 0

-- name: observed_rules
SELECT n.nspname, c.relname, p.polname, obj_description(p.oid, 'pg_policy'),
    md5(concat_ws('|', p.polcmd, p.polpermissive,
        (SELECT string_agg(coalesce(r.rolname, 'public'), ',' ORDER BY r.rolname)
         FROM unnest(p.polroles) AS o LEFT JOIN pg_roles AS r ON r.oid = o),
        coalesce(pg_get_expr(p.polqual, p.polrelid), '-'), coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '-')))
FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace

-- name: observed_views
SELECT n.nspname, c.relname, obj_description(c.oid, 'pg_class'),
    md5(pg_get_viewdef(c.oid) || coalesce(c.reloptions::text, '') || pg_get_userbyid(c.relowner))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^(pg_.*|information_schema)$' AND c.relkind = 'v'

-- name: observed_generated
-- How columns of ours are computed, partitions included: a precision is only as coarse as its expression.
SELECT c.relname, coalesce(parent.relname, c.relname), a.attname, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid AND c.relispartition LEFT JOIN pg_class AS parent ON parent.oid = i.inhparent
WHERE n.nspname = 'troth' AND c.relkind IN ('r', 'p') AND a.attgenerated <> '' AND NOT a.attisdropped

-- name: observed_passwords
SELECT rolname, rolpassword FROM pg_authid
WHERE starts_with(rolname, current_database() || '_') AND rolcanlogin AND rolname <> %(owner)s
  AND NOT starts_with(rolname, current_database() || '_analyst_')
  AND NOT EXISTS (SELECT 1 FROM pg_database AS d WHERE starts_with(d.datname, current_database() || '_')
                  AND starts_with(rolname, d.datname || '_'))

-- name: observed_strangers
-- Whatever else could copy, divert or reach personal data, and that no plan ever writes.
SELECT pg_describe_object(d.classid, d.objid, d.objsubid), 'belongs to ' || r.rolname
FROM pg_shdepend AS d JOIN pg_roles AS r ON r.oid = d.refobjid
WHERE d.deptype = 'o' AND d.refclassid = 'pg_authid'::regclass AND d.classid <> 'pg_proc'::regclass
  AND starts_with(r.rolname, current_database() || '_') AND r.rolname <> %(owner)s
  AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
UNION ALL
SELECT n.nspname || '.' || c.relname, 'is not kept safely on disk'
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'troth' AND c.relkind IN ('r', 'p') AND c.relpersistence <> 'p'
UNION ALL
SELECT n.nspname || '.' || c.relname, 'has the rewrite rule ' || r.rulename
FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^(pg_.*|information_schema)$' AND r.rulename <> '_RETURN'
UNION ALL
SELECT 'default privileges of ' || pg_get_userbyid(defaclrole), defaclacl::text FROM pg_default_acl
UNION ALL
SELECT 'publication ' || pubname, 'carries rows elsewhere' FROM pg_publication
UNION ALL
SELECT 'event trigger ' || evtname, 'runs at every change' FROM pg_event_trigger WHERE %(superuser)s
UNION ALL
SELECT 'operator ' || n.nspname || '.' || o.oprname, 'could stand in for PostgreSQL''s own'
FROM pg_operator AS o JOIN pg_namespace AS n ON n.oid = o.oprnamespace WHERE n.nspname !~ '^(pg_.*|information_schema)$'
UNION ALL
SELECT 'parameter ' || p.parname, one.privilege_type || ' to ' || coalesce(r.rolname, 'PUBLIC')
FROM pg_parameter_acl AS p CROSS JOIN LATERAL aclexplode(p.paracl) AS one LEFT JOIN pg_roles AS r ON r.oid = one.grantee
WHERE one.grantee = 0 OR starts_with(r.rolname, current_database() || '_') AND r.rolname <> %(owner)s
UNION ALL
SELECT 'setting of all roles', setting
FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS setting
WHERE %(superuser)s AND s.setdatabase = 0 AND s.setrole = 0

-- name: observed_grants
-- What anybody but the owner holds on our objects, and PUBLIC on the functions and languages that we take from it.
WITH held AS (
    SELECT 'DATABASE "' || datname || '"' AS thing, '' AS part, datdba AS owner,
           coalesce(datacl, acldefault('d', datdba)) AS acl
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'SCHEMA "' || nspname || '"', '', nspowner, coalesce(nspacl, acldefault('n', nspowner))
    FROM pg_namespace WHERE nspname !~ '^(pg_.*|information_schema)$'
    UNION ALL
    SELECT '"' || n.nspname || '"."' || c.relname || '"', '', c.relowner,
           coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname !~ '^(pg_.*|information_schema)$' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT '"' || n.nspname || '"."' || c.relname || '"', '"' || a.attname || '"', c.relowner, a.attacl
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname !~ '^(pg_.*|information_schema)$' AND a.attacl IS NOT NULL
    UNION ALL
    SELECT 'FUNCTION ' || n.nspname || '.' || p.proname || '(' || coalesce((
               SELECT string_agg(format_type(t, NULL), ', ' ORDER BY place)
               FROM unnest(p.proargtypes) WITH ORDINALITY AS a(t, place)), '') || ')',
           '', p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname !~ '^(pg_.*|information_schema)$'
       OR (%(superuser)s AND n.nspname = 'pg_catalog'
           AND p.proname ~ '^(lo_.*|loread|lowrite|pg_notify|pg_logical_emit_message|pg_export_snapshot|pg_(try_)?advisory_(xact_)?lock(_shared)?|pg_advisory_unlock(_shared)?)$')
    UNION ALL
    SELECT 'LANGUAGE ' || '"' || lanname || '"', '', lanowner, coalesce(lanacl, acldefault('l', lanowner))
    FROM pg_language WHERE %(superuser)s AND lanname = 'plpgsql'
)
SELECT held.thing, held.part, coalesce(r.rolname, 'PUBLIC'), one.privilege_type, one.is_grantable
FROM held CROSS JOIN LATERAL aclexplode(held.acl) AS one LEFT JOIN pg_roles AS r ON r.oid = one.grantee
WHERE one.grantee <> held.owner AND (held.thing NOT LIKE 'FUNCTION pg_catalog.%%' OR one.grantee = 0
    OR starts_with(r.rolname, current_database() || '_'))
