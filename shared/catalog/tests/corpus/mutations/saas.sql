-- Schemas, policies, privileges, owners and default privileges.

-- case: row level security off
-- names: app.users
ALTER TABLE app.users DISABLE ROW LEVEL SECURITY;
-- case: row level security on
-- names: app.tenants
ALTER TABLE app.tenants ENABLE ROW LEVEL SECURITY;
-- case: not forced
-- names: app.documents
ALTER TABLE app.documents NO FORCE ROW LEVEL SECURITY;
-- case: forced
-- names: app.users
ALTER TABLE app.users FORCE ROW LEVEL SECURITY;
-- case: a policy's roles
-- names: write_own
ALTER POLICY write_own ON app.documents TO app_writer, auditor;
-- case: a policy for PUBLIC
-- names: read_published
ALTER POLICY read_published ON app.documents TO PUBLIC;
-- case: a policy's USING
-- names: same_tenant
ALTER POLICY same_tenant ON app.users USING (true);
-- case: a policy's CHECK
-- names: write_own
ALTER POLICY write_own ON app.documents WITH CHECK (true);
-- case: a policy's CHECK added
-- names: same_tenant
ALTER POLICY same_tenant ON app.users WITH CHECK (tenant_id = private.current_tenant());
-- case: a permissive policy
-- names: write_own
DROP POLICY write_own ON app.documents;
CREATE POLICY write_own ON app.documents FOR UPDATE TO app_writer USING (true) WITH CHECK (tenant_id = private.current_tenant());
-- case: a policy for another command
-- names: delete_none
DROP POLICY delete_none ON app.documents;
CREATE POLICY delete_none ON app.documents AS RESTRICTIVE USING (false);
-- case: a renamed policy
-- names: delete_none, delete_nothing
ALTER POLICY delete_none ON app.documents RENAME TO delete_nothing;
-- case: no policy
-- names: delete_none
DROP POLICY delete_none ON app.documents;
-- case: a policy's comment
-- names: same_tenant
COMMENT ON POLICY same_tenant ON app.users IS NULL;
-- case: the same policy again
-- same
DROP POLICY write_own ON app.documents;
CREATE POLICY write_own ON app.documents AS RESTRICTIVE FOR UPDATE TO app_writer USING (true) WITH CHECK (tenant_id = private.current_tenant());

-- case: a new privilege
-- names: app.tenants
GRANT INSERT ON app.tenants TO app_reader;
-- case: a revoked privilege
-- names: app.tenants
REVOKE SELECT ON app.tenants FROM app_reader;
-- case: a privilege given to another
-- names: app.tenants
GRANT SELECT ON app.tenants TO auditor;
-- case: a privilege that is there already
-- same
GRANT SELECT ON app.tenants TO app_reader;
-- case: a privilege with grant option
-- names: app.tenants
GRANT SELECT ON app.tenants TO app_reader WITH GRANT OPTION;
-- case: given and taken back
-- same
GRANT SELECT ON app.tenants TO auditor;
REVOKE SELECT ON app.tenants FROM auditor;
-- case: given and taken back where nothing was given
-- same
GRANT SELECT ON private.secrets TO auditor;
REVOKE SELECT ON private.secrets FROM auditor;
-- case: privileges in another order
-- same
REVOKE ALL ON app.documents FROM PUBLIC;
REVOKE ALL ON app.documents FROM app_writer;
GRANT SELECT ON app.documents TO PUBLIC;
GRANT INSERT, DELETE, UPDATE, SELECT ON app.documents TO app_writer;
-- case: the owner loses a privilege
-- names: app.documents
REVOKE TRUNCATE ON app.documents FROM app_owner;
-- case: the owner gets the privilege back
-- names: app.tenants
GRANT DELETE ON app.tenants TO app_owner;
-- case: the owner loses all
-- names: private.secrets
DO $$ BEGIN EXECUTE format('REVOKE ALL ON private.secrets FROM %I', current_user); END $$;
-- case: PUBLIC loses a privilege
-- names: app.documents
REVOKE SELECT ON app.documents FROM PUBLIC;
-- case: the grantor
-- names: app.documents
SET ROLE auditor;
REVOKE SELECT ON app.documents FROM "Odd Role";
RESET ROLE;
GRANT SELECT ON app.documents TO "Odd Role";
-- case: a column's privilege
-- names: app.users
GRANT SELECT (tenant_id) ON app.users TO app_reader;
-- case: a revoked privilege of a column
-- names: app.users
REVOKE SELECT (id) ON app.users FROM app_reader;
-- case: a column's privilege for PUBLIC
-- names: app.tenants
GRANT UPDATE (name) ON app.tenants TO PUBLIC;
-- case: a schema's privilege
-- names: app
GRANT USAGE ON SCHEMA app TO "Odd Role";
-- case: a schema's privilege without grant option
-- names: app
REVOKE GRANT OPTION FOR CREATE ON SCHEMA app FROM app_writer;
-- case: the public schema's privileges
-- names: public
GRANT USAGE ON SCHEMA public TO PUBLIC;
-- case: the public schema's privilege to create
-- names: public
GRANT CREATE ON SCHEMA public TO app_writer;
-- case: a function's privilege
-- names: current_tenant
GRANT EXECUTE ON FUNCTION private.current_tenant() TO PUBLIC;
-- case: a revoked privilege of a function
-- names: current_tenant
REVOKE EXECUTE ON FUNCTION private.current_tenant() FROM app_reader;
-- case: a procedure's privilege
-- names: purge
REVOKE EXECUTE ON PROCEDURE app.purge(interval) FROM PUBLIC;
-- case: a sequence's privilege
-- names: documents_id_seq
GRANT UPDATE ON SEQUENCE app.documents_id_seq TO app_writer;
-- case: an identity sequence's privilege
-- names: users
GRANT USAGE ON SEQUENCE app.users_id_seq TO app_reader;
-- case: a type's privilege
-- names: app.role
GRANT USAGE ON TYPE app.role TO PUBLIC;
-- case: a domain's privilege
-- names: app.slug
REVOKE USAGE ON DOMAIN app.slug FROM PUBLIC;
-- case: a view's privilege
-- names: my_documents
GRANT UPDATE ON app.my_documents TO app_reader;
-- case: a privilege on a table of the system
-- names: pg_authid
REVOKE SELECT ON pg_catalog.pg_authid FROM auditor;
-- case: another privilege on a view of the system
-- names: pg_settings
REVOKE SELECT ON pg_catalog.pg_settings FROM PUBLIC;
-- case: a privilege on a function of the system
-- names: pg_ls_dir
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO auditor;
-- case: a privilege on a schema of the system
-- names: pg_catalog
GRANT CREATE ON SCHEMA pg_catalog TO auditor;
-- case: a privilege on a language
-- names: plpgsql
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
-- case: a privilege on a type of the system
-- names: jsonb
REVOKE USAGE ON TYPE pg_catalog.jsonb FROM PUBLIC;
-- case: maintain
-- needs: 17
-- names: app.tenants
GRANT MAINTAIN ON app.tenants TO app_writer;
-- case: all privileges
-- names: app.tenants
GRANT ALL ON app.tenants TO app_writer;

