-- needs: extension citext
-- needs: extension hstore
-- needs: extension pg_trgm
-- needs: extension uuid-ossp
-- needs: extension btree_gist
-- needs: extension postgres_fdw
-- Members of extensions.
CREATE SCHEMA ext;
CREATE EXTENSION citext;
CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION pg_trgm SCHEMA ext VERSION '1.5';
CREATE EXTENSION "uuid-ossp";
CREATE EXTENSION btree_gist;
CREATE EXTENSION postgres_fdw;
CREATE TABLE accounts (
    id uuid DEFAULT uuid_generate_v4() PRIMARY KEY,
    login citext NOT NULL UNIQUE,
    extra ext.hstore DEFAULT 'a=>1',
    room integer,
    during tsrange,
    EXCLUDE USING gist (room WITH =, during WITH &&)
);
CREATE INDEX accounts_login_trgm ON accounts USING gin ((login::text) ext.gin_trgm_ops);
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid', dbname 'x');
CREATE USER MAPPING FOR app_reader SERVER elsewhere OPTIONS (user 'u', password 'hush');
CREATE FOREIGN TABLE far (id integer OPTIONS (column_name 'nr')) SERVER elsewhere OPTIONS (table_name 'near');
GRANT EXECUTE ON FUNCTION uuid_generate_v1() TO app_reader;
REVOKE EXECUTE ON FUNCTION uuid_generate_v1mc() FROM PUBLIC;
COMMENT ON EXTENSION citext IS 'changed by hand';
