-- Publications, replica identity, storage and statistics.

-- case: a removed table
-- names: warehouse
ALTER PUBLICATION warehouse DROP TABLE indexed;
-- case: an added table
-- names: nothing
ALTER PUBLICATION nothing ADD TABLE keyed;
-- case: other operations
-- names: warehouse
ALTER PUBLICATION warehouse SET (publish = 'insert');
-- case: via the root
-- names: nothing
ALTER PUBLICATION nothing SET (publish_via_partition_root = false);
-- case: not all tables
-- names: everything
DROP PUBLICATION everything;
CREATE PUBLICATION everything;
-- case: columns
-- needs: 15
-- names: warehouse
ALTER PUBLICATION warehouse SET TABLE keyed (id, b, a), indexed;
-- case: a row filter
-- needs: 15
-- names: warehouse
ALTER PUBLICATION warehouse SET TABLE keyed WHERE (id > 10), indexed;
-- case: a schema
-- needs: 15
-- names: nothing
ALTER PUBLICATION nothing ADD TABLES IN SCHEMA public;
-- case: generated columns
-- needs: 18
-- names: nothing
ALTER PUBLICATION nothing SET (publish_generated_columns = stored);
-- case: a publication's comment
-- names: warehouse
COMMENT ON PUBLICATION warehouse IS NULL;
-- case: a publication's owner
-- names: nothing
ALTER PUBLICATION nothing OWNER TO app_writer;
-- case: no publication
-- names: nothing
DROP PUBLICATION nothing;
-- case: a renamed publication
-- names: nothing, little
ALTER PUBLICATION nothing RENAME TO little;
-- case: the same tables again
-- same
ALTER PUBLICATION warehouse SET TABLE indexed, keyed;
-- case: replica identity default
-- names: keyed
ALTER TABLE keyed REPLICA IDENTITY DEFAULT;
-- case: replica identity nothing
-- names: keyed
ALTER TABLE keyed REPLICA IDENTITY NOTHING;
-- case: replica identity by an index
-- names: keyed
ALTER TABLE keyed REPLICA IDENTITY USING INDEX keyed_pkey;
-- case: replica identity full
-- names: indexed
ALTER TABLE indexed REPLICA IDENTITY FULL;
-- case: replica identity default of a table without a key
-- names: bare
ALTER TABLE bare REPLICA IDENTITY DEFAULT;
-- case: not clustered
-- names: wide
ALTER TABLE wide SET WITHOUT CLUSTER;
-- case: clustered by the primary key
-- names: wide
ALTER TABLE wide CLUSTER ON wide_pkey;
-- case: fillfactor
-- names: wide
ALTER TABLE wide SET (fillfactor = 91);
-- case: a toast parameter
-- names: wide
ALTER TABLE wide RESET (toast.autovacuum_enabled);
-- case: another toast parameter
-- names: wide
ALTER TABLE wide SET (toast.autovacuum_vacuum_threshold = 5);
-- case: a parameter that is the default is still set
-- names: bare
ALTER TABLE bare SET (fillfactor = 100);
-- case: parameters in another order
-- names: wide
ALTER TABLE wide RESET (fillfactor);
ALTER TABLE wide SET (fillfactor = 90);
-- case: storage
-- names: wide.doc
ALTER TABLE wide ALTER COLUMN doc SET STORAGE MAIN;
-- case: storage of the type
-- names: wide.doc
ALTER TABLE wide ALTER COLUMN doc SET STORAGE EXTENDED;
-- case: storage by its new name
-- needs: 16
-- names: wide.blob
ALTER TABLE wide ALTER COLUMN blob SET STORAGE DEFAULT;
-- case: compression
-- names: wide.doc
ALTER TABLE wide ALTER COLUMN doc SET COMPRESSION default;
-- case: statistics target
-- names: wide.small
ALTER TABLE wide ALTER COLUMN small SET STATISTICS 501;
-- case: statistics target zero
-- names: wide.doc
ALTER TABLE wide ALTER COLUMN doc SET STATISTICS 0;
-- case: options of a column
-- names: wide.num
ALTER TABLE wide ALTER COLUMN num SET (n_distinct = -0.6);
-- case: an option of a column
-- names: wide.num
ALTER TABLE wide ALTER COLUMN num RESET (n_distinct_inherited);
-- case: statistics target of an index
-- names: wide_expression
ALTER INDEX wide_expression ALTER COLUMN 1 SET STATISTICS -1;
-- case: other kinds of statistics
-- names: wide_stats
DROP STATISTICS wide_stats;
CREATE STATISTICS wide_stats (ndistinct) ON small, flag FROM wide;
ALTER STATISTICS wide_stats SET STATISTICS 400;
COMMENT ON STATISTICS wide_stats IS 'for the planner';
-- case: statistics of another expression
-- names: expression_stats
DROP STATISTICS expression_stats;
CREATE STATISTICS expression_stats ON lower(b), (c + 1) FROM keyed;
-- case: the statistics' target
-- names: wide_stats
ALTER STATISTICS wide_stats SET STATISTICS 300;
-- case: the statistics' comment
-- names: wide_stats
COMMENT ON STATISTICS wide_stats IS NULL;
-- case: the statistics' owner
-- names: keyed_stats
ALTER STATISTICS keyed_stats OWNER TO app_owner;
-- case: the statistics' schema
-- names: other, keyed_stats
CREATE SCHEMA other;
ALTER STATISTICS keyed_stats SET SCHEMA other;
-- case: no statistics
-- names: keyed_stats
DROP STATISTICS keyed_stats;
-- case: a subscription
-- names: outgoing
SELECT 1;
-- then
CREATE SUBSCRIPTION outgoing CONNECTION 'host=nowhere.invalid dbname=x password=hush' PUBLICATION a WITH (connect = false, slot_name = NONE, enabled = false);
-- case: another order of published columns
-- order: public.keyed
ALTER TABLE keyed DROP COLUMN a CASCADE, DROP COLUMN b CASCADE;
ALTER TABLE keyed ADD COLUMN b text, ADD COLUMN a text;
CREATE STATISTICS keyed_stats ON a, b, c FROM keyed;
CREATE STATISTICS expression_stats ON lower(a), (c + 1) FROM keyed;
