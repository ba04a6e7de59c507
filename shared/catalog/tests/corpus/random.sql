-- Changes that the objects of any schema allow: each query generates statements with qualified names. Objects of extensions
-- and of the system (oids below 16384) are excluded.

-- Columns
SELECT format('ALTER TABLE ONLY %s ALTER COLUMN %I DROP DEFAULT', c.oid::regclass, attname) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE atthasdef AND attgenerated = '' AND c.oid >= 16384 AND relkind IN ('r', 'p', 'v', 'f');
SELECT format('ALTER TABLE ONLY %s ALTER COLUMN %I SET DEFAULT NULL', c.oid::regclass, attname) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND attgenerated = '' AND c.oid >= 16384 AND relkind IN ('r', 'p', 'v', 'f');
SELECT format('ALTER TABLE ONLY %s ALTER COLUMN %I SET DEFAULT %L', c.oid::regclass, attname, CASE typcategory WHEN 'N' THEN '7' WHEN 'S' THEN 'x' WHEN 'B' THEN 'true' WHEN 'D' THEN '2001-02-03' WHEN 'A' THEN '{}' END) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid JOIN pg_catalog.pg_type t ON t.oid = atttypid WHERE attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = '' AND c.oid >= 16384 AND relkind IN ('r', 'p', 'v', 'f') AND typcategory IN ('N', 'S', 'B', 'D', 'A');
SELECT format('ALTER TABLE %s ALTER COLUMN %I %s NOT NULL', c.oid::regclass, attname, CASE WHEN attnotnull THEN 'DROP' ELSE 'SET' END) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND c.oid >= 16384 AND relkind IN ('r', 'p', 'f');
SELECT format('ALTER TABLE ONLY %s ALTER COLUMN %I SET NOT NULL', c.oid::regclass, attname) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND NOT attnotnull AND c.oid >= 16384 AND relkind IN ('r', 'p', 'f');
SELECT format('ALTER TABLE %s ALTER COLUMN %I TYPE %s', c.oid::regclass, attname, CASE typname WHEN 'int4' THEN 'bigint' WHEN 'int8' THEN 'numeric' WHEN 'varchar' THEN 'text' WHEN 'text' THEN 'varchar(1000)' WHEN 'timestamp' THEN 'timestamptz' WHEN 'timestamptz' THEN 'timestamp(2)' WHEN 'numeric' THEN 'numeric(30,5)' WHEN 'json' THEN 'jsonb' ELSE 'text' END) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid JOIN pg_catalog.pg_type t ON t.oid = atttypid WHERE attnum > 0 AND NOT attisdropped AND c.oid >= 16384 AND relkind IN ('r', 'p', 'f');
SELECT format('ALTER TABLE %s ALTER COLUMN %I TYPE %s COLLATE pg_catalog."POSIX"', c.oid::regclass, attname, pg_catalog.format_type(atttypid, atttypmod)) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND attcollation <> 0 AND c.oid >= 16384 AND relkind IN ('r', 'p', 'f');
SELECT format('ALTER TABLE %s DROP COLUMN %I', c.oid::regclass, attname) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND c.oid >= 16384 AND relkind IN ('r', 'p', 'f');
SELECT format('ALTER TABLE ONLY %s DROP COLUMN %I', c.oid::regclass, attname) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND c.oid >= 16384 AND relhassubclass;
SELECT format('ALTER TABLE %s DROP COLUMN %I CASCADE', c.oid::regclass, attname) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND c.oid >= 16384 AND relkind IN ('r', 'p', 'f');
SELECT format('ALTER TABLE %s RENAME COLUMN %I TO "Renamed column"', c.oid::regclass, attname) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'v', 'm');
SELECT format('ALTER TABLE %s ADD COLUMN added %s', c.oid::regclass, definition) FROM pg_catalog.pg_class c, unnest(ARRAY['text', 'integer DEFAULT 5 NOT NULL', 'bigint GENERATED ALWAYS AS IDENTITY', 'serial', 'integer GENERATED ALWAYS AS (1 + 1) STORED', 'text COLLATE pg_catalog."C" UNIQUE', 'integer CHECK (added > 0)']) definition WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f');
SELECT format('ALTER TABLE %s ADD COLUMN added text; ALTER TABLE %s DROP COLUMN added', c.oid::regclass, c.oid::regclass) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f');
SELECT format('ALTER TABLE ONLY %s ALTER COLUMN %I SET STORAGE %s', c.oid::regclass, attname, storage) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid, unnest(ARRAY['PLAIN', 'EXTERNAL', 'MAIN', 'EXTENDED']) storage WHERE attnum > 0 AND NOT attisdropped AND attlen = -1 AND c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'm');
SELECT format('ALTER TABLE ONLY %s ALTER COLUMN %I SET COMPRESSION %s', c.oid::regclass, attname, method) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid, unnest(ARRAY['pglz', 'lz4', 'default']) method WHERE attnum > 0 AND NOT attisdropped AND attlen = -1 AND c.oid >= 16384 AND relkind IN ('r', 'p', 'm');
SELECT format('ALTER TABLE ONLY %s ALTER COLUMN %I SET STATISTICS %s', c.oid::regclass, attname, target) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid, unnest(ARRAY['-1', '0', '50']) target WHERE attnum > 0 AND NOT attisdropped AND c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'm');
SELECT format('ALTER TABLE ONLY %s ALTER COLUMN %I SET (n_distinct = 5)', c.oid::regclass, attname) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'm');
SELECT format('ALTER TABLE %s ALTER COLUMN %I %s', c.oid::regclass, attname, action) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid, unnest(ARRAY['DROP IDENTITY', 'SET GENERATED BY DEFAULT', 'SET GENERATED ALWAYS', 'SET INCREMENT 3', 'SET CACHE 3', 'SET MAXVALUE 30000', 'RESTART WITH 5']) action WHERE attidentity <> '' AND c.oid >= 16384;
SELECT format('ALTER TABLE %s ALTER COLUMN %I ADD GENERATED ALWAYS AS IDENTITY', c.oid::regclass, attname) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE attnotnull AND NOT atthasdef AND atttypid IN (20, 21, 23) AND attidentity = '' AND attnum > 0 AND c.oid >= 16384 AND relkind = 'r';
SELECT format('ALTER TABLE %s ALTER COLUMN %I DROP EXPRESSION', c.oid::regclass, attname) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE attgenerated <> '' AND c.oid >= 16384;
SELECT format('COMMENT ON COLUMN %s.%I IS %s', c.oid::regclass, attname, words) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid, unnest(ARRAY['NULL', quote_literal(E'it''s \\ new;\n-- Name: ')]) words WHERE attnum > 0 AND NOT attisdropped AND c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'v', 'm', 'c');
SELECT format('GRANT %s (%I) ON %s TO %s', privilege, attname, c.oid::regclass, grantee) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid, unnest(ARRAY['SELECT', 'UPDATE', 'ALL']) privilege, unnest(ARRAY['app_reader', 'PUBLIC']) grantee WHERE attnum > 0 AND NOT attisdropped AND c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'v', 'm');

