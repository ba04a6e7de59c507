//! No-transaction files run statement by statement, each recorded, and are resumed wherever they were interrupted.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use tests::{Running, wait_until};

use crate::shop::Shop;

#[test]
fn every_kind_of_statement_has_its_way() {
    let shop = Shop::new();
    shop.file(
        2,
        "CREATE TYPE mood AS ENUM ('sad');
         ALTER TYPE mood ADD VALUE 'ok';
         CREATE TABLE moods (m mood DEFAULT 'ok');
         INSERT INTO moods VALUES ('ok');
         CREATE INDEX CONCURRENTLY t_a ON t (a);
         CREATE INDEX CONCURRENTLY ON t ((a + 1));
         VACUUM t;
         REINDEX INDEX CONCURRENTLY t_a;
         REINDEX TABLE CONCURRENTLY t;
         DROP INDEX CONCURRENTLY t_a;
         ALTER SYSTEM RESET work_mem;
         CREATE DATABASE db_other;
         DROP DATABASE db_other;",
    );
    let events = shop.all(0);
    let statements = events
        .iter()
        .filter(|event| event["event"] == "statement_finished")
        .count();
    assert_eq!(statements, 13);
    assert_eq!(shop.server.applied("db_shop"), [1, 2]);
    assert_eq!(shop.indexes(), [["t_expr_idx", "t"]]);
    assert_eq!(
        shop.value("SELECT count(*) FROM orchestrator.progress"),
        "0"
    );
}

#[test]
fn an_explicit_transaction_is_one_step() {
    let shop = Shop::new();
    shop.file(
        2,
        "BEGIN;
         CREATE TABLE u (id int);
         INSERT INTO u VALUES (1);
         COMMIT;
         BEGIN ISOLATION LEVEL SERIALIZABLE;
         INSERT INTO u VALUES (2);
         INSERT INTO u VALUES (1 / 0);
         COMMIT;",
    );
    shop.all(1);
    shop.assert_interrupted(2, 1, 2);
    assert_eq!(shop.value("SELECT array_agg(id) FROM u"), "{1}");
}

#[test]
fn a_chained_commit_keeps_what_it_commits_and_its_isolation_level() {
    let shop = Shop::new();
    shop.file(
        2,
        "BEGIN ISOLATION LEVEL REPEATABLE READ;
         CREATE TABLE u AS SELECT 1 AS id;
         COMMIT AND CHAIN;
         INSERT INTO u VALUES (2);
         CREATE TABLE level AS SELECT current_setting('transaction_isolation') AS level;
         ROLLBACK AND CHAIN;
         INSERT INTO u VALUES (3);
         CREATE TABLE level AS SELECT current_setting('transaction_isolation') AS level;
         COMMIT;",
    );
    shop.all(0);
    assert_eq!(shop.value("SELECT array_agg(id) FROM u"), "{1,3}");
    assert_eq!(shop.value("SELECT level FROM level"), "repeatable read");
}

#[test]
fn a_procedure_that_commits_runs() {
    let shop = Shop::new();
    shop.file(
        2,
        "CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$
         BEGIN
           FOR i IN 10..12 LOOP INSERT INTO t VALUES (i); COMMIT; END LOOP;
         END $$;
         CALL fill();
         DO $$ BEGIN INSERT INTO t VALUES (13); COMMIT; END $$;",
    );
    shop.all(0);
    assert_eq!(
        shop.value("SELECT array_agg(a ORDER BY a) FROM t"),
        "{1,2,10,11,12,13}"
    );
}

