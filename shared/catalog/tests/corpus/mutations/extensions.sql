-- Extensions.

-- case: another version
-- extra: extension version
-- names: pg_trgm
ALTER EXTENSION pg_trgm UPDATE TO '1.6';
-- case: a new extension
-- names: fuzzystrmatch
CREATE EXTENSION fuzzystrmatch;
-- case: a dropped extension
-- names: uuid-ossp, accounts, uuid_generate_v1
ALTER TABLE accounts ALTER COLUMN id DROP DEFAULT;
DROP EXTENSION "uuid-ossp";
-- case: another schema
-- names: pg_trgm, accounts_login_trgm
ALTER EXTENSION pg_trgm SET SCHEMA public;
-- case: an extension's comment
-- names: citext
COMMENT ON EXTENSION citext IS 'x';
-- case: the privilege of a member
-- names: uuid_generate_v1
REVOKE EXECUTE ON FUNCTION uuid_generate_v1() FROM app_reader;
-- case: a member's default privileges restored
-- names: uuid_generate_v1mc
GRANT EXECUTE ON FUNCTION uuid_generate_v1mc() TO PUBLIC;
-- case: a comment on a member
-- same
COMMENT ON TYPE citext IS 'changed';
-- case: a member's owner
-- extra: extension member owner
-- names: uuid_generate_v4
ALTER FUNCTION uuid_generate_v4() OWNER TO app_owner;
-- case: a member changed
-- same
ALTER FUNCTION uuid_nil() VOLATILE;
-- case: citext becomes text
-- names: accounts
ALTER TABLE accounts ALTER COLUMN login TYPE text;
-- case: hstore's default
-- names: accounts.extra
ALTER TABLE accounts ALTER COLUMN extra SET DEFAULT 'b=>2';
-- case: another operator class
-- names: accounts_login_trgm
DROP INDEX accounts_login_trgm;
CREATE INDEX accounts_login_trgm ON accounts USING gist ((login::text) ext.gist_trgm_ops);
-- case: no exclusion
-- names: accounts
ALTER TABLE accounts DROP CONSTRAINT accounts_room_during_excl;
-- case: a server's option
-- names: elsewhere
ALTER SERVER elsewhere OPTIONS (ADD port '5433');
-- case: a password in a user mapping
-- names: app_reader
ALTER USER MAPPING FOR app_reader SERVER elsewhere OPTIONS (SET password 'other');
-- case: a foreign column's option
-- names: far
ALTER FOREIGN TABLE far ALTER COLUMN id OPTIONS (SET column_name 'number');
-- case: a table becomes a member
-- names: accounts
ALTER EXTENSION citext ADD TABLE accounts;
-- case: a member leaves
-- names: uuid_nil
ALTER EXTENSION "uuid-ossp" DROP FUNCTION uuid_nil();
-- case: the same extension again
-- same
DROP EXTENSION postgres_fdw CASCADE;
CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid', dbname 'x');
CREATE USER MAPPING FOR app_reader SERVER elsewhere OPTIONS (user 'u', password 'hush');
CREATE FOREIGN TABLE far (id integer OPTIONS (column_name 'nr')) SERVER elsewhere OPTIONS (table_name 'near');