-- Tables and views
SELECT format('DROP %s %s CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S');
SELECT format('ALTER TABLE %s RENAME TO "Renamed relation"', c.oid::regclass) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S');
SELECT format('ALTER TABLE %s RENAME TO "Renamed relation"; ALTER TABLE %s RENAME TO %I', c.oid::regclass, quote_ident(nspname) || '."Renamed relation"', relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S');
SELECT format('CREATE SCHEMA elsewhere; ALTER TABLE %s SET SCHEMA elsewhere', c.oid::regclass) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S');
SELECT format('ALTER TABLE %s OWNER TO app_owner', c.oid::regclass) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S');
SELECT format('ALTER TABLE %s SET %s', c.oid::regclass, CASE relpersistence WHEN 'u' THEN 'LOGGED' ELSE 'UNLOGGED' END) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'S');
SELECT format('ALTER TABLE %s %s', c.oid::regclass, action) FROM pg_catalog.pg_class c, unnest(ARRAY['ENABLE ROW LEVEL SECURITY', 'DISABLE ROW LEVEL SECURITY', 'FORCE ROW LEVEL SECURITY', 'NO FORCE ROW LEVEL SECURITY', 'REPLICA IDENTITY FULL', 'REPLICA IDENTITY NOTHING', 'REPLICA IDENTITY DEFAULT', 'SET WITHOUT CLUSTER', 'SET (fillfactor = 44)', 'SET (autovacuum_enabled = false)', 'SET (toast.autovacuum_enabled = false)', 'RESET (fillfactor)', 'DISABLE TRIGGER USER', 'ENABLE TRIGGER ALL', 'NOT OF']) action WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'm');
SELECT format('ALTER VIEW %s %s', c.oid::regclass, action) FROM pg_catalog.pg_class c, unnest(ARRAY['SET (security_barrier)', 'RESET (security_barrier)', 'SET (security_invoker)', 'SET (check_option = local)', 'RESET (check_option)']) action WHERE c.oid >= 16384 AND relkind = 'v';
SELECT format('ALTER TABLE %s CLUSTER ON %I', indrelid::regclass, relname) FROM pg_catalog.pg_index JOIN pg_catalog.pg_class c ON c.oid = indexrelid WHERE c.oid >= 16384;
SELECT format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', indrelid::regclass, relname) FROM pg_catalog.pg_index JOIN pg_catalog.pg_class c ON c.oid = indexrelid WHERE c.oid >= 16384 AND indisunique;
SELECT format('COMMENT ON %s %s IS %s', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE' WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, c.oid::regclass, words) FROM pg_catalog.pg_class c, unnest(ARRAY['NULL', quote_literal(E'it''s \\ new')]) words WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I', 'c') AND relnamespace <> 'pg_toast'::regnamespace;
SELECT format('%s %s ON %s %s %s', verb, privilege, c.oid::regclass, CASE verb WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END, grantee) FROM pg_catalog.pg_class c, unnest(ARRAY['GRANT', 'REVOKE']) verb, unnest(ARRAY['SELECT', 'UPDATE', 'ALL', 'TRUNCATE']) privilege, unnest(ARRAY['app_reader', 'PUBLIC', 'CURRENT_USER']) grantee WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'v', 'm');
SELECT format('%s %s ON SEQUENCE %s %s %s', verb, privilege, c.oid::regclass, CASE verb WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END, grantee) FROM pg_catalog.pg_class c, unnest(ARRAY['GRANT', 'REVOKE']) verb, unnest(ARRAY['USAGE', 'ALL']) privilege, unnest(ARRAY['app_reader', 'PUBLIC', 'CURRENT_USER']) grantee WHERE c.oid >= 16384 AND relkind = 'S';
SELECT format('REFRESH MATERIALIZED VIEW %s', c.oid::regclass) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind = 'm';
SELECT format('ALTER TABLE %s DETACH PARTITION %s', inhparent::regclass, inhrelid::regclass) FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class c ON c.oid = inhrelid WHERE relispartition AND relkind IN ('r', 'p', 'f');
SELECT format('ALTER TABLE %s DETACH PARTITION %s; ALTER TABLE %s ATTACH PARTITION %s %s', inhparent::regclass, inhrelid::regclass, inhparent::regclass, inhrelid::regclass, pg_catalog.pg_get_expr(relpartbound, c.oid)) FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class c ON c.oid = inhrelid WHERE relispartition AND relkind IN ('r', 'p', 'f');
SELECT format('ALTER TABLE %s NO INHERIT %s', inhrelid::regclass, inhparent::regclass) FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class c ON c.oid = inhrelid WHERE NOT relispartition AND relkind IN ('r', 'f');
SELECT format('ALTER TABLE %s NO INHERIT %s; ALTER TABLE %s INHERIT %s', inhrelid::regclass, inhparent::regclass, inhrelid::regclass, inhparent::regclass) FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class c ON c.oid = inhrelid WHERE NOT relispartition AND relkind IN ('r', 'f');
SELECT format('CREATE TABLE public."Child" () INHERITS (%s)', c.oid::regclass) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'f') AND NOT relispartition;
SELECT format('CREATE TABLE public."Like" (LIKE %s INCLUDING ALL)', c.oid::regclass) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'v', 'm');
SELECT format('CREATE VIEW public."View" AS SELECT * FROM %s', c.oid::regclass) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f', 'v', 'm');
SELECT format('CREATE OR REPLACE VIEW %s AS %s', c.oid::regclass, pg_catalog.pg_get_viewdef(c.oid)) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind = 'v';
SELECT 'ANALYZE';