-- case: default privileges
-- names: default privileges
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT INSERT ON TABLES TO app_reader;
-- case: default privileges taken back
-- names: default privileges
ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE SELECT ON TABLES FROM app_reader;
-- case: default privileges in every schema
-- names: default privileges
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app_reader;
-- case: default privileges of functions
-- names: default privileges
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
-- case: default privileges on schemas
-- names: default privileges
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT USAGE ON SCHEMAS TO app_reader;
-- case: default privileges with grant option
-- names: default privileges
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA app REVOKE GRANT OPTION FOR INSERT ON TABLES FROM app_writer;
-- case: default privileges that are the default
-- same
ALTER DEFAULT PRIVILEGES FOR ROLE app_writer GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
-- case: default privileges given and taken back
-- same
ALTER DEFAULT PRIVILEGES FOR ROLE auditor GRANT SELECT ON TABLES TO app_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE auditor REVOKE SELECT ON TABLES FROM app_reader;
-- case: the owner's own default privileges
-- names: default privileges
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner REVOKE DELETE ON TABLES FROM app_owner;

-- case: a table's owner
-- names: app.users
ALTER TABLE app.users OWNER TO app_writer;
-- case: a schema's owner
-- names: app
ALTER SCHEMA app OWNER TO auditor;
-- case: the public schema's owner
-- names: public
ALTER SCHEMA public OWNER TO app_owner;
-- case: a function's owner
-- names: current_tenant
ALTER FUNCTION private.current_tenant() OWNER TO app_owner;
-- case: a procedure's owner
-- names: purge
ALTER PROCEDURE app.purge(interval) OWNER TO app_owner;
-- case: a view's owner
-- names: my_documents
ALTER VIEW app.my_documents OWNER TO app_owner;
-- case: a domain's owner
-- names: app.slug
ALTER DOMAIN app.slug OWNER TO app_owner;
-- case: owner there and back
-- same
ALTER TABLE private.secrets OWNER TO app_owner;
DO $$ BEGIN EXECUTE format('ALTER TABLE private.secrets OWNER TO %I', (SELECT rolname FROM pg_roles WHERE oid = 10)); END $$;

-- case: a new schema
-- names: extra
CREATE SCHEMA extra;
-- case: a dropped schema
-- names: private, app.users, app.documents
ALTER TABLE app.users ALTER COLUMN tenant_id DROP DEFAULT;
DROP SCHEMA private CASCADE;
-- case: a renamed schema
-- names: private, secret, app.users, app.documents
ALTER SCHEMA private RENAME TO secret;
-- case: a schema's comment
-- names: app
COMMENT ON SCHEMA app IS NULL;
-- case: the public schema's comment
-- names: public
COMMENT ON SCHEMA public IS 'ours';
-- case: the public schema's comment removed
-- names: public
COMMENT ON SCHEMA public IS NULL;
-- case: no public schema
-- names: public
DROP SCHEMA public;

-- case: no security barrier
-- names: my_documents
ALTER VIEW app.my_documents RESET (security_barrier);
-- case: security invoker
-- needs: 15
-- names: my_documents
ALTER VIEW app.my_documents SET (security_invoker = true);
-- case: cascaded check
-- names: my_documents
ALTER VIEW app.my_documents SET (check_option = cascaded);
-- case: no check
-- names: my_documents
ALTER VIEW app.my_documents RESET (check_option);
-- case: security invoker of a procedure
-- names: purge
ALTER PROCEDURE app.purge(interval) SECURITY INVOKER;
-- case: settings of a procedure
-- names: purge
ALTER PROCEDURE app.purge(interval) SET search_path = app;
-- case: settings of the database and of a role are not the schema's
-- same
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''9MB''', current_database()); END $$;
ALTER ROLE app_reader SET work_mem = '9MB';
-- case: the database's comment and privileges are not the schema's
-- same
DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS ''x''', current_database()); EXECUTE format('GRANT CREATE ON DATABASE %I TO app_reader', current_database()); END $$;