#[test]
fn a_failure_half_way_is_interrupted_in_status_and_resumed() {
    let shop = Shop::new();
    shop.file(
        2,
        "CREATE TABLE u (id int);
         CREATE INDEX CONCURRENTLY t_a ON t (a);
         CREATE UNIQUE INDEX CONCURRENTLY t_one ON t ((1));
         CREATE TABLE v (id int);",
    );
    let events = shop.all(1);
    let failed = events
        .iter()
        .find(|event| event["event"] == "migration_failed")
        .unwrap();
    assert_eq!(failed["sqlstate"], "23505");
    assert_eq!(
        (&failed["statements_done"], &failed["statements"]),
        (&json!(2), &json!(4))
    );
    assert_eq!(failed["line"], 4, "{failed}");
    shop.assert_interrupted(2, 2, 4);
    assert_eq!(shop.server.applied("db_shop"), [1]);
    assert_eq!(
        shop.value("SELECT statements_done || '/' || statements FROM orchestrator.journal WHERE outcome = 'failed'"),
        "2/4"
    );

    shop.server.query("db_shop", "DELETE FROM t WHERE a = 1");
    let events = shop.all(0);
    let started = events
        .iter()
        .find(|event| event["event"] == "migration_started")
        .unwrap();
    assert_eq!(started["resumed_after"], 2);
    assert_eq!(shop.indexes(), [["t_a", "t"], ["t_one", "t"]]);
    assert_eq!(shop.server.applied("db_shop"), [1, 2]);
    assert_eq!(shop.status(2)["state"], "applied");
}

#[test]
fn settings_are_made_again_on_resume() {
    let shop = Shop::new();
    shop.file(
        2,
        "CREATE SCHEMA other;
         SET search_path = other, public;
         CREATE TABLE here (id int);
         SELECT set_config('work_mem', '7MB', false);
         SELECT 1 / (SELECT count(*) - 2 FROM t);
         CREATE TABLE there AS SELECT current_setting('search_path') AS path;",
    );
    shop.all(1);
    shop.assert_interrupted(2, 4, 6);
    shop.server.query("db_shop", "DELETE FROM t WHERE a = 1");
    shop.all(0);
    assert_eq!(shop.value("SELECT path FROM other.there"), "other, public");
}

#[test]
fn a_file_that_was_edited_meanwhile_is_not_resumed() {
    let shop = Shop::new();
    shop.file(2, "CREATE TABLE u (id int); SELECT 1 / 0;");
    shop.all(1);
    shop.file(2, "CREATE TABLE u (id int); SELECT 1;");
    let events = shop.all(3);
    let refused = events
        .iter()
        .find(|event| event["event"] == "service_failed")
        .unwrap();
    assert!(refused["next"].is_string(), "{refused}");
    assert_eq!(shop.status(2)["state"], "interrupted");
    assert_eq!(shop.server.applied("db_shop"), [1]);
}

#[test]
fn an_interrupted_migration_can_be_reverted() {
    let shop = Shop::new();
    let revert = "DROP INDEX CONCURRENTLY IF EXISTS t_a; DROP TABLE IF EXISTS u;";
    shop.reversible(
        2,
        "CREATE TABLE u (id int); CREATE INDEX CONCURRENTLY t_a ON t (a); SELECT 1 / 0;",
        revert,
    );
    let before = shop.server.schema("db_shop");
    shop.all(1);
    shop.orchestrator.expect(&["revert", "shop"], 0);
    assert_eq!(shop.server.schema("db_shop"), before);
    assert_eq!(shop.status(2)["state"], "pending");
    // Once undone, the file may be another.
    shop.reversible(2, "CREATE TABLE u (id int);", revert);
    shop.all(0);
    assert_eq!(shop.server.applied("db_shop"), [1, 2]);
}

#[test]
fn a_revert_that_is_interrupted_half_way_is_finished_by_revert() {
    let shop = Shop::new();
    let before = shop.server.schema("db_shop");
    shop.reversible(
        2,
        "CREATE TABLE u (id int); CREATE INDEX CONCURRENTLY t_a ON t (a);",
        "DROP INDEX CONCURRENTLY t_a; SELECT 1 / (SELECT count(*) - 2 FROM t); DROP TABLE u;",
    );
    shop.all(0);
    let revert = || shop.orchestrator.run(&["revert", "shop"]).code;
    assert_eq!(revert(), 1);
    shop.assert_interrupted(2, 1, 3);
    assert_eq!(shop.server.applied("db_shop"), [1, 2]);
    // Half undone is neither applied nor pending: going up is refused.
    shop.all(3);
    shop.server.query("db_shop", "DELETE FROM t WHERE a = 1");
    assert_eq!(revert(), 0);
    assert_eq!(shop.status(2)["state"], "pending");
    assert_eq!(shop.server.applied("db_shop"), [1]);
    assert_eq!(shop.server.schema("db_shop"), before);
}