-- Constraints
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_catalog.pg_constraint WHERE oid >= 16384 AND conrelid <> 0;
SELECT format('ALTER TABLE ONLY %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_catalog.pg_constraint WHERE oid >= 16384 AND conrelid <> 0;
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) FROM pg_catalog.pg_constraint WHERE oid >= 16384 AND conrelid <> 0;
SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO "Renamed constraint"', conrelid::regclass, conname) FROM pg_catalog.pg_constraint WHERE oid >= 16384 AND conrelid <> 0;
SELECT format('ALTER TABLE %s VALIDATE CONSTRAINT %I', conrelid::regclass, conname) FROM pg_catalog.pg_constraint WHERE oid >= 16384 AND conrelid <> 0 AND contype IN ('c', 'f', 'n');
SELECT format('ALTER TABLE %s ALTER CONSTRAINT %I %s', conrelid::regclass, conname, action) FROM pg_catalog.pg_constraint, unnest(ARRAY['DEFERRABLE', 'DEFERRABLE INITIALLY DEFERRED', 'NOT DEFERRABLE']) action WHERE oid >= 16384 AND contype = 'f';
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', conrelid::regclass, conname, conname, pg_catalog.pg_get_constraintdef(oid)) FROM pg_catalog.pg_constraint WHERE oid >= 16384 AND conrelid <> 0 AND contype IN ('c', 'f', 'u', 'p', 'x');
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s NOT VALID', conrelid::regclass, conname, conname, pg_catalog.pg_get_constraintdef(oid)) FROM pg_catalog.pg_constraint WHERE oid >= 16384 AND conrelid <> 0 AND contype IN ('c', 'f');
SELECT format('COMMENT ON CONSTRAINT %I ON %s IS %s', conname, conrelid::regclass, words) FROM pg_catalog.pg_constraint, unnest(ARRAY['NULL', '''new''']) words WHERE oid >= 16384 AND conrelid <> 0;
SELECT format('ALTER TABLE %s ADD CONSTRAINT added CHECK (true) %s', c.oid::regclass, suffix) FROM pg_catalog.pg_class c, unnest(ARRAY['', 'NOT VALID', 'NO INHERIT']) suffix WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f');
SELECT format('ALTER TABLE ONLY %s ADD CONSTRAINT added CHECK (true)', c.oid::regclass) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f');

