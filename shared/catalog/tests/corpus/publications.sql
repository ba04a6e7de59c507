-- Replication and storage: publications, replica identity, statistics, options.
CREATE TABLE keyed (id integer PRIMARY KEY, a text, b text, c integer);
CREATE TABLE indexed (id integer NOT NULL, code text NOT NULL, x integer);
CREATE UNIQUE INDEX indexed_code ON indexed (code, id);
CREATE TABLE bare (v text);
CREATE TABLE wide (
    id bigint PRIMARY KEY, doc text, blob bytea, small varchar(20), num numeric(1000,2), flag boolean
) WITH (fillfactor = 90, parallel_workers = 2, toast.autovacuum_enabled = false, autovacuum_analyze_threshold = 77);
CREATE INDEX wide_small ON wide (small);
CREATE INDEX wide_expression ON wide (lower(small), (id % 10));
CLUSTER wide USING wide_small;
ALTER TABLE keyed REPLICA IDENTITY FULL;
ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_code;
ALTER TABLE bare REPLICA IDENTITY NOTHING;
ALTER TABLE wide ALTER COLUMN doc SET STORAGE EXTERNAL;
ALTER TABLE wide ALTER COLUMN blob SET STORAGE MAIN;
ALTER TABLE wide ALTER COLUMN doc SET COMPRESSION pglz;
ALTER TABLE wide ALTER COLUMN small SET STATISTICS 500;
ALTER TABLE wide ALTER COLUMN num SET (n_distinct = -0.5, n_distinct_inherited = 10);
ALTER INDEX wide_expression ALTER COLUMN 1 SET STATISTICS 300;
CREATE STATISTICS wide_stats (mcv) ON small, flag FROM wide;
CREATE STATISTICS keyed_stats ON a, b, c FROM keyed;
CREATE STATISTICS expression_stats ON lower(a), (c + 1) FROM keyed;
ALTER STATISTICS wide_stats SET STATISTICS 400;
COMMENT ON STATISTICS wide_stats IS 'for the planner';
CREATE PUBLICATION warehouse FOR TABLE keyed, indexed WITH (publish = 'insert, update');
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE PUBLICATION nothing WITH (publish_via_partition_root = true);
COMMENT ON PUBLICATION warehouse IS 'for the warehouse';
ALTER PUBLICATION nothing OWNER TO app_owner;
