//! Whatever stops REINDEX or DETACH PARTITION CONCURRENTLY: copies and pending detachments are ended, those of others stay.

use std::time::Duration;

use nix::sys::signal::Signal;
use tests::Program;

use crate::shop::{How, Shop};

/// A table with two indexes, a TOAST table, and rows.
fn with_indexes() -> Shop {
    let shop = Shop::new();
    shop.server.query(
        "db_shop",
        "ALTER TABLE t ADD COLUMN b text; CREATE INDEX t_a ON t (a); CREATE INDEX t_b ON t (b)",
    );
    shop
}

/// Waits for an INVALID copy of an index and stops the run.
fn stop_with_copies(shop: &Shop, hold: &str, phase: &str, how: How) -> Vec<String> {
    let other = shop.server.session("db_shop");
    other.run(hold);
    let run = shop.orchestrator.watch(&["all"]);
    shop.wait_for_phase(phase);
    shop.stop(run, how);
    shop.invalid()
}

#[track_caller]
fn assert_fixed(shop: &Shop) {
    assert!(shop.invalid().is_empty(), "{:?}", shop.invalid());
    assert_eq!(
        shop.value("SELECT count(*) FROM pg_class WHERE relname ~ '_cc(new|old)'"),
        "0"
    );
    assert_eq!(shop.indexes(), [["t_a", "t"], ["t_b", "t"]]);
}

/// Locks that stop REINDEX before it builds, and after it has swapped the indexes.
const HOLDS: [(&str, &str, &str); 3] = [
    (
        "BEGIN; LOCK TABLE t IN ROW EXCLUSIVE MODE",
        "waiting for writers before build",
        "_ccnew",
    ),
    (
        "BEGIN; LOCK TABLE t IN ACCESS SHARE MODE",
        "waiting for readers before marking dead",
        "_ccold",
    ),
    (
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1",
        "waiting for old snapshots",
        "_ccnew",
    ),
];

fn copies_are_dropped_when_stopped_by(how: How) {
    let shop = with_indexes();
    for (version, (hold, phase, suffix)) in (2..).zip(HOLDS) {
        shop.file(
            version,
            "SELECT 1; REINDEX (VERBOSE, CONCURRENTLY) TABLE t; SELECT 2",
        );
        let copies = stop_with_copies(&shop, hold, phase, how);
        // Two indexes, and the one of the TOAST table.
        assert_eq!(copies.len(), 3, "{phase}: {copies:?}");
        assert!(
            copies.iter().all(|copy| copy.ends_with(suffix)),
            "{copies:?}"
        );
        assert!(
            copies.iter().any(|copy| copy.starts_with("pg_toast.")),
            "{copies:?}"
        );
        let left = shop.left(version);
        assert_eq!(left.len(), 3, "{left:?}");
        shop.all(0);
        assert_fixed(&shop);
    }
}

#[test]
fn copies_of_a_killed_reindex_are_dropped_in_any_phase() {
    copies_are_dropped_when_stopped_by(How::Kill);
}

#[test]
fn copies_of_a_terminated_reindex_are_dropped_in_any_phase() {
    copies_are_dropped_when_stopped_by(How::Terminate);
}

#[test]
fn copies_of_a_reindex_are_dropped_after_a_crash_in_any_phase() {
    copies_are_dropped_when_stopped_by(How::Crash);
}

#[test]
fn copies_of_a_cancelled_reindex_are_dropped_in_any_phase() {
    copies_are_dropped_when_stopped_by(How::Cancel);
}

#[test]
fn an_interrupted_reindex_of_a_schema_or_database_starts_over() {
    let targets = [
        "REINDEX (CONCURRENTLY) SCHEMA public",
        "REINDEX (CONCURRENTLY TRUE) DATABASE db_shop",
        "REINDEX INDEX CONCURRENTLY public.t_b",
    ];
    let shop = with_indexes();
    for (version, target) in (2..).zip(targets) {
        shop.file(version, target);
        let copies = stop_with_copies(
            &shop,
            "BEGIN; LOCK TABLE t IN ROW EXCLUSIVE MODE",
            "waiting for writers before build",
            How::Terminate,
        );
        assert!(!copies.is_empty(), "{target}");
        shop.all(0);
        assert_fixed(&shop);
    }
}

#[test]
fn copies_of_other_users_remain() {
    let shop = with_indexes();
    // REINDEX by hand that fails, on this table and on another.
    shop.server.query(
        "db_shop",
        "CREATE TABLE u AS TABLE t; CREATE INDEX u_a ON u (a)",
    );
    for table in ["t", "u"] {
        let writer = shop.server.session("db_shop");
        writer.run(&format!("BEGIN; LOCK TABLE {table} IN ROW EXCLUSIVE MODE"));
        let by_hand = shop.server.session("db_shop");
        by_hand.run("SET lock_timeout = '100ms'");
        assert!(
            by_hand
                .try_run(&format!("REINDEX INDEX CONCURRENTLY {table}_a"))
                .is_err()
        );
    }
    let foreign = ["public.t_a_ccnew", "public.u_a_ccnew"];
    assert_eq!(shop.invalid(), foreign);
    shop.file(2, "REINDEX SCHEMA CONCURRENTLY public");
    let copies = stop_with_copies(
        &shop,
        "BEGIN; LOCK TABLE t IN ROW EXCLUSIVE MODE",
        "waiting for writers before build",
        How::Terminate,
    );
    assert!(copies.len() > 2, "{copies:?}");
    assert!(
        copies.contains(&"public.t_a_ccnew1".to_owned()),
        "{copies:?}"
    );
    shop.all(0);
    assert_eq!(shop.invalid(), foreign);
}