-- Indexes
SELECT format('DROP INDEX %s', indexrelid::regclass) FROM pg_catalog.pg_index WHERE indexrelid >= 16384;
SELECT format('ALTER INDEX %s RENAME TO "Renamed index"', indexrelid::regclass) FROM pg_catalog.pg_index WHERE indexrelid >= 16384;
SELECT format('ALTER INDEX %s SET (fillfactor = 33)', indexrelid::regclass) FROM pg_catalog.pg_index WHERE indexrelid >= 16384;
SELECT format('DROP INDEX %s; %s', indexrelid::regclass, pg_catalog.pg_get_indexdef(indexrelid)) FROM pg_catalog.pg_index WHERE indexrelid >= 16384;
SELECT format('DROP INDEX %s; %s', indexrelid::regclass, replace(pg_catalog.pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')) FROM pg_catalog.pg_index WHERE indexrelid >= 16384;
SELECT format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS 12', indexrelid::regclass, attnum) FROM pg_catalog.pg_index JOIN pg_catalog.pg_attribute ON attrelid = indexrelid WHERE indexrelid >= 16384 AND indexprs IS NOT NULL;
SELECT format('CREATE INDEX "Added index" ON %s (%I %s)', c.oid::regclass, attname, suffix) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid, unnest(ARRAY['', 'DESC', 'NULLS FIRST']) suffix WHERE attnum > 0 AND NOT attisdropped AND c.oid >= 16384 AND relkind IN ('r', 'p', 'm');
SELECT format('CREATE UNIQUE INDEX "Added index" ON ONLY %s (%I) WHERE %I IS NOT NULL', c.oid::regclass, attname, attname) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND c.oid >= 16384 AND relkind IN ('r', 'p', 'm');
SELECT format('CREATE STATISTICS public."Added statistics" ON %I, %I FROM %s', a.attname, b.attname, a.attrelid::regclass) FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attribute b ON b.attrelid = a.attrelid AND b.attnum > a.attnum WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT b.attisdropped AND a.attrelid IN (SELECT oid FROM pg_catalog.pg_class WHERE oid >= 16384 AND relkind IN ('r', 'p', 'm', 'f')) LIMIT 500;

-- Triggers, rules, policies
SELECT format('ALTER TABLE %s %s TRIGGER %I', tgrelid::regclass, action, tgname) FROM pg_catalog.pg_trigger, unnest(ARRAY['DISABLE', 'ENABLE', 'ENABLE REPLICA', 'ENABLE ALWAYS']) action WHERE oid >= 16384;
SELECT format('ALTER TABLE ONLY %s %s TRIGGER %I', tgrelid::regclass, action, tgname) FROM pg_catalog.pg_trigger, unnest(ARRAY['DISABLE', 'ENABLE', 'ENABLE REPLICA', 'ENABLE ALWAYS']) action WHERE oid >= 16384;
SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_catalog.pg_trigger WHERE oid >= 16384 AND NOT tgisinternal;
SELECT format('ALTER TRIGGER %I ON %s RENAME TO "Renamed trigger"', tgname, tgrelid::regclass) FROM pg_catalog.pg_trigger WHERE oid >= 16384 AND NOT tgisinternal;
SELECT format('DROP TRIGGER %I ON %s; %s', tgname, tgrelid::regclass, pg_catalog.pg_get_triggerdef(oid)) FROM pg_catalog.pg_trigger WHERE oid >= 16384 AND NOT tgisinternal;
SELECT format('COMMENT ON TRIGGER %I ON %s IS %s', tgname, tgrelid::regclass, words) FROM pg_catalog.pg_trigger, unnest(ARRAY['NULL', '''new''']) words WHERE oid >= 16384 AND NOT tgisinternal;
SELECT format('CREATE TRIGGER "Added trigger" BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()', c.oid::regclass) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'f');
SELECT format('ALTER TABLE %s %s RULE %I', ev_class::regclass, action, rulename) FROM pg_catalog.pg_rewrite, unnest(ARRAY['DISABLE', 'ENABLE', 'ENABLE ALWAYS']) action WHERE oid >= 16384;
SELECT format('DROP RULE %I ON %s', rulename, ev_class::regclass) FROM pg_catalog.pg_rewrite WHERE oid >= 16384 AND rulename <> '_RETURN';
SELECT format('COMMENT ON RULE %I ON %s IS ''new''', rulename, ev_class::regclass) FROM pg_catalog.pg_rewrite WHERE oid >= 16384;
SELECT format('CREATE RULE "Added rule" AS ON DELETE TO %s DO ALSO NOTHING', c.oid::regclass) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'v');
SELECT format('DROP POLICY %I ON %s', polname, polrelid::regclass) FROM pg_catalog.pg_policy;
SELECT format('ALTER POLICY %I ON %s %s', polname, polrelid::regclass, action) FROM pg_catalog.pg_policy, unnest(ARRAY['TO PUBLIC', 'TO app_reader, app_writer', 'USING (true)', 'WITH CHECK (false)', 'RENAME TO "Renamed policy"']) action;
SELECT format('CREATE POLICY "Added policy" ON %s %s', c.oid::regclass, suffix) FROM pg_catalog.pg_class c, unnest(ARRAY['USING (true)', 'AS RESTRICTIVE FOR INSERT TO app_reader WITH CHECK (true)']) suffix WHERE c.oid >= 16384 AND relkind IN ('r', 'p');
SELECT format('ALTER EVENT TRIGGER %I %s', evtname, action) FROM pg_catalog.pg_event_trigger, unnest(ARRAY['DISABLE', 'ENABLE', 'ENABLE REPLICA', 'OWNER TO CURRENT_USER']) action;

