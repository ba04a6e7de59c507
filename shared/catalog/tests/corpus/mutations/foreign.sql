-- Foreign data.

-- case: an option of a wrapper
-- names: files
ALTER FOREIGN DATA WRAPPER files OPTIONS (SET debug 'false');
-- case: no wrapper
-- names: another
CREATE FOREIGN DATA WRAPPER another;
-- case: a validator
-- names: empty_wrapper
ALTER FOREIGN DATA WRAPPER empty_wrapper VALIDATOR postgresql_fdw_validator;
-- case: a wrapper's comment
-- names: files
COMMENT ON FOREIGN DATA WRAPPER files IS NULL;
-- case: a wrapper's privilege
-- names: files
REVOKE USAGE ON FOREIGN DATA WRAPPER files FROM app_owner;
-- case: a server's version
-- names: archive
ALTER SERVER archive VERSION '1.3';
-- case: a server's option
-- names: archive
ALTER SERVER archive OPTIONS (SET folder '/srv/other');
-- case: another option of a server
-- names: bare
ALTER SERVER bare OPTIONS (ADD x 'y');
-- case: options in another order
-- same
ALTER SERVER archive OPTIONS (DROP folder);
ALTER SERVER archive OPTIONS (ADD folder '/srv/archive');
-- case: a server's comment
-- names: archive
COMMENT ON SERVER archive IS NULL;
-- case: a server's privilege
-- names: archive
GRANT USAGE ON FOREIGN SERVER archive TO app_writer;
-- case: a server's owner
-- names: bare
ALTER SERVER bare OWNER TO app_owner;
-- case: a renamed server
-- names: archive, attic, old_orders
ALTER SERVER archive RENAME TO attic;
-- case: no user mapping
-- names: app_writer
DROP USER MAPPING FOR app_writer SERVER bare;
-- case: an option of a user mapping
-- names: app_reader
ALTER USER MAPPING FOR app_reader SERVER archive OPTIONS (SET secret 'hush hush');
-- case: an option of the public user mapping
-- names: archive
ALTER USER MAPPING FOR PUBLIC SERVER archive OPTIONS (DROP usr);
-- case: an option of a foreign table
-- names: old_orders
ALTER FOREIGN TABLE old_orders OPTIONS (SET file 'others.csv');
-- case: an option of a foreign column
-- names: old_orders.note
ALTER FOREIGN TABLE old_orders ALTER COLUMN note OPTIONS (SET width '81');
-- case: a foreign column without options
-- names: old_orders.id
ALTER FOREIGN TABLE old_orders ALTER COLUMN id OPTIONS (DROP key);
-- case: a foreign column's default
-- names: old_orders.placed
ALTER FOREIGN TABLE ONLY old_orders ALTER COLUMN placed DROP DEFAULT;
-- case: a foreign column nullable
-- names: orders.id
ALTER FOREIGN TABLE old_orders ALTER COLUMN id DROP NOT NULL;
-- case: a new foreign column
-- names: orders.more
ALTER FOREIGN TABLE old_orders ADD COLUMN more text;
-- case: a foreign check
-- names: sane
ALTER FOREIGN TABLE old_orders DROP CONSTRAINT sane;
-- case: a foreign table's comment
-- names: old_orders
COMMENT ON FOREIGN TABLE old_orders IS NULL;
-- case: a foreign table's privilege
-- names: old_orders
REVOKE INSERT ON old_orders FROM app_reader;
-- case: a foreign table's owner
-- names: old_orders
ALTER FOREIGN TABLE old_orders OWNER TO app_owner;
-- case: a dropped foreign table
-- names: far_orders
DROP FOREIGN TABLE far_orders;
-- case: a foreign partition detached
-- names: far_orders
ALTER TABLE local_orders DETACH PARTITION far_orders;
-- case: a foreign child no longer inherits
-- names: child_orders
ALTER FOREIGN TABLE child_orders NO INHERIT old_orders;
-- case: a foreign table of another server
-- names: far_orders
DROP FOREIGN TABLE far_orders;
CREATE FOREIGN TABLE far_orders PARTITION OF local_orders FOR VALUES FROM ('1990-01-01') TO ('2000-01-01') SERVER archive;
-- case: a table instead of a foreign table
-- names: far_orders
DROP FOREIGN TABLE far_orders;
CREATE TABLE far_orders PARTITION OF local_orders FOR VALUES FROM ('1990-01-01') TO ('2000-01-01');
-- case: the same options again
-- same
ALTER FOREIGN TABLE old_orders OPTIONS (SET file 'orders.csv');
-- case: another order of foreign columns
-- order: child_orders
-- names: child_orders
DROP FOREIGN TABLE child_orders;
CREATE FOREIGN TABLE child_orders (extra text, id integer NOT NULL, placed date DEFAULT '2000-01-01', note text COLLATE "C", CONSTRAINT sane CHECK (id > 0)) SERVER bare;
ALTER FOREIGN TABLE child_orders INHERIT old_orders;
-- case: a child nullable below a parent that is not, which pg_dump omits
-- needs: ..17
-- same
ALTER FOREIGN TABLE child_orders ALTER COLUMN id DROP NOT NULL;
