//! Whatever stops CREATE or DROP INDEX CONCURRENTLY, in whatever phase: the next run finds what is left, and only that.

use tests::{Program, Running, Session, wait_until};

use crate::shop::{How, Shop};

/// Statements that wait for as long as the test likes: the index calls a function that takes a lock of the test's.
const HELD: &str = "CREATE FUNCTION held(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \
     $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN a; END $$";

/// As a writer does, without a row: that would wait for the test itself.
const WRITE: &str = "BEGIN; LOCK TABLE t IN ROW EXCLUSIVE MODE";

const PHASES: [&str; 4] = [
    "waiting for writers before build",
    "building index",
    "waiting for writers before validation",
    "waiting for old snapshots",
];

/// Starts a run that builds an index on `held(a)`, and stops the index in a phase with the sessions that it gives.
fn reach(shop: &Shop, orchestrator: &Program, phase: &str) -> (Running, Vec<Session>) {
    let other = shop.server.session("db_shop");
    match phase {
        "waiting for writers before build" => other.run(WRITE),
        "waiting for old snapshots" => {
            other.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
        }
        _ => other.run("SELECT pg_advisory_lock(7)"),
    }
    let run = orchestrator.watch(&["all"]);
    let mut sessions = vec![other];
    if phase == "waiting for writers before validation" {
        shop.wait_for_phase("building index");
        let writer = shop.server.session("db_shop");
        writer.run(WRITE);
        sessions[0].run("SELECT pg_advisory_unlock(7)");
        sessions.push(writer);
    }
    shop.wait_for_phase(phase);
    (run, sessions)
}

/// An index that is stopped in each of its phases is INVALID, is named, and is built anew.
fn stopped_in_each_phase(how: How) {
    let shop = Shop::new();
    shop.server.query("db_shop", HELD);
    let orchestrator = Program::orchestrator(&shop.server).services(&shop.services);
    let shortened = Program::orchestrator(&shop.server)
        .services(&shop.services)
        .env("ORCHESTRATOR_CONCURRENTLY_TIMEOUT", "1s")
        .env("ORCHESTRATOR_LOCK_RETRIES", "0");
    for (version, phase) in (2..).zip(PHASES) {
        let named = version % 2 == 0;
        let limit = match how {
            How::StatementTimeout => "-- migration: statement-timeout 1s\n",
            _ => "",
        };
        let name = if named {
            format!("IF NOT EXISTS t_{version}")
        } else {
            String::new()
        };
        shop.file(
            version,
            &format!("{limit}SELECT 1; CREATE INDEX CONCURRENTLY {name} ON t (held(a))"),
        );
        let program = if how == How::LockTimeout {
            &shortened
        } else {
            &orchestrator
        };
        let (run, sessions) = reach(&shop, program, phase);
        shop.stop(run, how);
        drop(sessions);
        let invalid = shop.invalid();
        assert_eq!(invalid.len(), 1, "{phase}: {invalid:?}");
        shop.assert_interrupted(version, 1, 2);
        let left = shop.left(version);
        assert!(
            left.len() == 1 && left[0].contains(&format!("INVALID index {}", invalid[0])),
            "{phase}: {left:?}"
        );
        let events = shop.all(0);
        assert!(
            events.iter().any(|event| event["recovered"]
                .as_str()
                .is_some_and(|what| what.contains(&invalid[0]))),
            "{phase}: {events:#?}"
        );
        assert!(shop.invalid().is_empty(), "{phase}");
    }
    assert_eq!(
        shop.indexes(),
        [
            ["t_2", "t"],
            ["t_4", "t"],
            ["t_held_idx", "t"],
            ["t_held_idx1", "t"]
        ]
    );
    assert_eq!(shop.server.applied("db_shop"), [1, 2, 3, 4, 5]);
}

#[test]
fn an_index_whose_program_is_killed_in_any_phase_is_rebuilt() {
    stopped_in_each_phase(How::Kill);
}

#[test]
fn an_index_whose_session_is_terminated_in_any_phase_is_rebuilt() {
    stopped_in_each_phase(How::Terminate);
}