-- Functions and aggregates
SELECT format('ALTER FUNCTION %s %s', oid::regprocedure, action) FROM pg_catalog.pg_proc, unnest(ARRAY['VOLATILE', 'STABLE', 'IMMUTABLE', 'STRICT', 'CALLED ON NULL INPUT', 'SECURITY DEFINER', 'SECURITY INVOKER', 'LEAKPROOF', 'COST 77', 'COST 100', 'ROWS 77', 'PARALLEL SAFE', 'SET work_mem = ''3MB''', 'SET search_path = public, "$user"', 'RESET ALL', 'OWNER TO app_owner', 'RENAME TO "Renamed function"']) action WHERE oid >= 16384 AND prokind IN ('f', 'w');
SELECT format('ALTER PROCEDURE %s %s', oid::regprocedure, action) FROM pg_catalog.pg_proc, unnest(ARRAY['SECURITY DEFINER', 'SET work_mem = ''3MB''', 'RESET ALL', 'OWNER TO app_owner', 'RENAME TO "Renamed procedure"']) action WHERE oid >= 16384 AND prokind = 'p';
SELECT format('DROP ROUTINE %s CASCADE', oid::regprocedure) FROM pg_catalog.pg_proc WHERE oid >= 16384;
SELECT format('COMMENT ON ROUTINE %s IS %s', oid::regprocedure, words) FROM pg_catalog.pg_proc, unnest(ARRAY['NULL', '''new''']) words WHERE oid >= 16384;
SELECT format('%s EXECUTE ON ROUTINE %s %s %s', verb, p.oid::regprocedure, CASE verb WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END, grantee) FROM pg_catalog.pg_proc p, unnest(ARRAY['GRANT', 'REVOKE']) verb, unnest(ARRAY['app_reader', 'PUBLIC', 'CURRENT_USER']) grantee WHERE p.oid >= 16384;
SELECT pg_catalog.pg_get_functiondef(oid) FROM pg_catalog.pg_proc WHERE oid >= 16384 AND prokind IN ('f', 'p', 'w');
SELECT format('CREATE SCHEMA elsewhere; ALTER ROUTINE %s SET SCHEMA elsewhere', oid::regprocedure) FROM pg_catalog.pg_proc WHERE oid >= 16384;