#[test]
fn an_invalid_index_is_rebuilt_and_not_taken_for_done() {
    for statement in [
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_one ON t ((1))",
        "CREATE UNIQUE INDEX CONCURRENTLY t_one ON t ((1))",
        "CREATE UNIQUE INDEX CONCURRENTLY \"t_one\" ON public.t ((1))",
    ] {
        let shop = Shop::new();
        shop.file(2, statement);
        shop.all(1);
        assert_eq!(shop.indexes(), [["t_one", "f"]]);
        shop.server.query("db_shop", "DELETE FROM t WHERE a = 1");
        shop.all(0);
        assert_eq!(shop.indexes(), [["t_one", "t"]], "{statement}");
    }
}

#[test]
fn an_index_without_a_name_that_failed_leaves_no_second_one() {
    let shop = Shop::new();
    shop.file(2, "CREATE UNIQUE INDEX CONCURRENTLY ON t ((1))");
    shop.all(1);
    shop.server.query("db_shop", "DELETE FROM t WHERE a = 1");
    shop.all(0);
    assert_eq!(shop.indexes(), [["t_expr_idx", "t"]]);
}

/// Cancels a run twice while its statement waits for an old transaction that did `hold`, then runs it again.
fn cancel_while_waiting_and_run_again(shop: &Shop, statement: &str, hold: &str) {
    let old = shop.server.session("db_shop");
    old.run(&format!("BEGIN; {hold}"));
    let run = shop.orchestrator.watch(&["all"]);
    let waits = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '{statement}%'"
    );
    wait_until("the statement waits for the old transaction", || {
        shop.server.value("postgres", &waits) == "1"
    });
    run.signal(Signal::SIGINT);
    run.wait_for_event("cancel_requested");
    run.signal(Signal::SIGINT);
    assert_eq!(run.end_within(Duration::from_secs(10)).code, 130);
    assert_eq!(shop.status(2)["state"], "interrupted");
    old.run("COMMIT");
    shop.all(0);
}

#[test]
fn a_cancelled_reindex_leaves_no_copy_behind() {
    let shop = Shop::new();
    shop.server.query("db_shop", "CREATE INDEX t_a ON t (a)");
    shop.file(2, "REINDEX INDEX CONCURRENTLY t_a");
    cancel_while_waiting_and_run_again(&shop, "REINDEX", "INSERT INTO t VALUES (9)");
    assert_eq!(shop.indexes(), [["t_a", "t"]]);
}

#[test]
fn a_cancelled_index_is_interrupted_and_rebuilt() {
    for statement in [
        "CREATE INDEX CONCURRENTLY t_a_idx ON t (a)",
        "CREATE INDEX CONCURRENTLY ON t (a)",
    ] {
        let shop = Shop::new();
        shop.file(2, statement);
        cancel_while_waiting_and_run_again(&shop, "CREATE INDEX", "INSERT INTO t VALUES (9)");
        assert_eq!(shop.indexes(), [["t_a_idx", "t"]], "{statement}");
    }
}

#[test]
fn a_cancelled_drop_of_an_index_is_finished() {
    let shop = Shop::new();
    shop.server.query("db_shop", "CREATE INDEX t_a ON t (a)");
    shop.file(2, "DROP INDEX CONCURRENTLY t_a");
    cancel_while_waiting_and_run_again(&shop, "DROP INDEX", "SELECT FROM t");
    assert!(shop.indexes().is_empty());
}

#[test]
fn a_cancelled_detachment_is_finished() {
    let shop = Shop::new();
    shop.server.query(
        "db_shop",
        "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);",
    );
    shop.file(2, "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY");
    cancel_while_waiting_and_run_again(&shop, "ALTER TABLE p DETACH", "SELECT FROM p");
    assert_eq!(shop.value("SELECT count(*) FROM pg_inherits"), "0");
}

#[test]
fn an_index_of_others_with_the_same_name_is_no_success() {
    let shop = Shop::new();
    shop.server.query("db_shop", "CREATE INDEX t_a ON t (a)");
    shop.file(2, "CREATE INDEX CONCURRENTLY t_a ON t (a)");
    shop.all(1);
    shop.all(1);
    assert_eq!(shop.indexes(), [["t_a", "t"]]);
}

