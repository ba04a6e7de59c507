//! Statements whose locks are looked at, and the tables that they find.

use rehearsal::LockMode;

/// One statement, or several of one file.
pub(super) struct Seeded {
    pub(super) sql: &'static str,
    /// Tables that are read from beginning to end though the server's messages do not say so: those of a query.
    pub(super) also_read: &'static [&'static str],
    /// Relations that are written anew though the server's messages do not say so.
    pub(super) written_anew: &'static [&'static str],
    /// The rules that hold it against the file.
    pub(super) findings: &'static [&'static str],
}

const fn harmless(sql: &'static str) -> Seeded {
    found(sql, &[])
}

const fn found(sql: &'static str, findings: &'static [&'static str]) -> Seeded {
    Seeded {
        sql,
        also_read: &[],
        written_anew: &[],
        findings,
    }
}

const fn reading(
    sql: &'static str,
    also_read: &'static [&'static str],
    findings: &'static [&'static str],
) -> Seeded {
    Seeded {
        sql,
        also_read,
        written_anew: &[],
        findings,
    }
}

const SCANS: &[&str] = &["scans-under-lock"];
const REWRITES: &[&str] = &["rewrites-table"];
const HELD: &[&str] = &["lock-held-over-data-change"];

/// What stands before.
pub(super) const BEFORE: &str = "
CREATE TABLE controls (
    id int PRIMARY KEY, position int, code varchar(10), title varchar, body text, changed timestamp,
    owner int CONSTRAINT owner_known CHECK (owner IS NOT NULL), cost numeric(10, 2)
);
INSERT INTO controls SELECT n, n, 'x', 'x', 'x', now(), 1, 1 FROM generate_series(1, 100) n;
CREATE INDEX controls_position ON controls (position);
CREATE TABLE plain (id int NOT NULL, code varchar(10), title varchar, cost numeric(10, 2), changed timestamp);
INSERT INTO plain SELECT n, 'x', 'x', 1, now() FROM generate_series(1, 100) n;
CREATE INDEX plain_id ON plain (id);
CREATE TABLE evidence (id int PRIMARY KEY, control_id int, note text);
INSERT INTO evidence SELECT n, n FROM generate_series(1, 100) n;
CREATE INDEX evidence_control ON evidence (control_id);
ALTER TABLE evidence ADD CONSTRAINT evidence_known FOREIGN KEY (control_id) REFERENCES controls NOT VALID;
CREATE TABLE empty (id int);
CREATE TABLE events (id int NOT NULL, kind int) PARTITION BY RANGE (id);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (100);
CREATE TABLE events_rest PARTITION OF events DEFAULT;
INSERT INTO events SELECT n, n FROM generate_series(1, 150) n;
CREATE TABLE old_events (id int NOT NULL, kind int);
CREATE TABLE new_events (id int NOT NULL, kind int, CHECK (id >= 300 AND id < 400));
CREATE TABLE years (id int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE years_1 PARTITION OF years FOR VALUES FROM (0) TO (100);
CREATE MATERIALIZED VIEW totals AS SELECT id, position FROM evidence JOIN controls USING (id);
CREATE UNIQUE INDEX totals_id ON totals (id);
CREATE VIEW titles AS SELECT title FROM controls;
CREATE SEQUENCE numbers;
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TABLE measures (id positive, kind int);
INSERT INTO measures SELECT n, n FROM generate_series(1, 50) n;
CREATE TYPE state AS ENUM ('open');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
CREATE TRIGGER touched BEFORE UPDATE ON evidence FOR EACH ROW EXECUTE FUNCTION touch();
CREATE PROCEDURE commits() LANGUAGE plpgsql AS
    'begin commit; alter table plain add column one int; commit; alter table plain add column two int; end';
";

/// What runs in a transaction.
pub(super) const TRANSACTIONAL: &[Seeded] = &[
    // Columns.
    harmless("ALTER TABLE controls ADD COLUMN extra int"),
    harmless("ALTER TABLE controls ADD COLUMN extra int NOT NULL DEFAULT 5"),
    harmless("ALTER TABLE controls ADD COLUMN extra timestamptz DEFAULT now()"),
    found(
        "ALTER TABLE plain ADD COLUMN extra float DEFAULT random()",
        REWRITES,
    ),
    found("ALTER TABLE plain ADD COLUMN extra serial", REWRITES),
    found(
        "ALTER TABLE plain ADD COLUMN extra int GENERATED ALWAYS AS (id * 2) STORED",
        REWRITES,
    ),
    found(
        "ALTER TABLE controls ADD COLUMN extra int CHECK (extra > 0)",
        SCANS,
    ),
    harmless("ALTER TABLE controls ADD COLUMN extra int REFERENCES evidence"),
    harmless("ALTER TABLE plain DROP COLUMN cost"),
    harmless("ALTER TABLE plain RENAME COLUMN cost TO price"),
    harmless("ALTER TABLE controls ALTER COLUMN position SET DEFAULT 1"),
    harmless("ALTER TABLE controls ALTER COLUMN position DROP NOT NULL"),
    harmless("ALTER TABLE controls ALTER COLUMN position SET STATISTICS 100"),
    harmless("ALTER TABLE controls ALTER COLUMN body SET STORAGE external"),
    found(
        "ALTER TABLE controls ALTER COLUMN position SET NOT NULL",
        SCANS,
    ),
    harmless("ALTER TABLE controls ALTER COLUMN owner SET NOT NULL"),
    // Types.
    found("ALTER TABLE plain ALTER COLUMN id TYPE bigint", REWRITES),
    harmless("ALTER TABLE plain ALTER COLUMN code TYPE varchar(20)"),
    found(
        "ALTER TABLE plain ALTER COLUMN code TYPE varchar(5)",
        REWRITES,
    ),
    harmless("ALTER TABLE plain ALTER COLUMN title TYPE text"),
    harmless("ALTER TABLE plain ALTER COLUMN cost TYPE numeric(12, 2)"),
    found(
        "ALTER TABLE plain ALTER COLUMN id TYPE int USING id + 1",
        REWRITES,
    ),
    // Constraints.
    found("ALTER TABLE controls ADD CHECK (position > 0)", SCANS),
    harmless("ALTER TABLE controls ADD CHECK (position > 0) NOT VALID"),
    reading(
        "ALTER TABLE evidence ADD FOREIGN KEY (control_id) REFERENCES controls",
        &["controls"],
        SCANS,
    ),
    harmless("ALTER TABLE evidence ADD FOREIGN KEY (control_id) REFERENCES controls NOT VALID"),
    reading(
        "ALTER TABLE evidence VALIDATE CONSTRAINT evidence_known",
        &["controls"],
        &[],
    ),
    reading(
        "ALTER TABLE evidence ADD CONSTRAINT again FOREIGN KEY (control_id) REFERENCES controls NOT VALID;\n\
         ALTER TABLE evidence VALIDATE CONSTRAINT again",
        &["controls"],
        SCANS,
    ),
    harmless("ALTER TABLE evidence DROP CONSTRAINT evidence_known"),
    found("ALTER TABLE controls ADD UNIQUE (position)", SCANS),
    found("ALTER TABLE plain ADD PRIMARY KEY (id)", SCANS),
    found("ALTER TABLE controls ADD EXCLUDE (position WITH =)", SCANS),
    reading(
        "ALTER DOMAIN positive ADD CHECK (value < 1000)",
        &["measures"],
        SCANS,
    ),
    harmless("ALTER DOMAIN positive ADD CHECK (value < 1000) NOT VALID"),
    // Tables.
    harmless("ALTER TABLE controls RENAME TO checks"),
    harmless("ALTER TABLE controls SET (fillfactor = 50)"),
    harmless("ALTER TABLE controls SET TABLESPACE pg_default"),
    found("ALTER TABLE plain SET UNLOGGED", REWRITES),
    harmless("ALTER TABLE controls ENABLE ROW LEVEL SECURITY"),
    harmless("ALTER TABLE controls REPLICA IDENTITY FULL"),
    harmless("ALTER TABLE controls CLUSTER ON controls_position"),
    harmless("ALTER TABLE evidence DISABLE TRIGGER touched"),
    harmless("ALTER TABLE plain OWNER TO CURRENT_USER"),
    harmless("CREATE TABLE apart (id int REFERENCES controls)"),
    harmless("CREATE TABLE apart (LIKE controls INCLUDING ALL)"),
    reading(
        "CREATE TABLE apart AS SELECT * FROM controls",
        &["controls"],
        &[],
    ),
    harmless("DROP TABLE evidence CASCADE"),
    harmless("TRUNCATE plain"),
    // Partitions.
    reading(
        "ALTER TABLE events ATTACH PARTITION old_events FOR VALUES FROM (200) TO (300)",
        &[],
        SCANS,
    ),
    reading(
        "ALTER TABLE events ATTACH PARTITION new_events FOR VALUES FROM (300) TO (400)",
        &[],
        SCANS,
    ),
    reading(
        "CREATE TABLE events_9 PARTITION OF events FOR VALUES FROM (900) TO (1000)",
        &["events_rest"],
        SCANS,
    ),
    harmless("CREATE TABLE years_9 PARTITION OF years FOR VALUES FROM (900) TO (1000)"),
    harmless("ALTER TABLE events DETACH PARTITION events_1"),
    // Indexes.
    found("CREATE INDEX ON controls (owner)", SCANS),
    found("CREATE INDEX ON events (kind)", SCANS),
    harmless("CREATE INDEX ON ONLY events (kind)"),
    harmless("DROP INDEX controls_position"),
    found("REINDEX TABLE controls", SCANS),
    found("REINDEX INDEX controls_position", SCANS),
    Seeded {
        sql: "CLUSTER plain USING plain_id",
        also_read: &[],
        written_anew: &["plain"],
        findings: REWRITES,
    },
    // Views, sequences, types.
    Seeded {
        sql: "REFRESH MATERIALIZED VIEW totals",
        also_read: &["controls", "evidence"],
        written_anew: &["totals"],
        findings: REWRITES,
    },
    reading(
        "REFRESH MATERIALIZED VIEW CONCURRENTLY totals",
        &["controls", "evidence", "totals"],
        &[],
    ),
    harmless("CREATE OR REPLACE VIEW titles AS SELECT title FROM controls WHERE owner = 1"),
    harmless("DROP VIEW titles"),
    harmless("ALTER SEQUENCE numbers INCREMENT BY 2"),
    harmless("ALTER TYPE state ADD VALUE 'closed'"),
    // Around tables.
    harmless("CREATE TRIGGER also BEFORE INSERT ON controls FOR EACH ROW EXECUTE FUNCTION touch()"),
    harmless("DROP TRIGGER touched ON evidence"),
    harmless("CREATE POLICY own ON controls"),
    harmless("CREATE RULE quiet AS ON DELETE TO plain DO INSTEAD NOTHING"),
    harmless("CREATE STATISTICS two ON position, owner FROM controls"),
    harmless("COMMENT ON TABLE controls IS 'x'"),
    harmless("GRANT SELECT ON controls TO public"),
    harmless("ANALYZE controls"),
    // Rows.
    reading("UPDATE controls SET position = 2", &["controls"], &[]),
    harmless("INSERT INTO empty VALUES (1)"),
    reading("DELETE FROM evidence", &["evidence"], &[]),
    // Several of one transaction.
    reading(
        "ALTER TABLE controls ADD COLUMN extra int;\nUPDATE controls SET extra = 2",
        &["controls"],
        HELD,
    ),
    reading(
        "UPDATE controls SET position = 2;\nALTER TABLE controls ADD COLUMN extra int",
        &["controls"],
        &[],
    ),
    harmless("ALTER TABLE controls ADD COLUMN extra int;\nINSERT INTO empty VALUES (1)"),
    reading(
        "ALTER TABLE empty ADD COLUMN extra int;\nINSERT INTO empty (id) SELECT id FROM controls",
        &["controls"],
        HELD,
    ),
    reading(
        "LOCK TABLE plain IN SHARE MODE;\nCREATE TABLE apart AS SELECT * FROM controls",
        &["controls"],
        SCANS,
    ),
    reading(
        "DO $$ BEGIN ALTER TABLE controls ADD COLUMN extra int; UPDATE controls SET extra = 1; END $$",
        &["controls"],
        HELD,
    ),
    reading(
        "DO $$ BEGIN UPDATE controls SET position = 1; ALTER TABLE controls ADD COLUMN extra int; END $$",
        &["controls"],
        &[],
    ),
    reading(
        "DO $$ BEGIN UPDATE controls SET position = 1; EXECUTE 'ALTER TABLE controls ALTER position SET NOT NULL'; END $$",
        &["controls"],
        SCANS,
    ),
    found(
        "DO $$ BEGIN INSERT INTO empty VALUES (1); EXECUTE format('ALTER TABLE %I ADD CHECK (position > 0)', 'controls'); END $$",
        SCANS,
    ),
    reading(
        "DO $$ BEGIN ALTER TABLE evidence VALIDATE CONSTRAINT evidence_known; END $$",
        &["controls"],
        &[],
    ),
    found(
        "DO $$ BEGIN EXECUTE 'CREATE INDEX ON controls (owner)'; END $$",
        SCANS,
    ),
    found(
        "DO $$ BEGIN EXECUTE 'ALTER TABLE plain SET UNLOGGED'; END $$",
        REWRITES,
    ),
    found(
        "DO $$ BEGIN INSERT INTO empty VALUES (1); ALTER TABLE plain ALTER COLUMN id TYPE bigint; END $$",
        REWRITES,
    ),
    found(
        "DO $$ BEGIN ALTER TABLE controls ALTER COLUMN position SET NOT NULL; END $$",
        SCANS,
    ),
    harmless(
        "CREATE TABLE apart (id int);\nCREATE INDEX ON apart (id);\nALTER TABLE apart ADD CHECK (id > 0)",
    ),
    harmless("SET LOCAL lock_timeout = '1s';\nALTER TABLE controls ADD COLUMN extra int"),
    harmless(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;\nALTER TABLE controls ADD COLUMN extra int",
    ),
];

/// What runs outside of any transaction, one after another, with the locks that PostgreSQL documents of each; of `VACUUM` none can be
/// counted on to last until somebody looks.
pub(super) const OUTSIDE: &[(&str, &[(&str, LockMode)])] = &[
    (
        "CREATE INDEX CONCURRENTLY controls_owner ON controls (owner)",
        &[("controls", LockMode::ShareUpdateExclusive)],
    ),
    (
        "REINDEX INDEX CONCURRENTLY controls_owner",
        &[("controls", LockMode::ShareUpdateExclusive)],
    ),
    (
        "REINDEX TABLE CONCURRENTLY controls",
        &[("controls", LockMode::ShareUpdateExclusive)],
    ),
    (
        "DROP INDEX CONCURRENTLY controls_owner",
        &[("controls", LockMode::ShareUpdateExclusive)],
    ),
    (
        "ALTER TABLE years DETACH PARTITION years_1 CONCURRENTLY",
        &[
            ("years", LockMode::ShareUpdateExclusive),
            ("years_1", LockMode::AccessExclusive),
        ],
    ),
    ("VACUUM controls", &[]),
    ("VACUUM FULL plain", &[("plain", LockMode::AccessExclusive)]),
    ("CALL commits()", &[("plain", LockMode::AccessExclusive)]),
];