-- Types
SELECT format('ALTER TYPE %s ADD VALUE ''added'' %s', oid::regtype, place) FROM pg_catalog.pg_type t, LATERAL (SELECT '' UNION ALL SELECT format('BEFORE %L', enumlabel) FROM pg_catalog.pg_enum WHERE enumtypid = t.oid UNION ALL SELECT format('AFTER %L', enumlabel) FROM pg_catalog.pg_enum WHERE enumtypid = t.oid) places (place) WHERE typtype = 'e' AND oid >= 16384;
SELECT format('ALTER TYPE %s RENAME VALUE %L TO ''renamed''', enumtypid::regtype, enumlabel) FROM pg_catalog.pg_enum WHERE oid >= 16384;
SELECT format('ALTER TYPE %s RENAME TO "Renamed type"', oid::regtype) FROM pg_catalog.pg_type WHERE typtype IN ('e', 'c', 'r', 'm', 'b', 'd', 'p') AND oid >= 16384;
SELECT format('ALTER TYPE %s OWNER TO app_owner', oid::regtype) FROM pg_catalog.pg_type WHERE typtype IN ('e', 'c', 'r', 'm', 'b', 'd', 'p') AND oid >= 16384;
SELECT format('DROP TYPE %s CASCADE', oid::regtype) FROM pg_catalog.pg_type WHERE typtype IN ('e', 'c', 'r', 'm', 'b', 'd', 'p') AND oid >= 16384;
SELECT format('COMMENT ON TYPE %s IS %s', oid::regtype, words) FROM pg_catalog.pg_type, unnest(ARRAY['NULL', '''new''']) words WHERE typtype IN ('e', 'c', 'r', 'm', 'b', 'd', 'p') AND oid >= 16384;
SELECT format('%s USAGE ON TYPE %s %s %s', verb, t.oid::regtype, CASE verb WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END, grantee) FROM pg_catalog.pg_type t, unnest(ARRAY['GRANT', 'REVOKE']) verb, unnest(ARRAY['app_reader', 'PUBLIC', 'CURRENT_USER']) grantee WHERE t.oid >= 16384 AND typtype IN ('e', 'c', 'r', 'm', 'b', 'd', 'p');
SELECT format('ALTER DOMAIN %s %s', oid::regtype, action) FROM pg_catalog.pg_type, unnest(ARRAY['SET NOT NULL', 'DROP NOT NULL', 'DROP DEFAULT', 'SET DEFAULT NULL', 'ADD CONSTRAINT added CHECK (true)', 'ADD CONSTRAINT added CHECK (true) NOT VALID']) action WHERE typtype = 'd' AND oid >= 16384;
SELECT format('ALTER DOMAIN %s DROP CONSTRAINT %I', contypid::regtype, conname) FROM pg_catalog.pg_constraint WHERE contypid <> 0 AND oid >= 16384;
SELECT format('ALTER DOMAIN %s RENAME CONSTRAINT %I TO renamed', contypid::regtype, conname) FROM pg_catalog.pg_constraint WHERE contypid <> 0 AND oid >= 16384;
SELECT format('COMMENT ON CONSTRAINT %I ON DOMAIN %s IS ''new''', conname, contypid::regtype) FROM pg_catalog.pg_constraint WHERE contypid <> 0 AND oid >= 16384;
SELECT format('ALTER TYPE %s ADD ATTRIBUTE added text COLLATE pg_catalog."C" CASCADE', oid::regtype) FROM pg_catalog.pg_type WHERE typtype = 'c' AND oid >= 16384;
SELECT format('ALTER TYPE %s %s ATTRIBUTE %I %s CASCADE', c.oid::regclass, action[1], attname, action[2]) FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid, LATERAL (VALUES (ARRAY['DROP', '']), (ARRAY['RENAME', 'TO renamed']), (ARRAY['ALTER', 'TYPE text'])) actions (action) WHERE relkind = 'c' AND c.oid >= 16384 AND NOT attisdropped AND attnum > 0;