#[test]
fn an_index_whose_server_crashes_in_any_phase_is_rebuilt() {
    stopped_in_each_phase(How::Crash);
}

#[test]
fn an_index_that_is_cancelled_in_any_phase_is_rebuilt() {
    stopped_in_each_phase(How::Cancel);
}

#[test]
fn an_index_that_runs_out_of_time_in_any_phase_is_rebuilt() {
    stopped_in_each_phase(How::StatementTimeout);
}

#[test]
fn an_index_that_waits_too_long_in_any_phase_is_rebuilt() {
    stopped_in_each_phase(How::LockTimeout);
}

#[test]
fn a_failure_reports_what_is_left_behind() {
    let shop = Shop::new();
    shop.file(2, "CREATE UNIQUE INDEX CONCURRENTLY t_one ON t ((1))");
    let outcome = shop.orchestrator.expect(&["all"], 1);
    let text = outcome.stdout + &outcome.stderr;
    assert!(
        text.contains("the INVALID index public.t_one, which the next run drops and rebuilds if it is what the statement builds"),
        "{text}"
    );
    // The file is half done: editing it would only be refused.
    assert!(
        text.contains("fix the data first (to change the file, revert it)"),
        "{text}"
    );
    let status = shop.orchestrator.expect(&["status", "shop"], 0).stdout;
    assert!(
        status.contains("the INVALID index public.t_one"),
        "{status}"
    );
}

/// A failed attempt by hand, with no file in sight.
fn fail_by_hand(shop: &Shop, statement: &str) {
    let failed = shop.server.try_query("db_shop", statement);
    assert!(failed.is_err(), "{statement}");
}

#[test]
fn if_not_exists_does_not_pass_over_an_invalid_index_that_was_there_before() {
    let shop = Shop::new();
    fail_by_hand(&shop, "CREATE UNIQUE INDEX CONCURRENTLY t_one ON t ((1))");
    shop.server.query("db_shop", "DELETE FROM t WHERE a = 1");
    shop.file(
        2,
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_one ON t ((1))",
    );
    shop.all(0);
    assert_eq!(shop.indexes(), [["t_one", "t"]]);
}

#[test]
fn an_invalid_index_that_is_not_what_the_file_builds_is_refused_and_stays() {
    let shop = Shop::new();
    fail_by_hand(&shop, "CREATE UNIQUE INDEX CONCURRENTLY t_one ON t ((1))");
    for statement in [
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_one ON t (a)",
        "CREATE INDEX CONCURRENTLY t_one ON t ((1))",
    ] {
        shop.file(2, statement);
        let outcome = shop.orchestrator.expect(&["all"], 3);
        let text = outcome.stdout + &outcome.stderr;
        assert!(
            text.contains("DROP INDEX CONCURRENTLY public.t_one"),
            "{text}"
        );
        assert_eq!(shop.indexes(), [["t_one", "f"]]);
    }
    shop.server
        .query("db_shop", "DROP INDEX CONCURRENTLY public.t_one");
    shop.all(0);
    assert_eq!(shop.indexes(), [["t_one", "t"]]);
}

#[test]
fn if_not_exists_does_not_pass_over_an_invalid_index_of_another_table() {
    let shop = Shop::new();
    shop.server.query("db_shop", "CREATE TABLE u AS TABLE t");
    fail_by_hand(&shop, "CREATE UNIQUE INDEX CONCURRENTLY i ON u ((1))");
    shop.file(2, "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)");
    shop.all(3);
    assert_eq!(shop.invalid(), ["public.i"]);
    assert_eq!(shop.server.applied("db_shop"), [1]);
}