#[test]
fn a_reindex_of_a_partitioned_table_is_resumed() {
    let shop = Shop::new();
    shop.server.query(
        "db_shop",
        "CREATE TABLE p (a int) PARTITION BY LIST (a);
         CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
         CREATE INDEX p_a ON p (a)",
    );
    shop.file(2, "REINDEX TABLE CONCURRENTLY p");
    // It asks for a lock on all partitions before it begins: a writer would stop it too early.
    let (hold, phase, _) = HOLDS[2];
    let copies = stop_with_copies(&shop, hold, phase, How::Terminate);
    assert_eq!(copies, ["public.p1_a_idx_ccnew"]);
    shop.all(0);
    assert!(shop.invalid().is_empty());
}

#[test]
fn a_revert_ends_what_the_interrupted_reindex_and_detachment_left() {
    let shop = with_indexes();
    shop.reversible(2, "REINDEX TABLE CONCURRENTLY t", "SELECT 1");
    let copies = stop_with_copies(&shop, HOLDS[1].0, HOLDS[1].1, How::Terminate);
    assert_eq!(copies.len(), 3);
    shop.orchestrator.expect(&["revert", "shop"], 0);
    assert_fixed(&shop);

    partitioned(&shop);
    shop.reversible(
        2,
        "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY",
        "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1)",
    );
    stop_detachment(&shop, How::Terminate);
    shop.orchestrator.expect(&["revert", "shop"], 0);
    assert_eq!(
        shop.server
            .query("db_shop", "SELECT inhdetachpending FROM pg_inherits"),
        [["f"]]
    );
    assert_eq!(shop.server.applied("db_shop"), [1]);
}

fn partitioned(shop: &Shop) {
    shop.server.query(
        "db_shop",
        "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); INSERT INTO p VALUES (1)",
    );
}

/// Stops a detachment after it has become visible as pending.
fn stop_detachment(shop: &Shop, how: How) {
    let reader = shop.server.session("db_shop");
    reader.run("BEGIN; SELECT FROM p");
    let run = shop.orchestrator.watch(&["all"]);
    shop.wait_for(
        "the detachment is pending",
        "(SELECT inhdetachpending FROM pg_inherits)",
    );
    shop.wait_until_locked("ALTER TABLE p DETACH");
    shop.stop(run, how);
}

#[test]
fn a_pending_detachment_is_named_and_finished() {
    for how in [How::Kill, How::Terminate, How::Crash, How::Cancel] {
        let shop = Shop::new();
        partitioned(&shop);
        shop.file(
            2,
            "SELECT 1; ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY; SELECT 2",
        );
        stop_detachment(&shop, how);
        assert_eq!(
            shop.left(2),
            ["the half-detached partition public.p1, which the next run detaches"]
        );
        shop.all(0);
        assert_eq!(shop.value("SELECT count(*) FROM pg_inherits"), "0");
        assert_eq!(shop.value("SELECT count(*) FROM p1"), "1");
    }
}

#[test]
fn finishing_a_detachment_waits_no_longer_than_any_other_statement() {
    let shop = Shop::new();
    partitioned(&shop);
    shop.file(2, "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY");
    stop_detachment(&shop, How::Terminate);
    let reader = shop.server.session("db_shop");
    reader.run("BEGIN; SELECT FROM p1");
    let shortened = Program::orchestrator(&shop.server)
        .services(&shop.services)
        .env("ORCHESTRATOR_LOCK_TIMEOUT", "200ms")
        .env("ORCHESTRATOR_LOCK_RETRIES", "1");
    let outcome = shortened
        .watch(&["all"])
        .end_within(Duration::from_secs(20));
    assert_eq!(outcome.code, 5, "{}", outcome.stdout);
    assert_eq!(outcome.events_of("migration_retrying").len(), 1);
    assert_eq!(shop.left(2).len(), 1);
    reader.run("COMMIT");
    shop.all(0);
    assert_eq!(shop.value("SELECT count(*) FROM pg_inherits"), "0");
}

#[test]
fn a_detachment_that_the_orphaned_server_process_finished_counts_as_done() {
    let shop = Shop::new();
    partitioned(&shop);
    shop.file(
        2,
        "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY; DROP TABLE p1",
    );
    let reader = shop.server.session("db_shop");
    reader.run("BEGIN; SELECT FROM p");
    let run = shop.orchestrator.watch(&["all"]);
    shop.wait_until_locked("ALTER TABLE p DETACH");
    run.signal(Signal::SIGKILL);
    run.end();
    reader.run("COMMIT");
    shop.wait_for(
        "the partition is detached",
        "NOT EXISTS (SELECT FROM pg_inherits)",
    );
    shop.all(0);
    assert_eq!(shop.value("SELECT to_regclass('p1') IS NULL"), "t");
}

#[test]
fn a_detachment_that_another_session_began_is_finished() {
    let shop = Shop::new();
    partitioned(&shop);
    let reader = shop.server.session("db_shop");
    reader.run("BEGIN; SELECT FROM p");
    let by_hand = shop.server.session("db_shop");
    by_hand.run("SET lock_timeout = '100ms'");
    assert!(
        by_hand
            .try_run("ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY")
            .is_err()
    );
    drop(reader);
    shop.file(2, "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY");
    let events = shop.all(0);
    assert!(
        events.iter().any(|event| event["recovered"]
            .as_str()
            .is_some_and(|what| what.contains("pending detachment"))),
        "{events:#?}"
    );
    assert_eq!(shop.value("SELECT count(*) FROM pg_inherits"), "0");
}
