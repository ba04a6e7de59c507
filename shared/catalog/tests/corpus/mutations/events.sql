-- Partitions and what they inherit.

-- case: a new partition
-- names: events_2026
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2027-01-01 00:00+00');
-- case: a dropped partition
-- names: events_2024
DROP TABLE events_2024;
-- case: a detached partition
-- names: events_2024
ALTER TABLE events DETACH PARTITION events_2024;
-- case: detached and attached
-- same
ALTER TABLE events DETACH PARTITION events_2023;
ALTER TABLE events ATTACH PARTITION events_2023 FOR VALUES FROM ('2023-01-01 00:00+00') TO ('2024-01-01 00:00+00');
-- case: another bound
-- names: events_2024
ALTER TABLE events DETACH PARTITION events_2024;
ALTER TABLE events ATTACH PARTITION events_2024 FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-12-31 00:00+00');
-- case: another list
-- names: events_2025_buy
ALTER TABLE events_2025 DETACH PARTITION events_2025_buy;
ALTER TABLE events_2025 ATTACH PARTITION events_2025_buy FOR VALUES IN ('buy');
-- case: no longer the default partition
-- names: events_rest
ALTER TABLE events DETACH PARTITION events_rest;
ALTER TABLE events ATTACH PARTITION events_rest FOR VALUES FROM ('2030-01-01 00:00+00') TO ('2031-01-01 00:00+00');
-- case: another strategy
-- names: by_expression
DROP TABLE by_expression;
CREATE TABLE by_expression (k integer, t text) PARTITION BY RANGE (upper(t) COLLATE "C");
CREATE TABLE by_expression_a PARTITION OF by_expression FOR VALUES FROM ('A') TO ('B');
-- case: another partition key
-- names: shards
DROP TABLE shards;
CREATE TABLE shards (k integer NOT NULL, v text, w integer) PARTITION BY HASH (k, upper(v));
CREATE TABLE shards_0 PARTITION OF shards FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shards_1 PARTITION OF shards FOR VALUES WITH (MODULUS 2, REMAINDER 1) WITH (fillfactor = 50);
-- case: an operator class in the partition key
-- names: by_expression
DROP TABLE by_expression;
CREATE TABLE by_expression (k integer, t text) PARTITION BY LIST (upper(t) COLLATE "C" text_pattern_ops);
CREATE TABLE by_expression_a PARTITION OF by_expression FOR VALUES IN ('A');
-- case: an ordinary table
-- names: by_two
DROP TABLE by_two;
CREATE TABLE by_two (a integer, b integer);
-- case: a default of a partition
-- names: events_2024.kind
ALTER TABLE events_2024 ALTER COLUMN kind SET DEFAULT 'view';
-- case: no default of a partition
-- names: events_2024.kind
ALTER TABLE events_2024 ALTER COLUMN kind DROP DEFAULT;
-- case: the default of a partition becomes its parent's
-- names: events_2023.kind
ALTER TABLE events_2023 ALTER COLUMN kind SET DEFAULT 'click';
-- case: a default of the parent
-- names: public.events.kind
ALTER TABLE ONLY events ALTER COLUMN kind SET DEFAULT 'view';
-- case: a default of the parent and of all partitions
-- names: kind
ALTER TABLE events ALTER COLUMN kind SET DEFAULT 'view';
-- case: not nullable in a partition
-- names: events_2024.payload
ALTER TABLE events_2024 ALTER COLUMN payload SET NOT NULL;
-- case: not nullable everywhere
-- names: payload
ALTER TABLE events ALTER COLUMN payload SET NOT NULL;
-- case: a new column everywhere
-- names: colour
ALTER TABLE events ADD COLUMN colour text DEFAULT 'red';
-- case: a dropped column everywhere
-- names: payload, events_2025_buy
ALTER TABLE events_2025_buy DROP CONSTRAINT paid;
ALTER TABLE events DROP COLUMN payload;
-- case: a constraint of a partition
-- names: events_2024
ALTER TABLE events_2024 ADD CONSTRAINT own CHECK (id > 0);
-- case: no constraint of a partition
-- names: events_2025_buy
ALTER TABLE events_2025_buy DROP CONSTRAINT paid;
-- case: a constraint everywhere
-- names: positive
ALTER TABLE events ADD CONSTRAINT positive CHECK (tenant > 0);
-- case: no constraint everywhere
-- names: kind_known
ALTER TABLE events DROP CONSTRAINT kind_known;
-- case: storage parameters of a partition
-- names: events_2024
ALTER TABLE events_2024 RESET (fillfactor);
-- case: a partition's storage
-- names: events_2024.payload
ALTER TABLE events_2024 ALTER COLUMN payload SET STORAGE EXTERNAL;
-- case: an index everywhere
-- names: events_by_kind, kind_idx
CREATE INDEX events_by_kind ON events (kind);
-- case: no index everywhere
-- names: events_tenant_idx, tenant_idx, ready_made
DROP INDEX events_tenant_idx;
-- case: an index on a partition
-- names: events_2024_own
CREATE INDEX events_2024_own ON events_2024 (kind);
-- case: an index only on the parent
-- names: events_by_kind
CREATE INDEX events_by_kind ON ONLY events (kind);
-- case: an index attached
-- names: by_two_low_unique
CREATE UNIQUE INDEX by_two_low_unique ON by_two_low (a, b);
ALTER INDEX by_two_unique ATTACH PARTITION by_two_low_unique;
-- case: a renamed index of a partition
-- names: tenant_idx
ALTER INDEX events_2024_tenant_idx RENAME TO renamed_tenant_idx;
-- case: storage parameters of a partition's index
-- names: events_2024_tenant_idx
ALTER INDEX events_2024_tenant_idx SET (fillfactor = 60);
-- case: a comment on a partition's index
-- names: events_2024_tenant_idx
COMMENT ON INDEX events_2024_tenant_idx IS 'attached';
-- case: replica identity by a partition's index
-- names: events_2024
ALTER TABLE events_2024 REPLICA IDENTITY USING INDEX events_2024_pkey;
-- case: no foreign key
-- names: events_tenant_fkey
ALTER TABLE events DROP CONSTRAINT events_tenant_fkey;
-- case: another foreign key
-- names: events_tenant_fkey
ALTER TABLE events DROP CONSTRAINT events_tenant_fkey;
ALTER TABLE events ADD CONSTRAINT events_tenant_fkey FOREIGN KEY (tenant) REFERENCES tenants (id) ON DELETE CASCADE;
-- case: no primary key
-- names: events_pkey, _pkey
ALTER TABLE events DROP CONSTRAINT events_pkey;
ALTER TABLE events ALTER COLUMN id SET NOT NULL, ALTER COLUMN at SET NOT NULL, ALTER COLUMN kind SET NOT NULL;
-- case: a trigger everywhere
-- names: new_trigger
CREATE TRIGGER new_trigger BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION stamp();
-- case: no trigger
-- names: events_stamp
DROP TRIGGER events_stamp ON events;
-- case: a trigger disabled on a partition
-- names: events_stamp
ALTER TABLE events_2024 DISABLE TRIGGER events_stamp;
-- case: a trigger disabled on the parent
-- names: events_stamp
ALTER TABLE ONLY events DISABLE TRIGGER events_stamp;
-- case: a trigger enabled on a partition
-- names: events_stamp
ALTER TABLE events_rest ENABLE TRIGGER events_stamp;
-- case: a trigger of a partition
-- names: after_2024
DROP TRIGGER after_2024 ON events_2024;
-- case: a comment on a trigger of a partition, which pg_dump omits
-- same
COMMENT ON TRIGGER events_stamp ON events_2024 IS 'cloned';
-- case: a comment on a partition
-- names: events_2024
COMMENT ON TABLE events_2024 IS 'warm';
-- case: a comment on a column of a partition
-- names: events_2024.kind
COMMENT ON COLUMN events_2024.kind IS 'what';
-- case: a privilege on a partition
-- names: events_2024
GRANT SELECT ON events_2024 TO app_reader;
-- case: a partition's owner
-- names: events_2024
ALTER TABLE events_2024 OWNER TO app_owner;
-- case: logged
-- names: measurements
ALTER TABLE measurements SET LOGGED;
-- case: a "char" default
-- names: measurements.quality
ALTER TABLE measurements ALTER COLUMN quality SET DEFAULT 'b';
-- case: a table parameter
-- names: measurements
ALTER TABLE measurements RESET (autovacuum_vacuum_scale_factor);
-- case: a materialised view without rows
-- same
REFRESH MATERIALIZED VIEW hourly WITH NO DATA;
-- case: a materialised view refreshed
-- same
REFRESH MATERIALIZED VIEW hourly;
-- case: statistics of other columns
-- names: measurements_stats
DROP STATISTICS measurements_stats;
CREATE STATISTICS measurements_stats (dependencies, ndistinct) ON sensor, at FROM measurements;
-- case: other kinds of statistics
-- names: measurements_stats
DROP STATISTICS measurements_stats;
CREATE STATISTICS measurements_stats (dependencies) ON sensor, quality FROM measurements;
-- case: statistics of columns in another order
-- same
DROP STATISTICS measurements_stats;
CREATE STATISTICS measurements_stats (ndistinct, dependencies) ON quality, sensor FROM measurements;
-- case: another column order of a partition
-- needs: ..17
-- order: events_2024
ALTER TABLE events DETACH PARTITION events_2024;
DROP TABLE events_2024;
CREATE TABLE events_2024 (payload jsonb, kind text NOT NULL DEFAULT 'click', id bigint NOT NULL, tenant integer NOT NULL, at timestamptz NOT NULL DEFAULT now(), CONSTRAINT kind_known CHECK (kind IN ('click', 'view', 'buy'))) WITH (fillfactor = 80, autovacuum_enabled = false);
COMMENT ON TABLE events_2024 IS 'cold';
CREATE TRIGGER after_2024 AFTER UPDATE ON events_2024 FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE events ATTACH PARTITION events_2024 FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2025-01-01 00:00+00');
-- case: another column order of a partition, not null constraints with the names of its parent's
-- needs: 18
-- order: events_2024
ALTER TABLE events DETACH PARTITION events_2024;
DROP TABLE events_2024;
CREATE TABLE events_2024 (payload jsonb, kind text CONSTRAINT events_kind_not_null NOT NULL DEFAULT 'click', id bigint CONSTRAINT events_id_not_null NOT NULL, tenant integer CONSTRAINT events_tenant_not_null NOT NULL, at timestamptz CONSTRAINT events_at_not_null NOT NULL DEFAULT now(), CONSTRAINT kind_known CHECK (kind IN ('click', 'view', 'buy'))) WITH (fillfactor = 80, autovacuum_enabled = false);
COMMENT ON TABLE events_2024 IS 'cold';
CREATE TRIGGER after_2024 AFTER UPDATE ON events_2024 FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE events ATTACH PARTITION events_2024 FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2025-01-01 00:00+00');
-- case: a partition's access method
-- names: events_2024, heap2
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
DROP TABLE events_2024;
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2025-01-01 00:00+00') USING heap2 WITH (fillfactor = 80, autovacuum_enabled = false);
COMMENT ON TABLE events_2024 IS 'cold';
CREATE TRIGGER after_2024 AFTER UPDATE ON events_2024 FOR EACH ROW EXECUTE FUNCTION stamp();
-- case: the access method of a partitioned table
-- needs: 17
-- names: heap2, by_two
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
ALTER TABLE by_two SET ACCESS METHOD heap2;
-- case: a comment on a partition's inherited constraint, which pg_dump omits
-- same
COMMENT ON CONSTRAINT kind_known ON events_2025_click IS 'inherited';
