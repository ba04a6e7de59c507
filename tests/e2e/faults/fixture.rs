//! Two services with every kind of migration and of revert, in as few statements as that takes.

use tests::Services;

/// The names of the services.
pub(crate) const NAMES: [&str; 2] = ["base", "shop"];

/// The services. `log` and `undone` count what was done: a statement that is run twice shows in them.
pub(crate) fn services() -> Services {
    let services = Services::new();
    services
        .service("base", &[])
        .reversible(
            1,
            "several_statements",
            "CREATE TABLE log (what text);
             CREATE TABLE t (a int, b int);
             INSERT INTO t SELECT i, i FROM generate_series(1, 5) i;
             INSERT INTO log VALUES ('tables');
             CREATE INDEX t_old ON t (b);
             CREATE TYPE mood AS ENUM ('sad');
             CREATE TABLE p (a int) PARTITION BY LIST (a);
             CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);",
            "CREATE TABLE undone AS SELECT 'tables' AS what;
             INSERT INTO undone SELECT 'still there: ' || what FROM log WHERE what <> 'tables';
             DROP TABLE t, p, log;
             DROP TYPE mood;",
        )
        .reversible(
            2,
            "step_by_step",
            "-- migration: no-transaction
             SET search_path = public;
             CREATE INDEX CONCURRENTLY t_a ON t (a);
             CREATE INDEX CONCURRENTLY ON t (b);
             ALTER TYPE mood ADD VALUE 'ok';
             INSERT INTO log VALUES ('mood ' || 'ok'::mood);
             ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;
             DROP INDEX CONCURRENTLY t_old;",
            "-- migration: no-transaction
             BEGIN;
             DELETE FROM log WHERE what = 'mood ok';
             ALTER TYPE mood RENAME TO old_mood;
             CREATE TYPE mood AS ENUM ('sad');
             DROP TYPE old_mood;
             ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1);
             COMMIT;
             CREATE INDEX CONCURRENTLY t_old ON t (b);
             DROP INDEX CONCURRENTLY t_b_idx;
             DROP INDEX t_a;",
        )
        .reversible(3, "nothing", "", "SELECT 1;\n");
    services
        .service("shop", &["base"])
        .reversible(
            1,
            "gated",
            "-- migration: requires base@2
             CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)",
            "DROP TABLE u",
        )
        .reversible(
            2,
            "blocks",
            "-- migration: no-transaction
             BEGIN;
             INSERT INTO u VALUES (2);
             ALTER TABLE u ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;
             COMMIT AND CHAIN;
             UPDATE u SET id = id + 10;
             COMMIT;
             ALTER TABLE u VALIDATE CONSTRAINT positive;
             REINDEX INDEX CONCURRENTLY u_pkey;
             VACUUM u;",
            "-- migration: no-transaction
             REINDEX TABLE CONCURRENTLY u;
             CREATE TABLE undone AS SELECT id FROM u;
             UPDATE undone SET id = id + 10;
             ALTER TABLE u DROP CONSTRAINT positive;",
        );
    services
}