#[test]
fn an_index_without_a_name_leaves_the_invalid_ones_of_others_alone() {
    let shop = Shop::new();
    // Of the same definition even: t_expr_idx.
    fail_by_hand(&shop, "CREATE UNIQUE INDEX CONCURRENTLY ON t ((1))");
    shop.file(2, "CREATE UNIQUE INDEX CONCURRENTLY ON t ((1))");
    shop.all(1);
    assert_eq!(shop.invalid(), ["public.t_expr_idx", "public.t_expr_idx1"]);
    // And one that somebody builds between two attempts.
    fail_by_hand(
        &shop,
        "CREATE UNIQUE INDEX CONCURRENTLY by_hand ON t ((a * 0))",
    );
    shop.server.query(
        "db_shop",
        "CREATE INDEX also_by_hand ON t (a); DELETE FROM t WHERE a = 1",
    );
    shop.all(0);
    assert_eq!(
        shop.indexes(),
        [
            ["also_by_hand", "t"],
            ["by_hand", "f"],
            ["t_expr_idx", "f"],
            ["t_expr_idx1", "t"]
        ]
    );
}

#[test]
fn an_index_that_another_user_built_meanwhile_is_not_mistaken_for_the_interrupted_one() {
    let shop = Shop::new();
    shop.server.query("db_shop", HELD);
    shop.file(2, "CREATE INDEX CONCURRENTLY ON t (held(a))");
    let (run, sessions) = reach(
        &shop,
        &shop.orchestrator,
        "waiting for writers before build",
    );
    shop.stop(run, How::Terminate);
    drop(sessions);
    shop.server.query(
        "db_shop",
        "DROP INDEX t_held_idx; CREATE INDEX by_hand ON t (a)",
    );
    shop.all(0);
    assert_eq!(shop.indexes(), [["by_hand", "t"], ["t_held_idx", "t"]]);
}

#[test]
fn of_two_indexes_of_one_name_the_one_of_the_files_search_path_is_meant() {
    let shop = Shop::new();
    shop.server.query(
        "db_shop",
        "CREATE SCHEMA \"Other\"; CREATE TABLE \"Other\".t AS TABLE t; CREATE INDEX \"The x\" ON t (a)",
    );
    shop.file(
        2,
        "SET search_path = \"Other\", public;
         CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"The x\" ON t ((1));",
    );
    let failed = shop.all(1);
    let failed = failed
        .iter()
        .find(|event| event["event"] == "migration_failed")
        .unwrap();
    assert_eq!(
        failed["left"][0],
        "the INVALID index \"Other\".\"The x\", which the next run drops and rebuilds if it is what the statement builds"
    );
    shop.server
        .query("db_shop", "DELETE FROM \"Other\".t WHERE a = 1");
    shop.all(0);
    assert!(shop.invalid().is_empty());
    assert_eq!(
        shop.server.query(
            "db_shop",
            "SELECT relnamespace::regnamespace, indisunique FROM pg_index JOIN pg_class ON oid = indexrelid \
             WHERE relname = 'The x' ORDER BY indisunique DESC",
        ),
        [["\"Other\"", "t"], ["public", "f"]]
    );
}

#[test]
fn a_dropped_index_is_known_by_more_than_its_name() {
    let shop = Shop::new();
    shop.server.query(
        "db_shop",
        "CREATE SCHEMA other; CREATE TABLE other.t (a int); CREATE INDEX i ON other.t (a); CREATE INDEX i ON t (a)",
    );
    shop.file(
        2,
        "SET search_path = other, public; DROP INDEX CONCURRENTLY i; SELECT 1",
    );
    let reader = shop.server.session("db_shop");
    reader.run("BEGIN; SELECT FROM other.t");
    let run = shop.orchestrator.watch(&["all"]);
    shop.wait_until_locked("DROP INDEX");
    assert_eq!(shop.invalid(), ["other.i"]);
    run.signal(nix::sys::signal::Signal::SIGKILL);
    run.end();
    // The orphaned server process finishes; the name then stands for the index in `public`.
    reader.run("COMMIT");
    shop.wait_for("the index is dropped", "to_regclass('other.i') IS NULL");
    shop.all(0);
    assert_eq!(shop.indexes(), [["i", "t"]]);
}