#[test]
fn a_partition_that_was_half_detached_is_finished() {
    let shop = Shop::new();
    shop.server.query(
        "db_shop",
        "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);",
    );
    shop.file(2, "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY");
    kill_while_waiting(&shop, "ALTER TABLE p DETACH", "SELECT FROM p", false);
    shop.all(0);
    assert_eq!(shop.value("SELECT count(*) FROM pg_inherits"), "0");
    assert_eq!(shop.server.applied("db_shop"), [1, 2]);
}

/// SIGKILLs a run while its statement waits for an old transaction that did `hold`. With `finish` the old transaction
/// ends at once, so that the orphaned server process finishes; without, the server ends it for lack of a client.
fn kill_while_waiting(shop: &Shop, statement: &str, hold: &str, finish: bool) {
    let old = shop.server.session("db_shop");
    old.run(&format!("BEGIN; {hold}; INSERT INTO t VALUES (9)"));
    let run: Running = shop.orchestrator.watch(&["all"]);
    let waits = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '{statement}%'"
    );
    wait_until("the statement waits for the old transaction", || {
        shop.server.value("postgres", &waits) == "1"
    });
    run.signal(Signal::SIGKILL);
    assert_eq!(run.end().code, -1);
    if finish {
        old.run("COMMIT");
    }
    let there = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '{statement}%' AND state = 'active' AND pid <> pg_backend_pid()"
    );
    wait_until("the orphaned server process is gone", || {
        shop.server.value("postgres", &there) == "0"
    });
    old.run("ROLLBACK");
}

#[test]
fn an_index_that_the_orphaned_server_process_finished_counts_as_done() {
    for statement in [
        "CREATE INDEX CONCURRENTLY t_a_idx ON t (a)",
        "CREATE INDEX CONCURRENTLY ON t (a)",
        "CREATE INDEX CONCURRENTLY ON public.t (a)",
    ] {
        let shop = Shop::new();
        shop.file(
            2,
            &format!("CREATE TABLE u (id int); {statement}; CREATE TABLE v (id int)"),
        );
        kill_while_waiting(&shop, "CREATE INDEX", "SELECT FROM t", true);
        assert_eq!(shop.indexes(), [["t_a_idx", "t"]]);
        let events = shop.all(0);
        assert!(
            events
                .iter()
                .any(|event| event["recovered"].is_string() && event["statement"] == 2),
            "{events:#?}"
        );
        assert_eq!(shop.indexes(), [["t_a_idx", "t"]]);
        assert_eq!(shop.server.applied("db_shop"), [1, 2]);
    }
}

#[test]
fn an_index_that_an_orphaned_server_process_left_invalid_is_rebuilt() {
    for statement in [
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_a_idx ON t (a)",
        "CREATE INDEX CONCURRENTLY ON t (a)",
    ] {
        let shop = Shop::new();
        shop.file(2, statement);
        kill_while_waiting(&shop, "CREATE INDEX", "SELECT FROM t", false);
        assert_eq!(shop.indexes(), [["t_a_idx", "f"]]);
        shop.all(0);
        assert_eq!(shop.indexes(), [["t_a_idx", "t"]], "{statement}");
    }
}

#[test]
fn the_next_run_waits_for_the_orphaned_server_process() {
    let shop = Shop::new();
    shop.file(2, "CREATE INDEX CONCURRENTLY ON t (a)");
    let old = shop.server.session("db_shop");
    old.run("BEGIN; INSERT INTO t VALUES (9)");
    let run = shop.orchestrator.watch(&["all"]);
    wait_until("the index waits", || {
        shop.value("SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'")
            == "1"
    });
    run.signal(Signal::SIGKILL);
    run.end();
    let next = shop.orchestrator.watch(&["all"]);
    next.wait_for_event("lock_waiting");
    old.run("COMMIT");
    let outcome = next.end_within(Duration::from_secs(20));
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(shop.indexes(), [["t_a_idx", "t"]]);
}

#[test]
fn an_unmarked_file_gets_the_directive_that_it_lacks() {
    let shop = Shop::new();
    shop.services.service("shop", &[]).migration(
        2,
        "step",
        "CREATE INDEX CONCURRENTLY t_a ON t (a)",
    );
    let outcome = shop.orchestrator.run(&["all"]);
    assert!([1, 2, 3].contains(&outcome.code));
    let text = outcome.stdout + &outcome.stderr;
    assert!(text.contains("-- migration: no-transaction"), "{text}");
}