-- Sequences
SELECT format('ALTER SEQUENCE %s %s', oid::regclass, action) FROM pg_catalog.pg_class, unnest(ARRAY['INCREMENT 9', 'START 9', 'CACHE 9', 'CYCLE', 'NO CYCLE', 'MAXVALUE 999', 'NO MAXVALUE', 'OWNED BY NONE', 'RESTART', 'AS integer', 'AS bigint']) action WHERE relkind = 'S' AND oid >= 16384;

-- Schemas and the rest
SELECT format('ALTER SCHEMA %I OWNER TO app_owner', nspname) FROM pg_catalog.pg_namespace WHERE oid >= 16384 OR nspname = 'public';
SELECT format('ALTER SCHEMA %I RENAME TO "Renamed schema"', nspname) FROM pg_catalog.pg_namespace WHERE (oid >= 16384 OR nspname = 'public') AND nspname !~ '^pg_';
SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_catalog.pg_namespace WHERE (oid >= 16384 OR nspname = 'public') AND nspname !~ '^pg_';
SELECT format('COMMENT ON SCHEMA %I IS %s', nspname, words) FROM pg_catalog.pg_namespace, unnest(ARRAY['NULL', '''new''', '''standard public schema''']) words WHERE (oid >= 16384 OR nspname = 'public') AND nspname !~ '^pg_';
SELECT format('%s %s ON SCHEMA %I %s %s', verb, privilege, nspname, CASE verb WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END, grantee) FROM pg_catalog.pg_namespace, unnest(ARRAY['GRANT', 'REVOKE']) verb, unnest(ARRAY['USAGE', 'CREATE', 'ALL']) privilege, unnest(ARRAY['app_reader', 'PUBLIC', 'CURRENT_USER']) grantee WHERE (oid >= 16384 OR nspname = 'public') AND nspname !~ '^pg_';
SELECT format('ALTER DEFAULT PRIVILEGES %s %s %s %s ON %s %s %s', scope, inside, verb, 'ALL', kind, CASE verb WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END, grantee) FROM unnest(ARRAY['', 'FOR ROLE app_owner']) scope, unnest(ARRAY['', 'IN SCHEMA public']) inside, unnest(ARRAY['GRANT', 'REVOKE']) verb, unnest(ARRAY['TABLES', 'SEQUENCES', 'FUNCTIONS', 'TYPES', 'SCHEMAS']) kind, unnest(ARRAY['app_reader', 'PUBLIC', 'app_owner']) grantee;
SELECT format('DROP EXTENSION %I CASCADE', extname) FROM pg_catalog.pg_extension;
SELECT format('COMMENT ON EXTENSION %I IS ''new''', extname) FROM pg_catalog.pg_extension;
SELECT format('CREATE SCHEMA elsewhere; ALTER EXTENSION %I SET SCHEMA elsewhere', extname) FROM pg_catalog.pg_extension;
SELECT format('CREATE EXTENSION %I', name) FROM pg_catalog.pg_available_extensions WHERE name IN ('citext', 'hstore', 'pg_trgm', 'uuid-ossp') AND installed_version IS NULL;
SELECT format('GRANT EXECUTE ON FUNCTION %s TO app_reader', objid::regprocedure) FROM pg_catalog.pg_depend WHERE deptype = 'e' AND classid = 'pg_catalog.pg_proc'::regclass AND refclassid = 'pg_catalog.pg_extension'::regclass;
SELECT format('ALTER PUBLICATION %I %s', pubname, action) FROM pg_catalog.pg_publication, unnest(ARRAY['SET (publish = ''delete'')', 'SET (publish_via_partition_root)', 'RENAME TO "Renamed publication"', 'OWNER TO CURRENT_USER']) action;
SELECT format('CREATE PUBLICATION "Added publication" FOR TABLE %s', oid::regclass) FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p') AND relpersistence = 'p' AND oid >= 16384;
SELECT format('ALTER PUBLICATION %I DROP TABLE %s', pubname, prrelid::regclass) FROM pg_catalog.pg_publication_rel JOIN pg_catalog.pg_publication p ON p.oid = prpubid;
SELECT format('ALTER SERVER %I %s', srvname, action) FROM pg_catalog.pg_foreign_server, unnest(ARRAY['VERSION ''9''', 'OPTIONS (ADD added ''x'')', 'OWNER TO app_owner', 'RENAME TO renamed']) action;
SELECT format('CREATE USER MAPPING FOR auditor SERVER %I', srvname) FROM pg_catalog.pg_foreign_server;
SELECT format('DROP SERVER %I CASCADE', srvname) FROM pg_catalog.pg_foreign_server;
SELECT format('DROP OPERATOR %s CASCADE', oid::regoperator) FROM pg_catalog.pg_operator WHERE oid >= 16384;
SELECT format('COMMENT ON OPERATOR %s IS ''new''', oid::regoperator) FROM pg_catalog.pg_operator WHERE oid >= 16384 AND oprleft <> 0;
SELECT format('DROP CAST (%s AS %s) CASCADE', castsource::regtype, casttarget::regtype) FROM pg_catalog.pg_cast WHERE oid >= 16384;
SELECT format('DROP COLLATION %s CASCADE', oid::regcollation) FROM pg_catalog.pg_collation WHERE oid >= 16384;
SELECT format('ALTER TEXT SEARCH CONFIGURATION %s DROP MAPPING FOR asciiword', oid::regconfig) FROM pg_catalog.pg_ts_config WHERE oid >= 16384;
SELECT format('COMMENT ON TEXT SEARCH DICTIONARY %s IS ''new''', oid::regdictionary) FROM pg_catalog.pg_ts_dict WHERE oid >= 16384;
SELECT format('DROP STATISTICS %s', quote_ident(nspname) || '.' || quote_ident(stxname)) FROM pg_catalog.pg_statistic_ext JOIN pg_catalog.pg_namespace n ON n.oid = stxnamespace;
SELECT format('ALTER STATISTICS %s SET STATISTICS 5', quote_ident(nspname) || '.' || quote_ident(stxname)) FROM pg_catalog.pg_statistic_ext JOIN pg_catalog.pg_namespace n ON n.oid = stxnamespace;