#[test]
fn an_index_that_is_half_dropped_is_named_and_dropped() {
    for how in [How::Kill, How::Terminate, How::Crash, How::Cancel] {
        let shop = Shop::new();
        shop.server.query("db_shop", "CREATE INDEX t_a ON t (a)");
        shop.file(2, "SELECT 1; DROP INDEX CONCURRENTLY IF EXISTS t_a");
        let reader = shop.server.session("db_shop");
        reader.run("BEGIN; SELECT FROM t");
        let run = shop.orchestrator.watch(&["all"]);
        shop.wait_until_locked("DROP INDEX");
        shop.stop(run, how);
        drop(reader);
        assert_eq!(
            shop.left(2),
            ["the INVALID index public.t_a, which the next run drops"]
        );
        shop.all(0);
        assert!(shop.indexes().is_empty(), "{how:?}");
    }
}

#[test]
fn the_indexes_of_partitions_are_built_one_by_one_and_attached() {
    let shop = Shop::new();
    shop.server.query(
        "db_shop",
        "CREATE TABLE p (a int) PARTITION BY LIST (a);
         CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2)",
    );
    shop.file(
        2,
        "CREATE INDEX p_a ON ONLY p (a);
         CREATE INDEX CONCURRENTLY p1_a ON p1 (a);
         ALTER INDEX p_a ATTACH PARTITION p1_a;
         CREATE INDEX CONCURRENTLY p2_a ON p2 (a);
         ALTER INDEX p_a ATTACH PARTITION p2_a;",
    );
    let writer = shop.server.session("db_shop");
    writer.run("BEGIN; INSERT INTO p2 VALUES (2)");
    let run = shop.orchestrator.watch(&["all"]);
    shop.wait_for_phase("waiting for writers before build");
    shop.stop(run, How::Terminate);
    drop(writer);
    shop.assert_interrupted(2, 3, 5);
    assert_eq!(shop.invalid(), ["public.p2_a"]);
    shop.all(0);
    assert_eq!(
        shop.value("SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid::regclass::text IN ('p_a', 'p1_a', 'p2_a')"),
        "3"
    );
}

#[test]
fn an_index_that_another_session_is_building_is_waited_for_and_named() {
    let shop = Shop::new();
    shop.file(2, "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a)");
    let writer = shop.server.session("db_shop");
    writer.run("BEGIN; INSERT INTO t VALUES (9)");
    std::thread::scope(|scope| {
        let by_hand = scope.spawn(|| {
            shop.server
                .query("db_shop", "CREATE INDEX CONCURRENTLY t_a ON t (a)")
        });
        shop.wait_for_phase("waiting for writers before build");
        let run = shop.orchestrator.watch(&["all"]);
        let waiting = run.wait_for_event("lock_waiting");
        let pid = shop.value("SELECT pid FROM pg_stat_progress_create_index");
        assert_eq!(waiting["holder"]["pid"].to_string(), pid, "{waiting}");
        assert_eq!(waiting["version"], 2, "{waiting}");
        writer.run("COMMIT");
        by_hand.join().expect("built by hand");
        assert_eq!(run.end().code, 0);
    });
    assert_eq!(shop.indexes(), [["t_a", "t"]]);
}

#[test]
fn an_index_of_an_interrupted_revert_is_rebuilt() {
    let shop = Shop::new();
    shop.server.query("db_shop", HELD);
    shop.reversible(
        2,
        "DROP INDEX CONCURRENTLY IF EXISTS t_a",
        "CREATE INDEX CONCURRENTLY t_a ON t (a)",
    );
    shop.all(0);
    let writer = shop.server.session("db_shop");
    writer.run("BEGIN; INSERT INTO t VALUES (9)");
    let run = shop.orchestrator.watch(&["revert", "shop"]);
    shop.wait_for_phase("waiting for writers before build");
    shop.stop(run, How::Kill);
    drop(writer);
    assert_eq!(shop.left(2).len(), 1);
    shop.orchestrator.expect(&["revert", "shop"], 0);
    assert_eq!(shop.indexes(), [["t_a", "t"]]);
    assert_eq!(shop.server.applied("db_shop"), [1]);
    wait_until("nothing is recorded any more", || {
        shop.value("SELECT count(*) FROM orchestrator.progress") == "0"
    });
}
