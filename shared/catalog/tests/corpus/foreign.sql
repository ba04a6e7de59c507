-- Tables of other servers.
CREATE FOREIGN DATA WRAPPER files OPTIONS (debug 'true');
CREATE FOREIGN DATA WRAPPER empty_wrapper;
CREATE SERVER archive TYPE 'disk' VERSION '1.2' FOREIGN DATA WRAPPER files OPTIONS (folder '/srv/archive', "Mixed Case" 'it''s');
CREATE SERVER bare FOREIGN DATA WRAPPER empty_wrapper;
CREATE USER MAPPING FOR PUBLIC SERVER archive OPTIONS (usr 'guest');
CREATE USER MAPPING FOR app_reader SERVER archive OPTIONS (usr 'reader', secret 'hush');
CREATE USER MAPPING FOR app_writer SERVER bare;
CREATE FOREIGN TABLE old_orders (
    id integer OPTIONS (key 'yes') NOT NULL,
    placed date DEFAULT '2000-01-01',
    note text OPTIONS (encoding 'latin1', width '80') COLLATE "C",
    CONSTRAINT sane CHECK (id > 0)
) SERVER archive OPTIONS (file 'orders.csv');
CREATE TABLE local_orders (id integer NOT NULL, placed date) PARTITION BY RANGE (placed);
CREATE FOREIGN TABLE far_orders PARTITION OF local_orders FOR VALUES FROM ('1990-01-01') TO ('2000-01-01') SERVER bare;
CREATE FOREIGN TABLE child_orders (extra text) INHERITS (old_orders) SERVER bare;
COMMENT ON FOREIGN DATA WRAPPER files IS 'of files';
COMMENT ON SERVER archive IS 'the cellar';
COMMENT ON FOREIGN TABLE old_orders IS 'read only';
COMMENT ON COLUMN old_orders.note IS 'by hand';
GRANT USAGE ON FOREIGN DATA WRAPPER files TO app_owner;
GRANT USAGE ON FOREIGN SERVER archive TO app_reader WITH GRANT OPTION;
GRANT SELECT, INSERT ON old_orders TO app_reader;
CREATE VIEW all_orders AS SELECT id, placed FROM old_orders UNION ALL SELECT id, placed FROM local_orders;
